package effort

import (
	"cmp"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

const (
	shards   = 64
	samples  = 16 // of a full shard, among which the one is found that is forgotten
	mostDebt = 10 // allowances
	ipv6Net  = 64

	halfLife   = 30 * time.Second
	negligible = 10 * time.Millisecond
)

// callers remembers what inspections for whom have cost, as far as it hasn't come back. It is bounded: when it is full, of a few the one is forgotten who owes
// least, so that a crowd of new ones washes away hardly a debt. Nothing in it can be read back: keys are hashes under a seed of the process.
type callers struct {
	seed   maphash.Seed
	shards [shards]shard
	most   int // in a shard

	count     atomic.Int64
	forgotten atomic.Uint64
}

type shard struct {
	mu    sync.Mutex
	known map[uint64]record
}

// record is what is known of one address or credential.
type record struct {
	spent  time.Duration // as of at
	at     time.Time
	pace   float64       // of a processor, that comes back
	coming time.Duration // what its pieces look like that wait or are at work
	byByte time.Duration // what a byte has cost lately; 0: nobody knows
	lately time.Duration // what its pieces have cost, half of it forgotten every half-life
}

func newCallers(most int) *callers {
	return &callers{seed: maphash.MakeSeed(), most: max(most/shards, samples)}
}

// account is where a caller's inspections are booked.
type account struct {
	of [2]holder // its address, its credential
}

// holder is one of them.
type holder struct {
	by   string // "": there is none
	key  uint64
	most time.Duration
	pace float64
}

func (c *callers) of(caller Caller, allowance Allowance) (a account) {
	if caller.Address.IsValid() {
		a.of[0] = hold("address", maphash.Comparable(c.seed, network(caller.Address)), allowance.PerAddress, allowance.Refill)
	}
	switch {
	case !caller.Credential.IsZero():
		a.of[1] = hold("credential", maphash.Comparable(c.seed, caller.Credential), allowance.PerCredential, allowance.Refill)
	case !caller.Issuer.IsZero():
		bearer := bearer{caller.Issuer, caller.Subject}
		a.of[1] = hold("credential", maphash.Comparable(c.seed, bearer), allowance.PerCredential, allowance.Refill)
	}
	return a
}

// bearer is whom tokens are about.
type bearer struct {
	issuer  id.ID
	subject string
}

func hold(by string, key uint64, most, refill time.Duration) holder {
	if most <= 0 || refill <= 0 {
		return holder{}
	}
	return holder{by: by, key: key, most: most, pace: float64(most) / float64(refill)}
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

// standing is what a caller has spent: by its address or its credential, whichever is the greater part of what it may.
type standing struct {
	by     string
	part   float64 // of the allowance; 1: all of it
	spent  time.Duration
	coming time.Duration
	most   time.Duration
	pace   float64
	byByte time.Duration // 0: nobody knows
	lately time.Duration
}

// back returns how long it takes until of something spent no more than a part of the allowance is left.
func (s standing) back(spent time.Duration, to float64) time.Duration {
	over := float64(spent) - to*float64(s.most)
	return max(time.Duration(over/s.pace), time.Millisecond)
}

func (c *callers) look(a account, now time.Time) (worst standing) {
	for _, h := range a.of {
		if h.by == "" {
			continue
		}
		r := c.read(h.key, now)
		part := float64(r.spent) / float64(h.most)
		if part > worst.part || worst.by == "" {
			worst.by, worst.part, worst.spent, worst.most, worst.pace = h.by, part, r.spent, h.most, h.pace
		}
		worst.coming, worst.byByte, worst.lately = max(worst.coming, r.coming), max(worst.byByte, r.byByte), max(worst.lately, r.lately)
	}
	return worst
}

// begin takes note of a piece that waits from now on; end, that it is over.
func (c *callers) begin(a account, looks time.Duration, now time.Time) {
	for _, h := range a.of {
		c.change(h, now, func(r *record) { r.coming += looks })
	}
}

func (c *callers) end(a account, looks time.Duration) {
	for _, h := range a.of {
		if h.by == "" {
			continue
		}
		s := c.shard(h.key)
		s.mu.Lock()
		if r, known := s.known[h.key]; known { // and not forgotten since
			r.coming = max(r.coming-looks, 0)
			s.known[h.key] = r
		}
		s.mu.Unlock()
	}
}

// book adds what a piece of so many bytes has cost.
func (c *callers) book(a account, cost time.Duration, bytes int, now time.Time) {
	for _, h := range a.of {
		c.change(h, now, func(r *record) {
			aByte := cost / time.Duration(max(bytes, 1))
			r.byByte = (cmp.Or(r.byByte, aByte) + aByte) / 2
			r.lately += cost
			r.spent = max(min(r.spent+cost, mostDebt*h.most), r.spent)
			r.pace = h.pace
		})
	}
}

func (c *callers) shard(key uint64) *shard { return &c.shards[key%shards] }

// read returns what is known of a key, and forgets who has all of the allowance back.
func (c *callers) read(key uint64, now time.Time) record {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.known[key]
	if !known {
		return record{}
	}
	if r = r.recovered(now); r.idle() {
		delete(s.known, key)
		c.count.Add(-1)
	}
	return r
}

func (c *callers) change(h holder, now time.Time, how func(*record)) {
	if h.by == "" {
		return
	}
	s := c.shard(h.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.known[h.key]
	if !known {
		c.makeRoom(s, now)
		c.count.Add(1)
	}
	r = r.recovered(now)
	how(&r)
	if s.known == nil {
		s.known = map[uint64]record{}
	}
	s.known[h.key] = r
}

// idle says that nothing is known that makes a difference.
func (r record) idle() bool { return r.spent == 0 && r.coming == 0 && r.lately < negligible }

// recovered returns the record less what has come back, at the pace of the allowance that was spent last.
func (r record) recovered(now time.Time) record {
	if since := now.Sub(r.at); since > 0 {
		r.lately = time.Duration(float64(r.lately) * math.Exp2(-float64(since)/float64(halfLife)))
	}
	r.spent, r.at = back(r.spent, r.pace, r.at, now)
	return r
}

// back returns what of something spent is left now, where it comes back at a pace. Time that goes back brings nothing.
func back(spent time.Duration, pace float64, at, now time.Time) (time.Duration, time.Time) {
	since := now.Sub(at)
	if since <= 0 {
		return spent, at
	}
	if came := float64(since) * pace; came < float64(spent) {
		return spent - time.Duration(came), now
	}
	return 0, now
}

// makeRoom forgets, of some keys of a full shard, the one that owes least. The caller holds the shard.
func (c *callers) makeRoom(s *shard, now time.Time) {
	if len(s.known) < c.most {
		return
	}
	var least uint64
	var owes time.Duration
	n := 0
	for key, r := range s.known { // in an order that nobody foresees
		if r = r.recovered(now); n == 0 || r.spent < owes {
			least, owes = key, r.spent
		}
		if n++; n == samples || owes == 0 {
			break
		}
	}
	delete(s.known, least)
	c.count.Add(-1)
	if owes > 0 {
		c.forgotten.Add(1)
	}
}
