package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// slowOfEach is how many slow clients of each kind there are.
	slowOfEach = 1000
	// slowBound is how long all slow clients are waited for; each of their deadlines is two or three seconds.
	slowBound = 2 * time.Minute
	// slowWindow bounds, in bytes, what the machine takes for a client that doesn't read.
	slowWindow = 4 << 10
	// slowBytes is how much memory the edge may take more for all slow clients at once: some 75 KB for each, the service's side included.
	slowBytes = 512 << 20
	large     = 2 << 20
)

const residentMetric, goroutinesMetric = "process_resident_memory_bytes", "go_goroutines"

// slowClients has an environment whose clients may take their time for seconds only.
func slowClients(t *testing.T, connections map[string]any) (*harness.Story, harness.Protected, *harness.Edge) {
	t.Helper()
	s := product.OwnStory(t, 1, harness.Loopback)
	s.Settings(map[string]any{"connections": connections})
	answer := []byte(strings.Repeat("large ", large/6))
	p := s.Protected(harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			_, _ = w.Write(answer)
			return
		}
		_, _ = fmt.Fprint(w, "ok")
	})).Address)
	return s, p, s.Edges()[0]
}

// drip sends a piece again and again, far too slowly, until the connection is ended by the other side.
func drip(ctx context.Context, w *harness.Wire, piece string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.Say(piece) != nil {
				return
			}
		}
	}
}

// A thousand slow clients of each kind hold nobody else up, are each ended by their deadline, and leave nothing behind.
func TestSlowClientsHoldNobodyUpAndAreEnded(t *testing.T) {
	s, p, edge := slowClients(t, map[string]any{
		"head_timeout": "2s", "idle_timeout": "2s", "body_stall": "2s", "body_rate": 100, "write_stall": "3s",
	})
	request := func(target, more string) string {
		return target + " HTTP/1.1\r\nHost: " + s.Host + "\r\nX-Api-Key: " + p.Key.Key + "\r\n" + more
	}
	// "as long as" says what a client goes on with, "" for nothing.
	kinds := []struct {
		name, says, goesOn string
		reads              bool
	}{
		{"says nothing", "", "", true},
		{"sends its head byte by byte", request("GET /", "X-Slow: "), "x", true},
		{"stops inside its head", request("GET /", "X-Slow: "), "", true},
		{"stops inside its body", request("POST /", "Content-Length: 100000\r\n\r\nbegins"), "", true},
		{"sends its body byte by byte", request("POST /", "Content-Length: 100000\r\n\r\nbegins"), "x", true},
		{"idles", request("GET /", "\r\n"), "", true},
		{"takes nothing of its answer", request("GET /large", "\r\n"), "", false},
	}
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	before := s.Metrics(edge)
	others := ask(t, s, edge, p.Key.Key)
	ctx, end := context.WithTimeout(t.Context(), slowBound)
	defer end()
	var all sync.WaitGroup
	var most atomic.Int64
	watching, seen := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watchMemory(watching, edge, &most)
	}()
	for _, kind := range kinds {
		var begun, ended, last atomic.Int64
		from := time.Now()
		for range slowOfEach {
			all.Go(func() {
				w, err := edge.Dial(ctx, slowWindow)
				if err != nil {
					t.Errorf("one that %s: %v", kind.name, err)
					return
				}
				defer w.Close()
				if w.Say(kind.says) != nil {
					return
				}
				begun.Add(1)
				going, stop := context.WithCancel(ctx)
				defer stop()
				if kind.goesOn != "" {
					go drip(going, w, kind.goesOn)
				}
				if kind.reads {
					_, err = w.AwaitEnd()
				} else {
					err = abandoned(ctx, w)
				}
				if err != nil {
					t.Errorf("one that %s: %v", kind.name, err)
					return
				}
				ended.Add(1)
				last.Store(max(last.Load(), int64(time.Since(from))))
			})
		}
		t.Cleanup(func() {
			t.Logf("the last that %s was ended after %s", kind.name, time.Duration(last.Load()))
			if begun.Load() != slowOfEach || ended.Load() != slowOfEach {
				t.Errorf("of those that %s %d began and %d were ended, want all %d", kind.name, begun.Load(), ended.Load(), slowOfEach)
			}
		})
	}
	all.Wait()
	seen()
	<-watched
	others.stop(t)
	grown := most.Load() - int64(before.Sum(residentMetric))
	t.Logf("%d slow clients took %d KB at the most; others got %s", len(kinds)*slowOfEach, grown>>10, others.figures())
	if grown > slowBytes {
		t.Errorf("the edge grew by %d MB, want at most %d", grown>>20, slowBytes>>20)
	}
	leavesNothing(t, edge, before)
}

