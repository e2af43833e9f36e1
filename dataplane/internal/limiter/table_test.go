package limiter

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newTable(t testing.TB, cells int, windows ...Window) *Table {
	t.Helper()
	limit, err := NewLimit(windows...)
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable(limit, cells)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func callers(t *Table, n int) []Key {
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = t.Hasher().String(strconv.Itoa(i))
	}
	return keys
}

func TestCallersAreCountedApart(t *testing.T) {
	table := newTable(t, 1024, Window{Requests: 2, Length: time.Second})
	for _, key := range callers(table, 500) {
		for i, want := range []bool{true, true, false} {
			if v := table.Take(key, 0); v.Allowed != want {
				t.Fatalf("request %d: %+v", i, v)
			}
		}
	}
	if table.Cells() != 500 {
		t.Fatalf("%d cells", table.Cells())
	}
}

func TestAFullTableForgetsNobodyWhoOwes(t *testing.T) {
	table := newTable(t, MinCells, Window{Requests: 1, Length: time.Hour})
	keys := callers(table, 10*MinCells)
	for _, key := range keys[:MinCells] {
		table.Take(key, 0)
	}
	for _, key := range keys[MinCells:] {
		table.Take(key, int64(time.Minute))
	}
	for _, key := range keys[:MinCells] {
		if table.Take(key, int64(2*time.Minute)).Allowed {
			t.Fatal("a caller got a fresh allowance by being forgotten")
		}
	}
	if table.Cells() > MinCells {
		t.Fatalf("%d cells", table.Cells())
	}
}

func TestNewCallersOfAFullTableShareOneCell(t *testing.T) {
	table := newTable(t, MinCells, Window{Requests: 3, Length: time.Hour})
	keys := callers(table, MinCells+10)
	for _, key := range keys[:MinCells] {
		table.Take(key, 0)
	}
	passed := 0
	for _, key := range keys[MinCells:] {
		v := table.Take(key, 0)
		if !v.Shared {
			t.Fatal("a new caller has a cell of its own in a full table")
		}
		if v.Allowed {
			passed++
		}
	}
	if passed != 3 || table.Shared() != 10 {
		t.Fatalf("%d passed, %d shared", passed, table.Shared())
	}
}

func TestACellBackAtItsFullAllowanceGivesWay(t *testing.T) {
	for _, cells := range []int{MinCells, 3000} { // one shard, and several
		table := newTable(t, cells, Window{Requests: 1, Length: time.Hour})
		keys := callers(table, cells+1)
		for i, key := range keys[:cells] {
			now := int64(time.Minute)
			if i == 7 {
				now = 0 // the one that is back first
			}
			table.Take(key, now)
		}
		if v := table.Take(keys[cells], int64(time.Hour)); v.Shared || !v.Allowed {
			t.Fatalf("%d cells: %+v though a cell is back", cells, v)
		}
		if table.Cells() != cells {
			t.Fatalf("%d cells", table.Cells())
		}
	}
}

func TestPeekChangesNothing(t *testing.T) {
	table := newTable(t, MinCells, Window{Requests: 1, Length: time.Second})
	key := callers(table, 1)[0]
	for range 5 {
		if !table.Peek(key, 0).Allowed {
			t.Fatal("a peek was charged")
		}
	}
	if table.Cells() != 0 {
		t.Fatal("a peek made a cell")
	}
	table.Take(key, 0)
	if v := table.Peek(key, 0); v.Allowed || v.RetryAfter != time.Second {
		t.Fatalf("%+v", v)
	}
}

// A table must behave as if each caller had a cell of its own for ever, as long as it isn't full.
func TestTableEqualsCellsKeptForEver(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	table := newTable(t, MaxCells, Window{Requests: 3, Length: time.Second}, Window{Requests: 10, Length: time.Minute})
	keys := callers(table, 20_000)
	kept := make([][]moment, len(keys))
	now := int64(0)
	for range 200_000 {
		now += r.Int64N(int64(2 * time.Millisecond))
		i := r.IntN(len(keys))
		if kept[i] == nil {
			kept[i] = make([]moment, 2)
		}
		if got, want := table.Take(keys[i], now), table.limit.take(tatsOf(kept[i]), now, true); got != want {
			t.Fatalf("caller %d at %d: %+v, not %+v", i, now, got, want)
		}
	}
	if table.Cells() >= len(keys) {
		t.Fatalf("%d cells: none was dropped", table.Cells())
	}
}

func TestSizesOutOfRangeAreRefused(t *testing.T) {
	limit, err := NewLimit(Window{Requests: 1, Length: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range []int{-1, 0, MinCells - 1, MaxCells + 1} {
		if _, err := NewTable(limit, cells); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%d: %v", cells, err)
		}
	}
	if _, err := NewTable(Limit{}, MinCells); !errors.Is(err, ErrOutOfRange) {
		t.Error(err)
	}
}

func TestConcurrentCallersNeverExceedTheirLimit(t *testing.T) {
	const goroutines, each = 8, 2000
	table := newTable(t, MinCells, Window{Requests: 100, Length: time.Hour})
	keys := callers(table, 3*MinCells) // more than fit, so that evicting and sharing race too
	passed := make([]atomic.Int64, len(keys))
	var shared atomic.Int64
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for range each {
				i := r.IntN(len(keys))
				v := table.Take(keys[i], int64(time.Minute))
				switch {
				case v.Shared && v.Allowed:
					shared.Add(1)
				case v.Allowed:
					passed[i].Add(1)
				}
			}
		})
	}
	group.Wait()
	for i := range passed {
		if n := passed[i].Load(); n > 100 {
			t.Errorf("caller %d passed %d times", i, n)
		}
	}
	if shared.Load() > 100 {
		t.Errorf("%d passed in the shared cell", shared.Load())
	}
	if table.Cells() > MinCells {
		t.Errorf("%d cells", table.Cells())
	}
}

func TestTakingDoesNotAllocate(t *testing.T) {
	table := newTable(t, 1024, Window{Requests: 1000, Length: time.Second}, Window{Requests: 1000, Length: time.Minute})
	keys := callers(table, 100)
	for _, key := range keys {
		table.Take(key, 1)
	}
	now, i := int64(1), 0
	if n := testing.AllocsPerRun(1000, func() {
		now += 1000
		i++
		table.Take(keys[i%len(keys)], now)
		table.Hasher().String("a caller's name")
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	table := newTable(b, 1<<17, Window{Requests: 1_000_000, Length: time.Second})
	keys := callers(table, 100_000)
	for _, key := range keys {
		table.Take(key, 1)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := rand.New(rand.NewPCG(rand.Uint64(), 8))
		i, now := r.IntN(len(keys)), int64(1)
		for pb.Next() {
			now += 100
			i = (i + 7919) % len(keys)
			table.Take(keys[i], now)
		}
	})
}

func BenchmarkTakeOneCaller(b *testing.B) {
	table := newTable(b, 1<<17, Window{Requests: 1_000_000_000, Length: time.Second})
	key := callers(table, 1)[0]
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		now := int64(1)
		for pb.Next() {
			now += 100
			table.Take(key, now)
		}
	})
}

// A full table under a flood of new callers: what an attacker can make a request cost.
func BenchmarkTakeFullTable(b *testing.B) {
	table := newTable(b, 1<<16, Window{Requests: 10, Length: time.Hour})
	keys := callers(table, 1<<18)
	for _, key := range keys[:1<<16] {
		table.Take(key, 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		table.Take(keys[1<<16+i%(3<<16)], 2)
	}
}
