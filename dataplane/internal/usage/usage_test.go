package usage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ledger stores each message once, as JetStream does by its id, and can be told to fail.
type ledger struct {
	mu       sync.Mutex
	messages map[string][]byte
	numbers  []uint64
	fail     func(attempt int) (store bool, err error)
	attempts int
}

func (l *ledger) Publish(_ context.Context, message string, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	store, err := true, error(nil)
	if l.fail != nil {
		store, err = l.fail(l.attempts)
	}
	if old, seen := l.messages[message]; seen && !bytes.Equal(old, data) {
		return errors.New("one message id, two contents")
	}
	if store && l.messages[message] == nil {
		l.messages[message] = data
		var b usagev1.Batch
		if proto.Unmarshal(data, &b) == nil {
			l.numbers = append(l.numbers, b.GetNumber())
		}
	}
	return err
}

func (l *ledger) requests(t *testing.T) uint64 {
	t.Helper()
	var total uint64
	for _, data := range l.messages {
		var b usagev1.Batch
		if err := proto.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.GetCounters() {
			total += c.GetRequests()
		}
	}
	return total
}

func record(r *Recorder, n int) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			on := r.Stripe()
			for i := range n / 8 {
				r.Record(on, Key{Minute: int64(i % 3), Route: id.ID{byte(i % 7)}, StatusClass: 2, Verdict: "allowed"}, Counts{Requests: 1})
			}
		})
	}
	wg.Wait()
}

func TestEveryRequestIsCountedOnceThoughTheBusFailsOrForgetsToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &ledger{messages: map[string][]byte{}}
		bus.fail = func(attempt int) (bool, error) {
			switch attempt % 4 {
			case 1:
				return false, errors.New("away")
			case 2:
				return true, errors.New("stored, but the answer was lost")
			default:
				return true, nil
			}
		}
		recorder := NewRecorder()
		sender := NewSender(recorder, bus, Origin{Node: "n", Environment: "e", Boot: "b"}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- sender.Run(ctx, time.Minute) }()
		for range 5 {
			record(recorder, 8000)
			time.Sleep(1500 * time.Millisecond)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := bus.requests(t); got != 40000 {
			t.Errorf("the ledger holds %d requests, want 40000", got)
		}
		for i, number := range bus.numbers {
			if number != uint64(i+1) {
				t.Fatalf("batches are numbered %v, want 1, 2, 3 …", bus.numbers)
			}
		}
	})
}

func TestWhatIsNotTakenBeforeTheEndIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &ledger{messages: map[string][]byte{}, fail: func(int) (bool, error) { return false, errors.New("away") }}
		recorder := NewRecorder()
		record(recorder, 8)
		sender := NewSender(recorder, bus, Origin{}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := sender.Run(ctx, time.Second); err == nil {
			t.Error("lost usage went unmentioned")
		}
	})
}

func TestFoldingLosesDetailAndNoCount(t *testing.T) {
	sender := NewSender(NewRecorder(), nil, Origin{}, slog.New(slog.DiscardHandler))
	for i := range pendingCounters + 1 {
		sender.pending[Key{Minute: int64(i), Verdict: "allowed"}] = Counts{Requests: 2, RequestBytes: 3}
	}
	sender.fold()
	if len(sender.pending) > pendingCounters/minutesPerHour+2 {
		t.Errorf("%d counters after folding", len(sender.pending))
	}
	var total Counts
	for _, c := range sender.pending {
		total.add(c)
	}
	if want := uint64(pendingCounters + 1); total.Requests != 2*want || total.RequestBytes != 3*want {
		t.Errorf("folded to %+v, want %d requests and %d bytes", total, 2*want, 3*want)
	}
}

func TestFoldingGivesUpVerdictsAndRoutesButNeverWhoCalled(t *testing.T) {
	const consumers, perConsumer = 1000, 600
	sender := NewSender(NewRecorder(), nil, Origin{}, slog.New(slog.DiscardHandler))
	for i := range consumers * perConsumer { // all on one day: only verdict and route tell a consumer's counters apart
		key := Key{Verdict: []string{"allowed", "rate_limited"}[i%2], Route: id.ID{byte(i / 2 % 256), byte(i % 3)}}
		binary.BigEndian.PutUint64(key.Consumer[:], uint64(i/perConsumer)+1)
		total := sender.pending[key]
		total.Requests++
		sender.pending[key] = total
	}
	sender.fold()
	if len(sender.pending) > pendingCounters {
		t.Errorf("%d counters wait, more than %d", len(sender.pending), pendingCounters)
	}
	byConsumer := map[id.ID]uint64{}
	for key, counts := range sender.pending {
		byConsumer[key.Consumer] += counts.Requests
	}
	if len(byConsumer) != consumers {
		t.Fatalf("%d consumers are left of %d", len(byConsumer), consumers)
	}
	for consumer, requests := range byConsumer {
		if requests != perConsumer {
			t.Fatalf("%x has %d requests, want %d", consumer, requests, perConsumer)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	r := NewRecorder()
	key := Key{Minute: 1, Route: id.ID{1}, Consumer: id.ID{2}, StatusClass: 2, Verdict: "allowed"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		on := r.Stripe()
		for pb.Next() {
			r.Record(on, key, Counts{Requests: 1})
		}
	})
}
