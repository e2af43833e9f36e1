package backoff

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// rule is how failures of one sort add up.
type rule struct {
	free int           // failures without a wait
	most time.Duration // that one waits
}

var (
	ofPair       = rule{free: 5, most: 5 * time.Minute}
	ofCredential = rule{free: 50, most: 30 * time.Second}
	ofAddress    = rule{free: 50, most: 30 * time.Second}
)

const (
	firstWait = time.Second
	forgiven  = time.Minute // of quiet forgives one failure

	shards  = 64
	samples = 8 // of a full shard, among which the one is found that is forgotten
	ipv6Net = 64
)

// Table counts failures. It is safe for concurrent use. Its zero value isn't usable: New makes one.
type Table struct {
	seed   maphash.Seed
	shards [shards]shard
	most   int // in a shard

	count   atomic.Int64
	evicted atomic.Uint64
}

type shard struct {
	mu    sync.Mutex
	known map[uint64]record
}

// record is what is known of one key: failures as of the last one, and until when to wait.
type record struct {
	failures int
	last     time.Time
	until    time.Time
}

// DefaultKeys is how many keys a node remembers, at some 100 bytes each.
const DefaultKeys = 1 << 16

// New returns an empty table for so many keys at most.
func New(keys int) *Table {
	return &Table{seed: maphash.MakeSeed(), most: max(keys/shards, samples)}
}

// Attempt is one credential shown by one client: what a stage asks about and reports on.
type Attempt struct {
	table                     *Table
	pair, credential, address uint64
	named                     bool
}

// Of returns the attempt of a client to show a credential of a sort ("basic"), named by what the client says it is: a username. "": it has
// no name that another attempt could share (an API key).
func (t *Table) Of(sort string, client netip.Addr, credential string) Attempt {
	a := Attempt{table: t, named: credential != ""}
	if t == nil {
		return a
	}
	from := network(client)
	a.address = maphash.Comparable(t.seed, from)
	if a.named {
		named := struct{ sort, credential string }{sort, credential}
		a.credential = maphash.Comparable(t.seed, named)
		a.pair = maphash.Comparable(t.seed, [2]uint64{a.address, a.credential})
	}
	return a
}

// network is what of an address belongs to one: of IPv6 a /64.
func network(client netip.Addr) netip.Addr {
	client = client.Unmap().WithZone("")
	if client.Is6() {
		if p, err := client.Prefix(ipv6Net); err == nil {
			return p.Addr()
		}
	}
	return client
}

// Wait returns how long this credential from this client isn't to be looked at; 0: it may be.
func (a Attempt) Wait(now time.Time) time.Duration {
	if a.table.quiet() || !a.named {
		return 0
	}
	own := a.table.read(a.pair, now)
	if own.failures == 0 {
		return 0
	}
	return max(own.until.Sub(now), a.table.read(a.credential, now).until.Sub(now), 0)
}

// AddressWait returns how long unknown credentials from the client's address aren't to be looked at; 0: they may be.
func (a Attempt) AddressWait(now time.Time) time.Duration {
	if a.table.quiet() {
		return 0
	}
	return max(a.table.read(a.address, now).until.Sub(now), 0)
}

// Failed counts a failure.
func (a Attempt) Failed(now time.Time) {
	if a.table == nil {
		return
	}
	if a.named {
		a.table.fail(a.credential, ofCredential, now)
		if a.table.fail(a.pair, ofPair, now) > 1 {
			return // who shows the same again and again guesses no other
		}
	}
	a.table.fail(a.address, ofAddress, now)
}

// Passed forgives the failures of this credential from this client's address.
func (a Attempt) Passed() {
	if a.table.quiet() || !a.named {
		return
	}
	s := a.table.shard(a.pair)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.known[a.pair]; known {
		delete(s.known, a.pair)
		a.table.count.Add(-1)
	}
}

// Stats is what a table holds and did.
type Stats struct {
	Keys    int64  // that are remembered
	Evicted uint64 // that were forgotten for want of room, since the start of the process
}

// Stats returns what the table holds and did.
func (t *Table) Stats() Stats { return Stats{Keys: t.count.Load(), Evicted: t.evicted.Load()} }

// quiet tells whether nobody has failed lately, which is what nearly all requests meet: no lock is taken then.
func (t *Table) quiet() bool { return t == nil || t.count.Load() == 0 }

func (t *Table) shard(key uint64) *shard { return &t.shards[key%shards] }

func (t *Table) read(key uint64, now time.Time) record {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.known[key]
	if !known {
		return record{}
	}
	if r = r.decayed(now); r.failures == 0 {
		delete(s.known, key)
		t.count.Add(-1)
	}
	return r
}

// fail counts a failure, and returns how many aren't forgiven yet.
func (t *Table) fail(key uint64, by rule, now time.Time) int {
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.known[key]
	if !known {
		t.makeRoom(s)
		t.count.Add(1)
	}
	r = r.decayed(now)
	r.failures, r.last = r.failures+1, now
	if beyond := r.failures - by.free; beyond > 0 {
		r.until = now.Add(wait(beyond, by.most))
	}
	if s.known == nil {
		s.known = map[uint64]record{}
	}
	s.known[key] = r
	return r.failures
}

// wait doubles with each failure beyond the free ones.
func wait(beyond int, most time.Duration) time.Duration {
	const doublings = 20 // more than any rule has
	return min(firstWait<<min(beyond-1, doublings), most)
}

// decayed returns the record less what quiet has forgiven. Who waits isn't forgiven meanwhile.
func (r record) decayed(now time.Time) record {
	from := r.last
	if r.until.After(from) {
		from = r.until
	}
	if quiet := now.Sub(from); quiet >= forgiven {
		minutes := min(int64(quiet/forgiven), int64(r.failures))
		r.failures -= int(minutes)
		r.last, r.until = now.Add(-quiet%forgiven), time.Time{}
	}
	return r
}

// makeRoom forgets, of some keys of a full shard, the one that failed longest ago. The caller holds the shard.
func (t *Table) makeRoom(s *shard) {
	if len(s.known) < t.most {
		return
	}
	var oldest uint64
	var last time.Time
	n := 0
	for key, r := range s.known { // in an order that nobody foresees
		if n == 0 || r.last.Before(last) {
			oldest, last = key, r.last
		}
		if n++; n == samples {
			break
		}
	}
	delete(s.known, oldest)
	t.count.Add(-1)
	t.evicted.Add(1)
}
