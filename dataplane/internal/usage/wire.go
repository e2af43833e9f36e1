package usage

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sallyport/sallyport/proto/id"
)

// Counts are written as protobuf's own encoder would write them as parts of a Batch, byte for byte, without an object for each: they
// are what is written most.

// Tags of a Batch's fields.
const (
	tagNode          = 1<<3 | byte(protowire.BytesType)
	tagEnvironment   = 2<<3 | byte(protowire.BytesType)
	tagBoot          = 3<<3 | byte(protowire.BytesType)
	tagNumber        = 4<<3 | byte(protowire.VarintType)
	tagCounter       = 5<<3 | byte(protowire.BytesType)
	tagCredential    = 6<<3 | byte(protowire.BytesType)
	tagEvent         = 7<<3 | byte(protowire.BytesType)
	tagEventsDropped = 8<<3 | byte(protowire.VarintType)
)

// appendNumber and appendText append a field. One that has nothing to say is left out.

func appendNumber(b []byte, tag byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(append(b, tag), n)
}

func appendText(b []byte, tag byte, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(append(b, tag), text)
}

func appendID(b []byte, tag byte, of *id.ID) []byte {
	if of.IsZero() {
		return b
	}
	return append(append(b, tag, byte(len(of))), of[:]...)
}

// appendOrigin begins a Batch.
func appendOrigin(b []byte, of Origin, number uint64) []byte {
	b = appendText(b, tagNode, of.Node)
	b = appendText(b, tagEnvironment, of.Environment)
	b = appendText(b, tagBoot, of.Boot)
	return appendNumber(b, tagNumber, number)
}

// appendCounter appends one of a Batch's counters.
func appendCounter(b []byte, key *Key, counts *Counts) []byte {
	b = append(b, tagCounter, 0)
	start := len(b)
	b = appendNumber(b, 1<<3, uint64(key.Minute))
	b = appendID(b, 2<<3|byte(protowire.BytesType), &key.Route)
	b = appendID(b, 3<<3|byte(protowire.BytesType), &key.Consumer)
	b = appendNumber(b, 4<<3, uint64(key.StatusClass))
	b = appendText(b, 5<<3|byte(protowire.BytesType), key.Verdict)
	b = appendNumber(b, 6<<3, counts.Requests)
	b = appendNumber(b, 7<<3, counts.RequestBytes)
	b = appendNumber(b, 8<<3, counts.ResponseBytes)
	b = appendNumber(b, 9<<3, counts.DurationUs)
	return closeLength(b, start)
}

// appendCredential appends one of a Batch's counts per credential.
func appendCredential(b []byte, key *CredentialKey, counts *CredentialCounts) []byte {
	b = append(b, tagCredential, 0)
	start := len(b)
	b = appendID(b, 1<<3|byte(protowire.BytesType), &key.Credential)
	b = appendID(b, 2<<3|byte(protowire.BytesType), &key.Consumer)
	b = appendNumber(b, 3<<3, uint64(key.Hour))
	b = appendNumber(b, 4<<3, counts.Requests)
	b = appendNumber(b, 5<<3, uint64(counts.LastUsedMs))
	return closeLength(b, start)
}

// maxLength is how many bytes a length takes at most.
const maxLength = 5

// closeLength says before a part that begins at start how long it is. There is one byte for that, which is nearly always enough.
func closeLength(b []byte, start int) []byte {
	length := uint64(len(b) - start)
	if more := protowire.SizeVarint(length) - 1; more > 0 {
		var room [maxLength]byte
		b = slices.Insert(b, start, room[:more]...)
	}
	protowire.AppendVarint(b[:start-1], length)
	return b
}

// appendEvent appends one of a Batch's events, which is encoded already.
func appendEvent(b, event []byte) []byte {
	return protowire.AppendBytes(append(b, tagEvent), event)
}

// appendAll appends all counts of a tally.
func (t *tally) appendAll(b []byte) []byte {
	counters, credentials := t.counters.all(), t.credentials.all()
	for i := range counters {
		b = appendCounter(b, &counters[i].key, &counters[i].counts)
	}
	for i := range credentials {
		b = appendCredential(b, &credentials[i].key, &credentials[i].counts)
	}
	return b
}
