package limiter

import (
	"math/big"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// set is a Shares that a test sets.
type set struct{ share atomic.Pointer[Share] }

func (s *set) Share() *Share { return s.share.Load() }

func shareOf(nodes, rank uint32) *set {
	s := new(set)
	s.share.Store(&Share{Nodes: nodes, Rank: rank})
	return s
}

func sharedTable(t testing.TB, w Window, shares Shares) *Table {
	t.Helper()
	limit, err := NewLimit(w)
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewSharedTable(limit, MinCells, shares)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestSharesOfAllNodesSumToTheLimitExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		w, nodes := randomWindow(r), 1+r.Uint32N(40)
		rate, burst := new(big.Rat), uint32(0)
		for rank := range nodes {
			p := w.of(&Share{Nodes: nodes, Rank: rank})
			burst += p.burst
			if p.burst > 0 {
				rate.Add(rate, big.NewRat(1, int64(p.nth)))
			}
		}
		if burst != w.burst() || rate.Cmp(big.NewRat(1, 1)) != 0 {
			t.Fatalf("%+v over %d nodes: %d at once, %s of the rate", w, nodes, burst, rate)
		}
	}
}

func TestNoShareLetsNothingThrough(t *testing.T) {
	for name, share := range map[string]*Share{"none": nil, "of no nodes": {}, "not among them": {Nodes: 2, Rank: 2}, "of too many": {Nodes: MaxNodes + 1}} {
		shares := new(set)
		shares.share.Store(share)
		table := sharedTable(t, Window{Requests: 100, Length: time.Second}, shares)
		if v := table.Take(Key{low: 1, high: 1}, int64(time.Hour)); v.Allowed || v.RetryAfter <= 0 || v.Windows[0].Remaining != 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// fleet is several nodes that share one limit, and one caller who asks them all.
type fleet struct {
	t      *testing.T
	window Window
	nodes  []*set
	tables []*Table
	gone   []bool
	whole  *model // one bucket that would count for all of them
}

func newFleet(t *testing.T, w Window, nodes int) *fleet {
	t.Helper()
	f := &fleet{t: t, window: w, whole: newModel(w), gone: make([]bool, nodes)}
	for rank := range nodes {
		f.nodes = append(f.nodes, shareOf(uint32(nodes), uint32(rank)))
		f.tables = append(f.tables, sharedTable(t, w, f.nodes[rank]))
	}
	return f
}

// ask asks a node, and holds what it lets through against the one bucket.
func (f *fleet) ask(node int, now int64) bool {
	f.t.Helper()
	if !f.tables[node].Take(Key{low: 1, high: 1}, now).Allowed {
		return false
	}
	next, ok := f.whole.next(big.NewRat(now, 1))
	if !ok {
		f.t.Fatalf("the fleet let through more than %+v at %v", f.window, time.Duration(now))
	}
	f.whole.tat = next
	return true
}

// leave takes a node out: it is asked no more, and the others hear of it.
func (f *fleet) leave(node int) {
	f.gone[node] = true
	nodes := uint32(0)
	for _, gone := range f.gone {
		if !gone {
			nodes++
		}
	}
	rank := uint32(0)
	for i, s := range f.nodes {
		if !f.gone[i] {
			s.share.Store(&Share{Nodes: nodes, Rank: rank})
			rank++
		}
	}
}

func TestAFleetNeverLetsThroughMoreThanTheLimitWhoeverLeaves(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		w := Window{Requests: 1 + r.Uint32N(40), Length: time.Duration(1+r.IntN(10)) * time.Second, Burst: r.Uint32N(30)}
		f := newFleet(t, w, 2+r.IntN(5))
		now := int64(time.Hour)
		for range 2000 {
			now += r.Int64N(int64(w.Length)/int64(w.Requests) + 1)
			node := r.IntN(len(f.nodes))
			if !f.gone[node] {
				f.ask(node, now)
			}
			if r.IntN(400) == 0 && node != 0 {
				f.leave(node)
			}
		}
	}
}

func TestWhatALeavingNodeHadFallsToTheOthersOnceABucketHasRefilled(t *testing.T) {
	f := newFleet(t, Window{Requests: 12, Length: time.Minute}, 3)
	now := int64(time.Hour)
	drain := func(node int) (n int) {
		for f.ask(node, now) {
			n++
		}
		return n
	}
	if n := drain(2); n != 4 {
		t.Fatalf("one of three nodes lets %d of 12 through at once", n)
	}
	f.leave(2)
	if a, b := drain(0), drain(1); a != 4 || b != 4 {
		t.Fatalf("right after the third has left, the others let %d and %d through at once", a, b)
	}
	now += int64(time.Minute) // the first request after this begins to see the new share
	if f.tables[0].limitAt(now).rates[0] == f.window.rate(part{nth: 3, burst: 4}) {
		t.Fatal("a bucket's refill later the share is still what it was")
	}
	drain(0)
	drain(1)
	now += 2 * int64(time.Minute)
	if a, b := drain(0), drain(1); a != 6 || b != 6 {
		t.Fatalf("later the two that are left let %d and %d through at once", a, b)
	}
}

func TestASmallerShareHoldsAtOnceAndGivesNobodyAFreshAllowance(t *testing.T) {
	shares := shareOf(1, 0)
	table := sharedTable(t, Window{Requests: 12, Length: time.Minute}, shares)
	now, spent, half, fresh := int64(time.Hour), Key{low: 1, high: 1}, Key{low: 2, high: 2}, Key{low: 3, high: 3}
	take := func(key Key, most int) (n int) {
		for n < most && table.Take(key, now).Allowed {
			n++
		}
		return n
	}
	take(spent, 100)
	take(half, 6)
	shares.share.Store(&Share{Nodes: 3, Rank: 0})
	if a, b, c := take(spent, 100), take(half, 100), take(fresh, 100); a != 0 || b != 2 || c != 4 {
		t.Fatalf("with a third of the limit, who had used all, half and nothing get %d, %d and %d", a, b, c)
	}
}

func TestAVerdictOfASharedTableDoesNotAllocate(t *testing.T) {
	table := sharedTable(t, Window{Requests: 1000, Length: time.Second}, shareOf(3, 1))
	now := int64(time.Hour)
	table.Take(Key{low: 1, high: 1}, now)
	if n := testing.AllocsPerRun(100, func() { now++; table.Take(Key{low: 1, high: 1}, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