// abandoned returns once the edge has given the client up that reads nothing: what it sends then isn't taken any more.
func abandoned(ctx context.Context, w *harness.Wire) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody gives it up: %w", ctx.Err())
		case <-tick.C:
			err := w.Say("x")
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return errors.New("nobody gives it up") //nolint:err113 // for the test's log
			}
			if err != nil {
				return nil
			}
		}
	}
}

// watchMemory notes the most memory that an edge has.
func watchMemory(ctx context.Context, edge *harness.Edge, most *atomic.Int64) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if metrics, err := edge.Metrics(ctx); err == nil {
			most.Store(max(most.Load(), int64(metrics.Sum(residentMetric))))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// leavesNothing returns once the edge has hardly more goroutines than before: each connection has one.
func leavesNothing(t *testing.T, edge *harness.Edge, before harness.Metrics) {
	t.Helper()
	const slack = 50
	harness.Eventually(t, slowBound, func() error {
		now, err := edge.Metrics(t.Context())
		if err != nil {
			return err
		}
		if is, was := now.Sum(goroutinesMetric), before.Sum(goroutinesMetric); is > was+slack {
			return fmt.Errorf("%v goroutines are left, before there were %v", is, was) //nolint:err113 // for the test's log
		}
		return nil
	})
}

// asking is clients that behave, and how long they waited.
type asking struct {
	end  context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	took   []time.Duration
	failed []string
}

// ask lets a few clients ask an edge again and again, each on its own connection.
func ask(t *testing.T, s *harness.Story, edge *harness.Edge, key string) *asking {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	a := &asking{end: end}
	for range 4 {
		a.done.Go(func() {
			for ctx.Err() == nil {
				begun := time.Now()
				answer, err := edge.Do(context.WithoutCancel(ctx), harness.Request{Path: "/", Host: s.Host, Header: harness.WithKey(key)})
				a.note(time.Since(begun), answer, err)
			}
		})
	}
	t.Cleanup(end)
	return a
}

func (a *asking) note(took time.Duration, answer harness.Response, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, took)
	if (err != nil || answer.Status != http.StatusOK) && len(a.failed) < 10 {
		a.failed = append(a.failed, fmt.Sprint(answer, err))
	}
}

// stop ends them, and fails the test if any of their requests failed.
func (a *asking) stop(t *testing.T) {
	t.Helper()
	a.end()
	a.done.Wait()
	if len(a.failed) > 0 {
		t.Errorf("requests of others failed: %s", strings.Join(a.failed, "; "))
	}
	if len(a.took) < 100 {
		t.Errorf("others were answered %d times only", len(a.took))
	}
}

func (a *asking) figures() string {
	slices.Sort(a.took)
	at := func(share float64) time.Duration { return a.took[int(share*float64(len(a.took)-1))] }
	return fmt.Sprintf("%d answers, p50 %s, p99 %s, at most %s", len(a.took), at(.5), at(.99), at(1))
}

var errNoneServed = errors.New("no connection is served though all were closed")

// What one address may have open, nobody else can take away from the others of it, and it gets it back.
func TestConnectionsOfOneAddressAndAllTogetherAreBounded(t *testing.T) {
	for name, bound := range map[string]string{"of one address": "max_connections_per_address", "all together": "max_connections"} {
		t.Run(name, func(t *testing.T) {
			const most = 20
			s, p, edge := slowClients(t, map[string]any{bound: most})
			served := func(w *harness.Wire) bool {
				if w.Say("GET / HTTP/1.1\r\nHost: "+s.Host+"\r\nX-Api-Key: "+p.Key.Key+"\r\n\r\n") != nil {
					return false
				}
				answer, err := w.Answer(http.MethodGet)
				return err == nil && answer.Status == http.StatusOK
			}
			var open []*harness.Wire
			harness.Eventually(t, slowBound, func() error { // those of the story's own client may be open still
				w, err := edge.Dial(t.Context(), 0)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = w.Close() })
				if !served(w) {
					return nil
				}
				if open = append(open, w); len(open) > most {
					t.Fatalf("%d connections are open, %d may be", len(open), most)
				}
				return fmt.Errorf("%d connections are served", len(open)) //nolint:err113 // for the test's log
			})
			if len(open) < most/2 {
				t.Fatalf("%d connections are open, %d may be", len(open), most)
			}
			for _, w := range open { // they serve on
				if !served(w) {
					t.Error("one of the first isn't served any more")
				}
			}
			for _, w := range open {
				_ = w.Close()
			}
			harness.Eventually(t, slowBound, func() error {
				w, err := edge.Dial(t.Context(), 0)
				if err != nil {
					return err
				}
				defer w.Close()
				if !served(w) {
					return errNoneServed
				}
				return nil
			})
		})
	}
}
