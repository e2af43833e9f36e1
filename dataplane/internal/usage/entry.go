package usage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Kinds of entries of a boot's journal.
const (
	// entryAll says all that is to be known: when the boot began, the number of its last batch, how far the ring is in it (nothing: all of it,
	// there is no ring any more), the batch under way, what waits.
	entryAll = 1
	// entryCounts adds what was drained of the ring: the positions it was drained to, the counts.
	entryCounts = 2
	// entryBatch takes a batch out of what waits: its message, which never changes from here on.
	entryBatch = 3
	// entryStored drops the batch under way: the bus has it. Its number.
	entryStored = 4
)

const (
	// maxHeads bounds the positions of an entry: those of a ring, and those of builds with larger ones.
	maxHeads = 4096
	// maxVerdict and maxEvent bound what is believed of a counter and of a single request, in bytes; no batch that the bus takes could hold more.
	maxVerdict = 64
	maxEvent   = 16 << 10
	// keptScratch is how much room is kept for the next entry.
	keptScratch = 4 << 20
)

// prefixed bytes, and numbers, are as encoding/binary's uvarint has them.

func appendHeads(b []byte, heads []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(heads)))
	for _, head := range heads {
		b = binary.AppendUvarint(b, head)
	}
	return b
}

var errShort = errors.New("it ends too early")

func cutNumber(b []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, errShort
	}
	return n, b[size:], nil
}

func cutHeads(b []byte) (heads []uint64, rest []byte, err error) {
	count, rest, err := cutNumber(b)
	if err != nil {
		return nil, nil, err
	}
	if count > maxHeads {
		return nil, nil, fmt.Errorf("it has %d positions", count)
	}
	for range count {
		var head uint64
		if head, rest, err = cutNumber(rest); err != nil {
			return nil, nil, err
		}
		heads = append(heads, head)
	}
	return heads, rest, nil
}

func cutBytes(b []byte) (cut, rest []byte, err error) {
	size, rest, err := cutNumber(b)
	if err != nil {
		return nil, nil, err
	}
	if size > uint64(len(rest)) {
		return nil, nil, errShort
	}
	return rest[:size], rest[size:], nil
}

// all describes the book.
func (b *book) all() spool.Entry {
	body := binary.AppendUvarint(b.scratch[:0], uint64(max(b.began.UnixMilli(), 0)))
	body = binary.AppendUvarint(body, b.number)
	body = appendHeads(body, b.heads)
	var underway []byte
	if b.underway != nil {
		underway = b.underway.data
	}
	body = binary.AppendUvarint(body, uint64(len(underway)))
	body = append(body, underway...)
	return b.entry(entryAll, body, &b.tally, b.waiting.events, b.waiting.dropped)
}

// counts describes a round.
func (b *book) counts(heads []uint64, more *tally, events [][]byte, dropped uint64) spool.Entry {
	return b.entry(entryCounts, appendHeads(b.scratch[:0], heads), more, events, dropped)
}

// entry ends an entry that begins like this with counts, in a batch's words. It lies in scratch until the next one.
func (b *book) entry(kind byte, body []byte, t *tally, events [][]byte, dropped uint64) spool.Entry {
	body = t.appendAll(appendOrigin(body, b.origin, 0))
	for _, event := range events {
		body = appendEvent(body, event)
	}
	body = appendNumber(body, tagEventsDropped, dropped)
	if b.scratch = body[:0]; cap(body) > keptScratch {
		b.scratch = nil
	}
	return spool.Entry{Kind: kind, Body: body}
}

// apply repeats what an entry says.
func (b *book) apply(e spool.Entry) error {
	if (e.Kind == entryAll) != b.began.IsZero() {
		return errors.New("the entry that says all isn't the first, or isn't alone")
	}
	switch e.Kind {
	case entryAll:
		return b.applyAll(e.Body)
	case entryCounts:
		heads, rest, err := cutHeads(e.Body)
		if err != nil {
			return err
		}
		b.heads = heads
		return b.applyCounts(rest)
	case entryBatch:
		return b.applyBatch(e.Body)
	case entryStored:
		number, rest, err := cutNumber(e.Body)
		if err != nil || len(rest) > 0 || b.underway == nil || number != b.underway.number {
			return errors.New("it drops a batch that isn't under way")
		}
		b.underway = nil
		return nil
	}
	return fmt.Errorf("its kind is %d", e.Kind)
}

func (b *book) applyAll(body []byte) error {
	began, rest, err := cutNumber(body)
	if err != nil {
		return err
	}
	b.began = time.UnixMilli(int64(began))
	if b.number, rest, err = cutNumber(rest); err != nil {
		return err
	}
	if b.heads, rest, err = cutHeads(rest); err != nil {
		return err
	}
	underway, rest, err := cutBytes(rest)
	if err != nil {
		return err
	}
	if len(underway) > 0 {
		if b.number == 0 {
			return errors.New("a batch is under way that has no number")
		}
		if _, err := b.read(underway, b.number); err != nil {
			return err
		}
		b.underway = &batch{number: b.number, data: append([]byte(nil), underway...)}
	}
	return b.applyCounts(rest)
}

