package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// clients ask each edge at the same time, each at an interval.
	clients       = 3
	clientsPause  = 4 * time.Millisecond
	progressBound = time.Minute
)

// traffic is requests to one edge that its policies allow: every one must be answered with 200.
type traffic struct {
	edge     *harness.Edge
	answered atomic.Int64
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	failed []string
}

// run asks an edge until stopped.
func run(t *testing.T, s *harness.Story, edge *harness.Edge, key string) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &traffic{edge: edge, stop: stop}
	for range clients {
		w.running.Go(func() { w.ask(ctx, s.Host, key) })
	}
	t.Cleanup(w.end)
	return w
}

// ask sends one request after the other. One that has begun is always answered: stopping is between requests.
func (w *traffic) ask(ctx context.Context, host, key string) {
	tick := time.NewTicker(clientsPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		answer, err := w.edge.Do(context.WithoutCancel(ctx), harness.Request{Path: "/orders/7", Host: host, Header: harness.WithKey(key)})
		if err == nil {
			w.answered.Add(1)
		}
		if err != nil || answer.Status != http.StatusOK {
			w.fail(fmt.Sprintf("%v %s", err, answer))
		}
	}
}

func (w *traffic) fail(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = append(w.failed, what)
}

// progress returns once this many more requests were answered.
func (w *traffic) progress(t *testing.T, more int64) {
	t.Helper()
	want := w.answered.Load() + more
	harness.Eventually(t, progressBound, func() error {
		if got := w.answered.Load(); got < want {
			return fmt.Errorf("%s has answered %d requests, %d are waited for", w.edge.Name, got, want)
		}
		return nil
	})
}

// end stops asking, and returns once the last answer is there.
func (w *traffic) end() {
	w.stop()
	w.running.Wait()
}

// check fails the test when any request failed.
func (w *traffic) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failed) > 0 {
		t.Errorf("%d of %d requests to %s failed, first: %s", len(w.failed), w.answered.Load(), w.edge.Name, w.failed[0])
	}
}
