package usage

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
	"github.com/sallyport/sallyport/proto/id"
)

const (
	testNode        = "node_test"
	testEnvironment = "env_test"
)

// bus stores each message once, as the control plane counts each number of a boot once, and can be told to fail.
type bus struct {
	mu       sync.Mutex
	messages map[string][]byte
	order    []*usagev1.Batch
	fail     func(attempt int) (store bool, err error)
	attempts int
}

func newBus() *bus { return &bus{messages: map[string][]byte{}} }

func (l *bus) Publish(_ context.Context, message string, data []byte) error {
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
		batch := new(usagev1.Batch)
		if err := proto.Unmarshal(data, batch); err != nil {
			return err //nolint:wrapcheck // a test's
		}
		l.messages[message] = bytes.Clone(data)
		l.order = append(l.order, batch)
	}
	return err
}

// clone is the bus as it is now.
func (l *bus) clone() *bus {
	c := newBus()
	c.order = append(c.order, l.order...)
	for message, data := range l.messages {
		c.messages[message] = data
	}
	return c
}

// sums are what a bus was told, each batch once.
type sums struct {
	tally

	requests uint64
	events   []*usagev1.Event
	dropped  uint64
}

func (l *bus) sums(t *testing.T) sums {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var s sums
	for _, batch := range l.order {
		for _, c := range batch.GetCounters() {
			key, counts, err := readCounter(c)
			if err != nil {
				t.Fatal(err)
			}
			s.count(key, counts)
			s.requests += counts.Requests
		}
		for _, c := range batch.GetCredentials() {
			key, counts, err := readCredential(c)
			if err != nil {
				t.Fatal(err)
			}
			s.use(key, counts)
		}
		s.events = append(s.events, batch.GetEvents()...)
		s.dropped += batch.GetEventsDropped()
	}
	return s
}

func config(t *testing.T, dir, boot string) Config {
	t.Helper()
	return Config{Dir: dir, Origin: Origin{Node: testNode, Environment: testEnvironment, Boot: boot}, Log: slog.New(slog.DiscardHandler)}
}

// request is the n-th of many that differ in all that is counted.
func request(n int) *Request {
	q := &Request{Record: spool.Record{
		TimeMs: 1_780_000_000_000 + int64(n)*7_000, Status: 200, Verdict: Allowed, RequestBytes: uint64(n % 100), ResponseBytes: 3, DurationUs: 5,
	}}
	q.Route, q.Consumer, q.Credential = id.ID{1, byte(n % 3)}, id.ID{2, byte(n % 5)}, id.ID{3, byte(n % 5)}
	if n%11 == 0 {
		q.Status, q.Verdict, q.Credential = 401, "credential_missing", id.ID{}
	}
	return q
}

// expect says where a bus wasn't told exactly of the first n requests.
func (s sums) expect(t *testing.T, n int) {
	t.Helper()
	var want tally
	for i := range n {
		want.record(&request(i).Record)
	}
	if s.requests != uint64(n) {
		t.Errorf("%d requests were counted, want %d", s.requests, n)
	}
	counters, credentials := s.maps()
	for _, e := range want.counters.all() {
		if counters[e.key] != e.counts {
			t.Fatalf("%+v: counted %+v, want %+v", e.key, counters[e.key], e.counts)
		}
	}
	for _, e := range want.credentials.all() {
		if credentials[e.key] != e.counts {
			t.Fatalf("%+v: counted %+v, want %+v", e.key, credentials[e.key], e.counts)
		}
	}
	if len(counters) != want.counters.len() || len(credentials) != want.credentials.len() {
		t.Errorf("%d counters and %d of credentials, want %d and %d", len(counters), len(credentials), want.counters.len(), want.credentials.len())
	}
}

// maps are a tally as it would be in any order.
func (t *tally) maps() (map[Key]Counts, map[CredentialKey]CredentialCounts) {
	counters, credentials := map[Key]Counts{}, map[CredentialKey]CredentialCounts{}
	for _, e := range t.counters.all() {
		counters[e.key] = e.counts
	}
	for _, e := range t.credentials.all() {
		credentials[e.key] = e.counts
	}
	return counters, credentials
}

func record(r *Recorder, n int) {
	var wg sync.WaitGroup
	for on := range uint32(8) {
		wg.Go(func() {
			for i := range n / 8 {
				r.Record(on, request(i))
			}
		})
	}
	wg.Wait()
}

