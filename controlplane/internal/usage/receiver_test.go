package usage_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/subject"
)

// ledger is a usage.Store that notes what it is given; the real one is Postgres.
type ledger struct {
	usage.Store
	taken  []*usagev1.Batch
	calls  int
	refuse func([]*usagev1.Batch) error
}

func (l *ledger) Ingest(_ context.Context, batches []*usagev1.Batch) (int, error) {
	l.calls++
	if l.refuse != nil {
		if err := l.refuse(batches); err != nil {
			return 0, err
		}
	}
	l.taken = append(l.taken, batches...)
	return len(batches), nil
}

func newReceiver(l *ledger) (*usage.Receiver, *usage.Stats) {
	stats := new(usage.Stats)
	return usage.NewReceiver(l, slog.New(slog.DiscardHandler), stats), stats
}

var (
	environment = id.Text("env", id.New(time.Unix(0, 0)))
	node        = id.Text("node", id.New(time.Unix(0, 0)))
	other       = id.Text("node", id.New(time.Unix(1, 0)))
)

func good(number uint64) *usagev1.Batch {
	return &usagev1.Batch{Node: node, Environment: environment, Boot: "b", Number: number, Counters: []*usagev1.Counter{
		{Minute: 1000, StatusClass: 2, Verdict: "allowed", Requests: 1},
	}}
}

func deliver(t *testing.T, b *usagev1.Batch) usage.Delivery {
	t.Helper()
	data, err := proto.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return usage.Delivery{Subject: subject.Usage(environment, node), Data: data}
}

func TestBatchInAnothersNameIsRefused(t *testing.T) {
	l := &ledger{}
	r, stats := newReceiver(l)
	stolen, foreign := good(1), good(1)
	stolen.Node = other
	foreign.Environment = id.Text("env", id.New(time.Unix(1, 0)))
	verdicts := r.Receive(t.Context(), []usage.Delivery{deliver(t, stolen), deliver(t, good(1)), deliver(t, foreign), {Subject: "x"}})
	want := []usage.Verdict{usage.Refused, usage.Committed, usage.Refused, usage.Refused}
	if !slices.Equal(verdicts, want) || len(l.taken) != 1 || stats.Refused.Load() != 3 || stats.Counted.Load() != 1 {
		t.Errorf("%v, %d taken", verdicts, len(l.taken))
	}
}

func TestBatchThatTheDatabaseCouldNotTakeIsRefusedBeforeIt(t *testing.T) {
	tests := map[string]func(*usagev1.Batch){
		"number 0":          func(b *usagev1.Batch) { b.Number = 0 },
		"a huge number":     func(b *usagev1.Batch) { b.Number = 1 << 63 },
		"no boot":           func(b *usagev1.Batch) { b.Boot = "" },
		"NUL in the boot":   func(b *usagev1.Batch) { b.Boot = "a\x00" },
		"a long boot":       func(b *usagev1.Batch) { b.Boot = strings.Repeat("a", 65) },
		"route of 3 bytes":  func(b *usagev1.Batch) { b.Counters[0].Route = []byte("abc") },
		"long consumer":     func(b *usagev1.Batch) { b.Counters[0].Consumer = bytes.Repeat([]byte{1}, 17) },
		"class 0":           func(b *usagev1.Batch) { b.Counters[0].StatusClass = 0 },
		"class 65538":       func(b *usagev1.Batch) { b.Counters[0].StatusClass = 1<<16 + 2 },
		"no verdict":        func(b *usagev1.Batch) { b.Counters[0].Verdict = "" },
		"long verdict":      func(b *usagev1.Batch) { b.Counters[0].Verdict = strings.Repeat("x", 65) },
		"minute 0":          func(b *usagev1.Batch) { b.Counters[0].Minute = 0 },
		"a far minute":      func(b *usagev1.Batch) { b.Counters[0].Minute = time.Now().Unix()/60 + 10_000 },
		"overflowing sum":   func(b *usagev1.Batch) { b.Counters[0].Requests = 1 << 60 },
		"too many counters": func(b *usagev1.Batch) { b.Counters = make([]*usagev1.Counter, 20_001) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			l := &ledger{}
			r, _ := newReceiver(l)
			b := good(1)
			spoil(b)
			if got := r.Receive(t.Context(), []usage.Delivery{deliver(t, b)}); got[0] != usage.Refused || l.calls != 0 {
				t.Errorf("%v after %d calls", got, l.calls)
			}
			if err := r.Ingest(t.Context(), b); !errors.Is(err, usage.ErrBatch) {
				t.Errorf("ingested: %v", err)
			}
		})
	}
}

func TestOneBatchThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	l := &ledger{refuse: func(batches []*usagev1.Batch) error {
		for _, b := range batches {
			if b.GetNumber() == 3 {
				return errors.New("not this one")
			}
		}
		return nil
	}}
	r, stats := newReceiver(l)
	var deliveries []usage.Delivery
	for n := range uint64(8) {
		deliveries = append(deliveries, deliver(t, good(n+1)))
	}
	for i, verdict := range r.Receive(t.Context(), deliveries) {
		if want := map[bool]usage.Verdict{true: usage.Retry, false: usage.Committed}[i == 2]; verdict != want {
			t.Errorf("batch %d: %v", i+1, verdict)
		}
	}
	if len(l.taken) != 7 || stats.Retried.Load() != 1 {
		t.Errorf("%d taken, %d retried", len(l.taken), stats.Retried.Load())
	}
}

func TestDatabaseThatIsAwayIsNotAskedForEachBatch(t *testing.T) {
	l := &ledger{refuse: func([]*usagev1.Batch) error { return errors.New("gone") }}
	r, stats := newReceiver(l)
	var deliveries []usage.Delivery
	for n := range uint64(256) {
		deliveries = append(deliveries, deliver(t, good(n+1)))
	}
	verdicts := r.Receive(t.Context(), deliveries)
	if slices.Contains(verdicts, usage.Committed) || slices.Contains(verdicts, usage.Refused) || l.calls > 10 || stats.Retried.Load() != 256 {
		t.Errorf("%d calls, %d retried", l.calls, stats.Retried.Load())
	}
}

func TestCountersOfManyBatchesAddUp(t *testing.T) {
	one, two := good(1), good(2)
	two.Counters = append(two.Counters, &usagev1.Counter{Minute: 999, StatusClass: 4, Verdict: "x", Requests: 5, RequestBytes: 6, ResponseBytes: 7, DurationUs: 8})
	merged := usage.Merge([]*usagev1.Batch{one, two})
	if len(merged) != 2 || merged[0].Minute != 999 || merged[1].Requests != 2 ||
		merged[0].Sums != (usage.Sums{Requests: 5, RequestBytes: 6, ResponseBytes: 7, DurationUs: 8}) {
		t.Errorf("%+v", merged)
	}
}

func FuzzReceive(f *testing.F) {
	data, err := proto.Marshal(good(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(subject.Usage(environment, node), data)
	f.Add("sallyport.usage.a.b", []byte("x"))
	f.Fuzz(func(t *testing.T, on string, data []byte) {
		l := &ledger{}
		r, _ := newReceiver(l)
		verdict := r.Receive(t.Context(), []usage.Delivery{{Subject: on, Data: data}})[0]
		if (verdict == usage.Committed) != (len(l.taken) == 1) {
			t.Fatalf("%v, %d taken", verdict, len(l.taken))
		}
		if len(l.taken) == 1 && subject.Usage(l.taken[0].GetEnvironment(), l.taken[0].GetNode()) != on {
			t.Fatalf("%s was counted for another", on)
		}
	})
}
