package usage

import (
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

// tally is counts that have been added up.
type tally struct {
	counters    map[Key]Counts
	credentials map[CredentialKey]CredentialCounts
}

func newTally() tally {
	return tally{counters: make(map[Key]Counts), credentials: make(map[CredentialKey]CredentialCounts)}
}

func (t *tally) empty() bool { return len(t.counters)+len(t.credentials) == 0 }

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

func (t *tally) count(key Key, more Counts) {
	total := t.counters[key]
	total.add(more)
	t.counters[key] = total
}

func (t *tally) use(key CredentialKey, more CredentialCounts) {
	total := t.credentials[key]
	total.add(more)
	t.credentials[key] = total
}

// merge adds another tally.
func (t *tally) merge(more tally) {
	for key, counts := range more.counters {
		t.count(key, counts)
	}
	for key, counts := range more.credentials {
		t.use(key, counts)
	}
}
