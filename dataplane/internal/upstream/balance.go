package upstream

import (
	"math/rand/v2"
	"runtime"
	"sort"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
)

// picker chooses the target of a request. Whatever balances in another way is one more of these: it sees the members and, through their
// targets, how they fare; stripe is different where processors are, so that no two need to share what it counts.
type picker interface {
	// pick returns a member; nil: there is none. Those that are not available are chosen only where no other is.
	pick(stripe uint32, now time.Time) *member
}

func newPicker(b snapshot.Balancing, members []member) picker {
	switch {
	case len(members) == 0:
		return nobody{}
	case len(members) == 1:
		return only{&members[0]}
	case b == snapshot.LeastRequests:
		return leastRequests(members)
	}
	return newRoundRobin(members)
}

// nobody is the picker of a service whose targets have no weight.
type nobody struct{}

func (nobody) pick(uint32, time.Time) *member { return nil }

// only is the picker of a service with one target, which is asked however it fares.
type only struct{ one *member }

func (o only) pick(uint32, time.Time) *member { return o.one }

// roundRobin takes turns by weight. The n-th turn falls on n times the golden ratio, of the circle on which the members have
// their shares: that spreads as evenly as turns that are counted off, for any weights, without a list of them.
type roundRobin struct {
	members []member
	ends    []uint64 // of the members' shares
	total   uint64
	turns   []turn // a power of two
}

// turn is a counter of its own cache line.
type turn struct {
	n atomic.Uint64
	_ [56]byte
}

const golden = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio

func newRoundRobin(members []member) *roundRobin {
	r := &roundRobin{members: members, ends: make([]uint64, len(members))}
	for i := range members {
		r.total += members[i].weight
		r.ends[i] = r.total
	}
	shards := 1
	for shards < min(runtime.GOMAXPROCS(0), 64) {
		shards *= 2
	}
	r.turns = make([]turn, shards)
	for i := range r.turns {
		r.turns[i].n.Store(rand.Uint64()) //nolint:gosec // nothing depends on that nobody foresees it
	}
	return r
}

func (r *roundRobin) pick(stripe uint32, now time.Time) *member {
	turns := &r.turns[stripe&uint32(len(r.turns)-1)].n
	var first *member
	for range 2 * len(r.members) {
		m := r.at(turns.Add(1) * golden)
		if m.target.health.available(now) {
			return m
		}
		if first == nil {
			first = m
		}
	}
	for i := range r.members { // small shares may have missed their turn
		if m := &r.members[i]; m.target.health.available(now) {
			return m
		}
	}
	return first
}

// at returns whose share a point of the circle is in.
func (r *roundRobin) at(point uint64) *member {
	draw := point >> 32 * r.total >> 32
	if len(r.members) == 2 {
		if draw < r.ends[0] {
			return &r.members[0]
		}
		return &r.members[1]
	}
	return &r.members[sort.Search(len(r.ends)-1, func(i int) bool { return draw < r.ends[i] })]
}

// leastRequests draws two members and takes the one that is less busy for its weight: nearly as good as the least busy of all, which
// all requests would run to at once.
type leastRequests []member

func (l leastRequests) pick(_ uint32, now time.Time) *member {
	i := rand.IntN(len(l))     //nolint:gosec // nothing depends on that nobody foresees it
	j := rand.IntN(len(l) - 1) //nolint:gosec // as above
	if j >= i {
		j++
	}
	a, b := &l[i], &l[j]
	switch fine, alsoFine := a.target.health.available(now), b.target.health.available(now); {
	case fine && !alsoFine:
		return a
	case !fine && alsoFine:
		return b
	case !fine:
		for k := range l {
			if m := &l[(i+k)%len(l)]; m.target.health.available(now) {
				return m
			}
		}
	}
	if uint64(b.target.inFlight()+1)*a.weight < uint64(a.target.inFlight()+1)*b.weight {
		return b
	}
	return a
}
