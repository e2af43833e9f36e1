package usage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// ledger is a usage.Ledger that notes what it is given; the real one is Postgres.
type ledger struct {
	taken  []*usagev1.Batch
	calls  int
	refuse func([]*usagev1.Batch) error
}

func (l *ledger) Ingest(_ context.Context, batches []*usagev1.Batch) (usage.Taken, error) {
	l.calls++
	if l.refuse != nil {
		if err := l.refuse(batches); err != nil {
			return usage.Taken{}, err
		}
	}
	l.taken = append(l.taken, batches...)
	return usage.Taken{Batches: len(batches)}, nil
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
		"no code":           func(b *usagev1.Batch) { b.Counters[0].Verdict = "Rate limited" },
		"overflowing sum":   func(b *usagev1.Batch) { b.Counters[0].Requests = 1 << 60 },
		"too many counters": func(b *usagev1.Batch) { b.Counters = make([]*usagev1.Counter, 20_001) },
		"too many keys":     func(b *usagev1.Batch) { b.Credentials = make([]*usagev1.CredentialCount, 20_001) },
		"too many events":   func(b *usagev1.Batch) { b.Events = make([]*usagev1.Event, 10_001) },
		"dropped too many":  func(b *usagev1.Batch) { b.EventsDropped = 1 << 60 },
		"no credential":     func(b *usagev1.Batch) { b.Credentials = []*usagev1.CredentialCount{{Requests: 1}} },
		"used too often": func(b *usagev1.Batch) {
			b.Credentials = []*usagev1.CredentialCount{{Credential: make([]byte, 16), Requests: 1 << 60}}
		},
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

func TestBatchThatTheDatabaseWillNeverTakeIsRefusedAndHoldsUpNobody(t *testing.T) {
	l := &ledger{refuse: func(batches []*usagev1.Batch) error {
		for _, b := range batches {
			if b.GetNumber() == 3 {
				return fmt.Errorf("%w: no table takes it", usage.ErrBatch)
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
		if want := map[bool]usage.Verdict{true: usage.Refused, false: usage.Committed}[i == 2]; verdict != want {
			t.Errorf("batch %d: %v", i+1, verdict)
		}
	}
	if stats.Refused.Load() != 1 || stats.Retried.Load() != 0 || stats.Counted.Load() != 7 {
		t.Errorf("%d refused, %d retried, %d counted", stats.Refused.Load(), stats.Retried.Load(), stats.Counted.Load())
	}
}

func TestBacklogIsTakenInStepsThatAreAckedByThemselves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &ledger{}
	l.refuse = func(batches []*usagev1.Batch) error {
		if l.calls == 2 { // the time is up after the first step
			cancel()
			return ctx.Err()
		}
		return nil
	}
	r, _ := newReceiver(l)
	var deliveries []usage.Delivery
	for n := range uint64(4) {
		b := good(n + 1)
		for len(b.Counters) < 20_000 {
			b.Counters = append(b.Counters, b.Counters[0])
		}
		deliveries = append(deliveries, deliver(t, b))
	}
	verdicts := r.Receive(ctx, deliveries)
	if !slices.Equal(verdicts[:2], []usage.Verdict{usage.Committed, usage.Committed}) || verdicts[3] == usage.Refused || len(l.taken) < 2 {
		t.Errorf("%v", verdicts)
	}
}

func TestLagIsThatOfTheOldestBatch(t *testing.T) {
	r, stats := newReceiver(&ledger{})
	old, fresh := deliver(t, good(1)), deliver(t, good(2))
	old.SentAt, fresh.SentAt = time.Now().Add(-time.Hour), time.Now()
	r.Receive(t.Context(), []usage.Delivery{fresh, old})
	if lag := time.Duration(stats.LagMs.Load()) * time.Millisecond; lag < time.Hour || lag > 2*time.Hour {
		t.Errorf("%v", lag)
	}
}

func FuzzReceive(f *testing.F) {
	data, err := proto.Marshal(good(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(subject.Usage(environment, node), data)
	full := good(2)
	full.Credentials = []*usagev1.CredentialCount{{Credential: make([]byte, 16), Hour: noonMinute / 60, Requests: 3, LastUsedMs: noon.UnixMilli()}}
	full.Events = []*usagev1.Event{{TimeMs: noon.UnixMilli(), Status: 401, Verdict: "x", Path: "/", Client: []byte{1, 2, 3, 4}}}
	if data, err = proto.Marshal(full); err != nil {
		f.Fatal(err)
	}
	f.Add(subject.Usage(environment, node), data)
	full.Events[0].Decision = &usagev1.Decision{Findings: []*usagev1.Finding{{Policy: make([]byte, 16), Rule: "942100", Target: "argument:a", Exclusion: make([]byte, 16)}}}
	if data, err = proto.Marshal(full); err != nil {
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
		if len(l.taken) == 1 {
			checkIntake(t, l.taken[0])
		}
	})
}

// checkIntake makes sure that whatever batch is taken counts exactly what it says, in rows that a partition
// holds and texts that the database can.
func checkIntake(t *testing.T, batch *usagev1.Batch) {
	t.Helper()
	in := usage.Tally([]*usagev1.Batch{batch}, noon)
	var said, counted, used, uses uint64
	for _, c := range batch.GetCounters() {
		said += c.GetRequests()
	}
	for _, h := range in.Hours {
		counted += uint64(h.Requests)
	}
	for _, c := range batch.GetCredentials() {
		used += c.GetRequests()
	}
	for _, u := range in.Uses {
		uses += uint64(u.Requests)
		if u.LastUsed.After(noon) {
			t.Fatalf("used in the future: %+v", u)
		}
	}
	if len(batch.GetCounters()) < 256 && said != counted || len(batch.GetCredentials()) < 256 && used != uses { // more may reach where sums stop
		t.Fatalf("%d requests counted of %d, %d uses of %d", counted, said, uses, used)
	}
	held := func(table string, at int64) bool {
		return slices.ContainsFunc(usage.Wanted(noon), func(p usage.Partition) bool { return p.Table == table && p.From <= at && at < p.To })
	}
	for _, r := range in.Minutes {
		if !held("usage_minutes", r.Minute) {
			t.Fatalf("no partition for %+v", r)
		}
	}
	for _, r := range in.Hours {
		if !held("usage_hours", r.Minute/60) {
			t.Fatalf("no partition for %+v", r)
		}
	}
	for _, c := range in.Credentials {
		if !held("usage_credentials", c.Hour) {
			t.Fatalf("no partition for %+v", c)
		}
	}
	for _, r := range in.Requests {
		if !held("usage_events", r.TimeMs) || strings.ContainsRune(r.ID+r.Method+r.Host+r.Path, 0) || len(r.Path) > 512 {
			t.Fatalf("can't be listed: %+v", r)
		}
	}
	if len(in.Findings) > 16*len(in.Requests) {
		t.Fatalf("%d findings of %d requests", len(in.Findings), len(in.Requests))
	}
	for _, f := range in.Findings {
		if !held("usage_findings", f.TimeMs) || strings.ContainsRune(f.Rule+f.Message+f.Target, 0) || f.Rule == "" || len(f.Rule) > 64 || len(f.Message) > 200 || len(f.Target) > 128 {
			t.Fatalf("can't be counted: %+v", f)
		}
	}
}