// applyCounts adds what a message counts.
func (b *book) applyCounts(data []byte) error {
	m, err := b.read(data, 0)
	if err != nil {
		return err
	}
	for _, c := range m.GetCounters() {
		key, counts, err := readCounter(c)
		if err != nil {
			return err
		}
		b.tally.count(key, counts)
	}
	for _, c := range m.GetCredentials() {
		key, counts, err := readCredential(c)
		if err != nil {
			return err
		}
		b.tally.use(key, counts)
	}
	events := make([][]byte, 0, len(m.GetEvents()))
	for _, event := range m.GetEvents() {
		encoded, err := proto.Marshal(event)
		if err != nil {
			return fmt.Errorf("a single request: %w", err)
		}
		if len(encoded) > maxEvent {
			return errors.New("a single request is told of at too great length")
		}
		events = append(events, encoded)
	}
	b.waiting.add(events, m.GetEventsDropped())
	return nil
}

var errNotWaiting = errors.New("a batch holds what didn't wait")

// applyBatch takes what a message counts out of what waits.
func (b *book) applyBatch(data []byte) error {
	m, err := b.read(data, b.number+1)
	if err != nil {
		return err
	}
	if b.underway != nil {
		return errors.New("two batches are under way")
	}
	for _, c := range m.GetCounters() {
		key, counts, err := readCounter(c)
		if err != nil || !b.tally.counters.remove(key.hash(), &key, func(c Counts) bool { return c == counts }) {
			return errors.Join(errNotWaiting, err)
		}
	}
	for _, c := range m.GetCredentials() {
		key, counts, err := readCredential(c)
		if err != nil || !b.tally.credentials.remove(key.hash(), &key, func(c CredentialCounts) bool { return c == counts }) {
			return errors.Join(errNotWaiting, err)
		}
	}
	if len(m.GetEvents()) > len(b.waiting.events) || m.GetEventsDropped() > b.waiting.dropped {
		return errNotWaiting
	}
	b.waiting.remove(len(m.GetEvents()), m.GetEventsDropped())
	b.number++
	b.underway = &batch{number: b.number, data: append([]byte(nil), data...)}
	return nil
}

// read reads a message of this book.
func (b *book) read(data []byte, number uint64) (*usagev1.Batch, error) {
	m := new(usagev1.Batch)
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("read what was counted: %w", err)
	}
	// What was counted before the node had a name is its own, whatever it is called later: nothing of it was in a batch.
	unnamed := number == 0 && m.GetNode() == ""
	if m.GetNode() != b.origin.Node && !unnamed || m.GetEnvironment() != b.origin.Environment {
		return nil, errForeign
	}
	if m.GetBoot() != b.origin.Boot || m.GetNumber() != number {
		return nil, fmt.Errorf("it is batch %d of boot %.64q, want %d of %q", m.GetNumber(), m.GetBoot(), number, b.origin.Boot)
	}
	return m, nil
}

// errForeign says that counts are another node's: this one may not report them.
var errForeign = errors.New("it was counted by another node, or in another environment")

func readCounter(c *usagev1.Counter) (Key, Counts, error) {
	route, err := readID(c.GetRoute())
	if err != nil {
		return Key{}, Counts{}, err
	}
	consumer, err := readID(c.GetConsumer())
	if err != nil || c.GetStatusClass() < 1 || c.GetStatusClass() > worstClass || c.GetRequests() == 0 || c.GetVerdict() == "" || len(c.GetVerdict()) > maxVerdict {
		return Key{}, Counts{}, errors.Join(errors.New("a counter is none"), err)
	}
	return Key{Minute: c.GetMinute(), Route: route, Consumer: consumer, StatusClass: uint8(c.GetStatusClass()), Verdict: c.GetVerdict()},
		Counts{Requests: c.GetRequests(), RequestBytes: c.GetRequestBytes(), ResponseBytes: c.GetResponseBytes(), DurationUs: c.GetDurationUs()}, nil
}

func readCredential(c *usagev1.CredentialCount) (CredentialKey, CredentialCounts, error) {
	credential, err := readID(c.GetCredential())
	if err != nil {
		return CredentialKey{}, CredentialCounts{}, err
	}
	consumer, err := readID(c.GetConsumer())
	if err != nil || c.GetRequests() == 0 {
		return CredentialKey{}, CredentialCounts{}, errors.Join(errors.New("a credential's count is none"), err)
	}
	return CredentialKey{Credential: credential, Consumer: consumer, Hour: c.GetHour()},
		CredentialCounts{Requests: c.GetRequests(), LastUsedMs: c.GetLastUsedMs()}, nil
}

func readID(b []byte) (id.ID, error) {
	switch len(b) {
	case 0:
		return id.ID{}, nil
	case len(id.ID{}):
		return id.ID(b), nil
	}
	return id.ID{}, fmt.Errorf("an id has %d bytes", len(b))
}
