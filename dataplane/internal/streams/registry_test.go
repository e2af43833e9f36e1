package streams

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/problem"
)

// door admits everybody but those denied.
type door struct {
	mu       sync.Mutex
	denied   map[apikey.Digest]problem.Code
	expires  map[apikey.Digest]time.Time
	sequence uint64
	asked    int
}

func newDoor() *door {
	return &door{denied: map[apikey.Digest]problem.Code{}, expires: map[apikey.Digest]time.Time{}}
}

func (d *door) Denied(who directory.Bearer, now time.Time) (problem.Code, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if end, ok := d.expires[who.Digest]; ok && !now.Before(end) {
		return problem.CredentialExpired, true
	}
	code, denied := d.denied[who.Digest]
	return code, denied
}

func (d *door) Head() (uint64, digest.Sum) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sequence, digest.Sum{}
}

func (d *door) deny(credential byte, code problem.Code) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.denied[apikey.Digest{credential}] = code
	d.sequence++
}

func (d *door) questions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// exchange is one under way.
type exchange struct {
	seat Seat
	ctx  context.Context
	cuts atomic.Int32
}

func (e *exchange) Cut() { e.cuts.Add(1) }

func (e *exchange) ended() problem.Code {
	var ended *Ended
	errors.As(context.Cause(e.ctx), &ended)
	if ended == nil {
		return ""
	}
	return ended.Reason
}

func enter(r *Registry, credential byte) *exchange {
	e := new(exchange)
	ctx, cancel := context.WithCancelCause(context.Background())
	e.ctx = ctx
	caller := directory.Bearer{Digest: apikey.Digest{credential}, Address: netip.MustParseAddr("192.0.2.1")}
	r.Enter(&e.seat, uint32(credential), caller, time.Now(), cancel, e)
	return e
}

// running starts a registry inside a bubble.
func running(t *testing.T, d *door) *Registry {
	t.Helper()
	r := NewRegistry(d)
	go func() { _ = r.Run(t.Context()) }()
	return r
}

const promise = time.Second

func TestAStreamEndsWithinASecondOfItsDenial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		r := running(t, d)
		denied, other, another := enter(r, 1), enter(r, 1), enter(r, 2)
		time.Sleep(time.Minute)

		d.deny(1, problem.CredentialInvalid)
		time.Sleep(promise)

		if denied.ended() != problem.CredentialInvalid || other.ended() != problem.CredentialInvalid {
			t.Errorf("streams of a denied key ended with %q and %q, want %q", denied.ended(), other.ended(), problem.CredentialInvalid)
		}
		if another.ended() != "" || r.Leave(&another.seat) != "" {
			t.Error("another key's stream ended too")
		}
		if reason := r.Leave(&denied.seat); reason != problem.CredentialInvalid {
			t.Errorf("the exchange is told %q at its end", reason)
		}
		if got := (Stats{Open: 1, Ended: 2}); r.Stats() != got {
			t.Errorf("the registry tells %+v, want %+v", r.Stats(), got)
		}
	})
}

// Between the decision on a request and the moment from which it counts as long nobody looks at it.
func TestAStreamDeniedWhileItIsYoungEndsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		r := running(t, d)
		stream := enter(r, 1)
		d.deny(1, problem.ConsumerSuspended)
		time.Sleep(promise)
		late := enter(r, 1) // decided on before the denial
		time.Sleep(promise)
		if stream.ended() != problem.ConsumerSuspended || late.ended() != problem.ConsumerSuspended {
			t.Errorf("they ended with %q and %q", stream.ended(), late.ended())
		}
	})
}

func TestAStreamEndsWithinASecondOfItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		d.expires[apikey.Digest{1}] = time.Now().Add(time.Minute)
		r := running(t, d)
		stream := enter(r, 1)
		time.Sleep(time.Minute - time.Millisecond)
		if stream.ended() != "" {
			t.Fatal("it ended before its expiry")
		}
		time.Sleep(promise)
		if stream.ended() != problem.CredentialExpired {
			t.Errorf("it ended with %q, want %q", stream.ended(), problem.CredentialExpired)
		}
	})
}

func TestACallerIsAskedAboutOnceHoweverManyStreamsHeHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		r := NewRegistry(d)
		for range 1000 {
			enter(r, 1)
		}
		enter(r, 2)
		time.Sleep(longFrom)
		r.look(time.Now()) // each is asked about when it becomes long
		before := d.questions()

		d.deny(3, problem.CredentialInvalid)
		r.look(time.Now())

		if asked := d.questions() - before; asked != 2 {
			t.Errorf("a change of the directory led to %d questions about 2 callers", asked)
		}
	})
}

func TestAShortExchangeIsNeverAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		r := NewRegistry(d)
		e := enter(r, 1)
		time.Sleep(longFrom - time.Millisecond)
		r.look(time.Now())
		if r.Leave(&e.seat); d.questions() != 0 || r.Stats().Open != 0 {
			t.Errorf("%d questions about a short exchange", d.questions())
		}
		if e.ctx.Err() == nil {
			t.Error("its context lives on")
		}
	})
}

func TestAnEndedStreamThatHangsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		r := running(t, d)
		stream := enter(r, 1)
		time.Sleep(promise)
		if stream.cuts.Load() != 0 {
			t.Fatal("a stream was cut off that may go on")
		}
		d.deny(1, problem.CredentialInvalid)
		time.Sleep(promise)
		if stream.cuts.Load() == 0 {
			t.Error("the client of an ended stream was never cut off")
		}
		r.Leave(&stream.seat)
		cuts := stream.cuts.Load()
		time.Sleep(promise)
		if stream.cuts.Load() != cuts {
			t.Error("a client was cut off after its exchange's end")
		}
	})
}

// Run with -race: seats are the exchanges' own memory, used again at once.
func TestSeatsAreUsedAgainWhileOthersAreLookedAt(t *testing.T) {
	d := newDoor()
	r := NewRegistry(d)
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for worker := range byte(4) {
		workers.Go(func() {
			e := new(exchange)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithCancelCause(context.Background())
				r.Enter(&e.seat, uint32(n), directory.Bearer{Digest: apikey.Digest{worker}}, time.Now(), cancel, e)
				if n%3 == 0 {
					<-ctx.Done() // everybody is denied: comes of being taken in
				}
				r.Leave(&e.seat)
			}
		})
		d.deny(worker, problem.CredentialInvalid)
	}
	for range 500 {
		r.look(time.Now().Add(longFrom))
	}
	close(stop)
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	for {
		select {
		case <-done:
			if s := r.Stats(); s.Open != 0 || len(r.callers) != 0 || len(r.dying) != 0 {
				t.Errorf("after all have left: %+v, %d callers, %d dying", s, len(r.callers), len(r.dying))
			}
			return
		default:
			r.look(time.Now().Add(longFrom))
		}
	}
}

func BenchmarkASeat(b *testing.B) {
	r := NewRegistry(newDoor())
	cancel := context.CancelCauseFunc(func(error) {})
	for _, busy := range []int{1, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", busy), func(b *testing.B) {
			var stripe atomic.Uint32
			b.ReportAllocs()
			b.SetParallelism(busy)
			b.RunParallel(func(pb *testing.PB) {
				var s Seat
				on, now := stripe.Add(1), time.Now()
				for pb.Next() {
					r.Enter(&s, on, directory.Bearer{}, now, cancel, nil)
					r.Leave(&s)
				}
			})
		})
	}
}