func TestEveryRequestIsCountedOnceThoughTheBusFailsOrForgetsToAnswer(t *testing.T) {
	for name, dir := range map[string]string{"in memory": "", "on the disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newBus()
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
				ledger := Open(config(t, dir, "boot"))
				sender := NewSender(ledger, bus, slog.New(slog.DiscardHandler))
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- sender.Run(ctx, time.Minute) }()
				for range 5 {
					record(ledger.Recorder(), 8000)
					time.Sleep(1500 * time.Millisecond)
				}
				stop()
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				if got := bus.sums(t).requests; got != 40000 {
					t.Errorf("the bus holds %d requests, want 40000", got)
				}
				for i, batch := range bus.order {
					if batch.GetNumber() != uint64(i+1) {
						t.Fatalf("batch %d has the number %d", i+1, batch.GetNumber())
					}
				}
			})
		})
	}
}

func TestWhatIsNotTakenBeforeTheEndIsAnErrorUnlessTheDiskHasIt(t *testing.T) {
	for name, test := range map[string]struct {
		dir  string
		lost bool
	}{"in memory": {"", true}, "on the disk": {t.TempDir(), false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := newBus()
				bus.fail = func(int) (bool, error) { return false, errors.New("away") }
				ledger := Open(config(t, test.dir, "boot"))
				record(ledger.Recorder(), 8)
				ctx, stop := context.WithCancel(t.Context())
				stop()
				if err := NewSender(ledger, bus, slog.New(slog.DiscardHandler)).Run(ctx, time.Second); (err != nil) != test.lost {
					t.Errorf("the end was %v; lost: %v", err, test.lost)
				}
			})
		})
	}
}

func TestABatchFitsTheBusHoweverMuchWaits(t *testing.T) {
	ledger := Open(config(t, "", "boot"))
	const counters = 9_000
	for n := range counters {
		q := request(1)
		q.Consumer, q.Credential = id.ID{byte(n), byte(n >> 8), 1}, id.ID{byte(n), byte(n >> 8), 2}
		q.Path = string(bytes.Repeat([]byte("x"), 2*maxText))
		ledger.Recorder().Record(0, q)
		if n%100 == 0 {
			ledger.keep()
		}
	}
	ledger.keep()
	bus := newBus()
	if !NewSender(ledger, bus, slog.New(slog.DiscardHandler)).round(t.Context()) {
		t.Fatal("the bus took all, and something is left")
	}
	for _, data := range bus.messages {
		if len(data) > batchBytes+maxText {
			t.Errorf("a batch has %d bytes, want %d at most", len(data), batchBytes)
		}
	}
	if got := bus.sums(t); got.requests != counters || got.credentials.len() != counters {
		t.Errorf("the bus was told of %d requests and %d credentials, want %d of both", got.requests, got.credentials.len(), counters)
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, dir := range map[string]string{"memory": "", "ring": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			ledger := Open(Config{Dir: dir, Origin: Origin{Boot: "boot"}, Log: slog.New(slog.DiscardHandler)})
			defer func() { _ = ledger.close() }()
			q := request(1)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				ledger.recorder.Record(1, q)
				if ledger.ring != nil && n%512 == 0 {
					b.StopTimer()
					ledger.ring.Release(ledger.ring.Drain(nil, func(*spool.Record) {}))
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkKeep is the keeper's price of one request: draining, adding up, and the journal.
func BenchmarkKeep(b *testing.B) {
	ledger := Open(Config{Dir: b.TempDir(), Origin: Origin{Boot: "boot"}, Log: slog.New(slog.DiscardHandler)})
	defer func() { _ = ledger.close() }()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		ledger.recorder.Record(uint32(n/512), request(n%2000))
		if n%5000 == 0 {
			ledger.keep()
		}
	}
}

// BenchmarkBatch is the price of making a batch of 4,000 counters, and of dropping it.
func BenchmarkBatch(b *testing.B) {
	ledger := Open(Config{Dir: b.TempDir(), Origin: Origin{Boot: "boot"}, Log: slog.New(slog.DiscardHandler)})
	defer func() { _ = ledger.close() }()
	for b.Loop() {
		b.StopTimer()
		for n := range 4000 {
			q := request(n)
			q.Consumer = id.ID{byte(n), byte(n >> 8)}
			ledger.recorder.Record(uint32(n), q)
		}
		ledger.keep()
		b.StartTimer()
		for ledger.current.next() != nil {
			ledger.current.stored()
		}
	}
}
