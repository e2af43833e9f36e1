package rates

import (
	"fmt"
	"maps"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

func TestARequestCountsOnceInEachOfItsPlaces(t *testing.T) {
	table := NewTable()
	orders := table.Of(id.New(time.Now()), "orders")
	orders.Record(0, Request{Status: 200, Whole: 2 * time.Millisecond, Upstream: time.Millisecond})
	orders.Record(7, Request{Status: 429, Refused: true, Whole: 100 * time.Microsecond})
	orders.Record(3, Request{Status: 503, Whole: 20 * time.Second, Upstream: 20 * time.Second, Trace: "4bf92f3577b34da6a3ce929d0e0e4736"})
	orders.Record(3, Request{Status: 0, Whole: time.Second})
	all := maps.Collect(table.All())
	if len(all) != 1 {
		t.Fatalf("%d services are told of, one was asked", len(all))
	}
	got := all["orders"]
	want := map[Outcome]uint64{{Class: 2}: 1, {Class: 4, Refused: true}: 1, {Class: 5}: 2}
	if got.Asked != 4 || !maps.Equal(got.Outcomes, want) {
		t.Errorf("%d asked, %v; want 4, %v", got.Asked, got.Outcomes, want)
	}
	if got.Whole.Count != 4 || got.Whole.Buckets[.001] != 1 || got.Whole.Buckets[.0025] != 2 || got.Whole.Buckets[10] != 3 || math.Abs(got.Whole.Sum-21.0021) > 1e-9 {
		t.Errorf("the whole: %+v", got.Whole)
	}
	if got.Upstream.Count != 2 || got.Upstream.Buckets[.001] != 1 || got.Upstream.Buckets[10] != 1 {
		t.Errorf("upstream: %+v", got.Upstream)
	}
	if len(got.Samples) != 1 || got.Samples[0].Seconds != 20 {
		t.Errorf("examples: %+v", got.Samples)
	}
}

func TestNoRevisionTakesACounterBack(t *testing.T) {
	table := NewTable()
	service := id.New(time.Now())
	table.Of(service, "orders").Record(0, Request{Status: 200})
	table.Of(service, "orders-v2").Record(0, Request{Status: 200})
	all := maps.Collect(table.All())
	if len(all) != 1 || all["orders-v2"].Asked != 2 {
		t.Errorf("got %v", all)
	}
	table.Of(id.New(time.Now()), "orders-v2").Record(0, Request{Status: 200}) // deleted, and made anew under the name
	if all = maps.Collect(table.All()); all["orders-v2"].Asked != 3 {
		t.Errorf("got %v", all)
	}
}

func TestServicesBeyondTheBoundAreCountedTogether(t *testing.T) {
	table := NewTable()
	for i := range maxServices + 10 {
		table.Of(id.New(time.Now()), fmt.Sprint("s", i)).Record(0, Request{Status: 200})
	}
	all := maps.Collect(table.All())
	if len(all) != maxServices+1 || all[Other].Asked != 10 {
		t.Errorf("%d services, %d counted together", len(all), all[Other].Asked)
	}
}

func TestNothingIsLostBetweenGoroutines(t *testing.T) {
	table := NewTable()
	orders := table.Of(id.New(time.Now()), "orders")
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for range 1000 {
				orders.Record(uint32(worker), Request{Status: 200, Whole: time.Millisecond})
			}
		})
	}
	group.Wait()
	if got := maps.Collect(table.All())["orders"]; got.Asked != 8000 || got.Whole.Count != 8000 {
		t.Errorf("%d of 8000 are counted", got.Asked)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	orders := NewTable().Of(id.New(time.Now()), "orders")
	if n := testing.AllocsPerRun(100, func() { orders.Record(1, Request{Status: 200, Whole: time.Millisecond, Upstream: time.Millisecond}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	orders := NewTable().Of(id.New(time.Now()), "orders")
	b.ReportAllocs()
	for b.Loop() {
		orders.Record(1, Request{Status: 200, Whole: 3 * time.Millisecond, Upstream: 2 * time.Millisecond})
	}
}
