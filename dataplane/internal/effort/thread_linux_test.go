package effort_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/effort"
)

// burn takes a processor until the process has made so many steps of nothing.
func burn(steps int) (sum int) {
	for i := range steps {
		sum += i ^ sum<<1
	}
	return sum
}

func TestAPieceIsBookedItsOwnTimeAndNotThatOfOthersNorItsWaits(t *testing.T) {
	m := effort.New(effort.Config{})
	caller := effort.Caller{Address: netip.MustParseAddr("192.0.2.1")}
	const steps = 50_000_000
	did := make(chan int)
	if err := m.Do(caller, plenty, 0, func() {
		go func() { did <- burn(steps) }() // somebody else works meanwhile
		<-did
	}); err != nil {
		t.Fatal(err)
	}
	waited := m.Stats().Classes[0].Spent
	var sum int
	if err := m.Do(caller, plenty, 0, func() { sum = burn(steps) }); err != nil || sum == 0 {
		t.Fatal(sum, err)
	}
	worked := m.Stats().Classes[0].Spent - waited
	if worked < time.Millisecond || waited > worked/4 {
		t.Errorf("waiting for %d steps is booked %s, making them %s", steps, waited, worked)
	}
}

func BenchmarkDo(b *testing.B) {
	m := effort.New(effort.Config{})
	caller := effort.Caller{Address: netip.MustParseAddr("192.0.2.1")}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Do(caller, plenty, 0, func() {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDoAtOnce(b *testing.B) {
	m := effort.New(effort.Config{Turns: 64})
	caller := effort.Caller{Address: netip.MustParseAddr("192.0.2.1")}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = m.Do(caller, plenty, 0, func() {})
		}
	})
}
