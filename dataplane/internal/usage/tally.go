package usage

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	"github.com/sallyport/sallyport/proto/id"
)

// Key is what requests are counted together by.
type Key struct {
	// Minute since 1970.
	Minute int64
	// Route is zero when none matched.
	Route id.ID
	// Consumer is zero when none was known.
	Consumer id.ID
	// StatusClass is 1 to 5.
	StatusClass uint8
	// Verdict is "allowed" or the code of the rejection.
	Verdict string
}

// seed makes hashes that nobody outside of the process can foretell.
var seed = maphash.MakeSeed()

// hash is over the beginning of the verdict, if that is longer than any.
func (k *Key) hash() uint64 {
	var b [8 + 1 + 2*len(id.ID{}) + maxVerdict]byte
	binary.LittleEndian.PutUint64(b[:], uint64(k.Minute))
	b[8] = k.StatusClass
	copy(b[9:], k.Route[:])
	copy(b[9+len(id.ID{}):], k.Consumer[:])
	n := copy(b[9+2*len(id.ID{}):], k.Verdict)
	return maphash.Bytes(seed, b[:9+2*len(id.ID{})+n])
}

// Counts add up.
type Counts struct {
	Requests, RequestBytes, ResponseBytes, DurationUs uint64
}

func (c *Counts) add(more Counts) {
	c.Requests += more.Requests
	c.RequestBytes += more.RequestBytes
	c.ResponseBytes += more.ResponseBytes
	c.DurationUs += more.DurationUs
}

// CredentialKey is what the requests of a credential are counted together by.
type CredentialKey struct {
	Credential, Consumer id.ID
	// Hour since 1970.
	Hour int64
}

func (k *CredentialKey) hash() uint64 {
	var b [8 + 2*len(id.ID{})]byte
	binary.LittleEndian.PutUint64(b[:], uint64(k.Hour))
	copy(b[8:], k.Credential[:])
	copy(b[8+len(id.ID{}):], k.Consumer[:])
	return maphash.Bytes(seed, b[:])
}

// CredentialCounts add up, and keep the latest use.
type CredentialCounts struct {
	Requests   uint64
	LastUsedMs int64
}

func (c *CredentialCounts) add(more CredentialCounts) {
	c.Requests += more.Requests
	c.LastUsedMs = max(c.LastUsedMs, more.LastUsedMs)
}

const (
	msPerMinute = 60_000
	msPerHour   = 60 * msPerMinute
	// worstClass stands for a status that is none, which the receiver of a batch would take for a broken batch.
	worstClass = 5
)

// tally is counts that have been added up. The zero value is empty.
type tally struct {
	counters    table[Key, Counts]
	credentials table[CredentialKey, CredentialCounts]
}

func (t *tally) empty() bool { return t.counters.len()+t.credentials.len() == 0 }

// record adds one request.
func (t *tally) record(r *spool.Record) {
	class := uint8(r.Status / 100)
	if class < 1 || class > worstClass {
		class = worstClass
	}
	t.count(Key{Minute: r.TimeMs / msPerMinute, Route: r.Route, Consumer: r.Consumer, StatusClass: class, Verdict: r.Verdict},
		Counts{Requests: 1, RequestBytes: r.RequestBytes, ResponseBytes: r.ResponseBytes, DurationUs: r.DurationUs})
	if r.Credential != (id.ID{}) {
		t.use(CredentialKey{Credential: r.Credential, Consumer: r.Consumer, Hour: r.TimeMs / msPerHour},
			CredentialCounts{Requests: 1, LastUsedMs: r.TimeMs})
	}
}

func (t *tally) count(key Key, more Counts) { t.counters.at(key.hash(), &key).add(more) }

func (t *tally) use(key CredentialKey, more CredentialCounts) {
	t.credentials.at(key.hash(), &key).add(more)
}

// merge adds another tally.
func (t *tally) merge(more *tally) {
	counters, credentials := more.counters.all(), more.credentials.all()
	for i := range counters {
		t.counters.at(counters[i].hash, &counters[i].key).add(counters[i].counts)
	}
	for i := range credentials {
		t.credentials.at(credentials[i].hash, &credentials[i].key).add(credentials[i].counts)
	}
}

// reset empties the tally, to be used again.
func (t *tally) reset() {
	t.counters.reset()
	t.credentials.reset()
}
