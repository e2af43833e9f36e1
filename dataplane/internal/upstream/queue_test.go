package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

// gated is a service that answers when it is let.
type gated struct {
	gate    chan struct{}
	busy    atomic.Int32
	most    atomic.Int32
	address string
}

func newGated(t *testing.T) *gated {
	t.Helper()
	g := &gated{gate: make(chan struct{}, 1000)}
	g.address = service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		for take(from) {
			now := g.busy.Add(1)
			for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
			}
			select {
			case <-g.gate:
			case <-t.Context().Done():
			}
			g.busy.Add(-1)
			_, _ = io.WriteString(conn, ok("fine"))
		}
	})
	return g
}

func (g *gated) limited(most, queue int, patience time.Duration) snapshot.Spec {
	s := spec(snapshot.Target{Address: g.address, Weight: 1})
	s.Connections = snapshot.Connections{MaxPerTarget: most, Queue: queue, QueueTimeout: patience}
	return s
}

func TestConnectionsToATargetAreBoundedAndSoAreThoseWhoWait(t *testing.T) {
	g := newGated(t)
	pool := one(t, g.limited(2, 3, patience))
	target := pool.members[0].target
	done := make(chan string, 10)
	for range 5 {
		go func() { done <- answer(pool, request(t.Context(), "/")) }()
	}
	eventually(t, "two are asked and three wait", func() bool { return g.busy.Load() == 2 && target.waiting.Load() == 3 })
	wantAnswer(t, pool, request(t.Context(), "/"), string(problem.UpstreamBusy))
	if full := target.counts.queueFull.Load(); full != 1 {
		t.Errorf("%d are counted as refused", full)
	}
	for range 5 {
		g.gate <- struct{}{}
	}
	for range 5 {
		if got := <-done; got != "200 fine" {
			t.Errorf("got %q", got)
		}
	}
	if most := g.most.Load(); most > 2 {
		t.Errorf("%d were asked at a time", most)
	}
}

func TestWhoWaitsTooLongIsTurnedAway(t *testing.T) {
	g := newGated(t)
	pool := one(t, g.limited(1, 10, 20*time.Millisecond))
	first := make(chan string)
	go func() { first <- answer(pool, request(t.Context(), "/")) }()
	eventually(t, "the target is busy", func() bool { return g.busy.Load() == 1 })
	wantAnswer(t, pool, request(t.Context(), "/"), string(problem.UpstreamBusy))
	g.gate <- struct{}{}
	if got := <-first; got != "200 fine" {
		t.Errorf("got %q", got)
	}
	if waiting := pool.members[0].target.waiting.Load(); waiting != 0 {
		t.Errorf("%d still wait", waiting)
	}
}

func TestWhoseClientGoesLeavesTheQueue(t *testing.T) {
	g := newGated(t)
	pool := one(t, g.limited(1, 10, patience))
	target := pool.members[0].target
	done := make(chan string, 2)
	go func() { done <- answer(pool, request(t.Context(), "/")) }()
	eventually(t, "the target is busy", func() bool { return g.busy.Load() == 1 })
	gone, leave := context.WithCancel(t.Context())
	go func() { done <- answer(pool, request(gone, "/")) }()
	eventually(t, "one waits", func() bool { return target.waiting.Load() == 1 })
	leave()
	if got := <-done; got != string(problem.ClientGone) {
		t.Errorf("got %q", got)
	}
	if waiting := target.waiting.Load(); waiting != 0 {
		t.Errorf("%d still wait", waiting)
	}
	g.gate <- struct{}{}
	if got := <-done; got != "200 fine" {
		t.Errorf("got %q", got)
	}
}

// However they come and go: nobody waits beside a free connection, and none is lost.
func TestNobodyIsForgottenInTheQueue(t *testing.T) {
	pool := one(t, func() snapshot.Spec {
		s := spec(snapshot.Target{Address: service(t, func(number int, conn net.Conn, from *bufio.Reader) {
			for n := 0; take(from); n++ {
				if n == 7 { // it is asked for another connection now and then
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
					return
				}
				_, _ = io.WriteString(conn, ok("x"))
			}
		}), Weight: 1})
		s.Connections = snapshot.Connections{MaxPerTarget: 3, Queue: 100, QueueTimeout: patience}
		return s
	}())
	var running sync.WaitGroup
	for range 32 {
		running.Go(func() {
			for range 100 {
				if got := answer(pool, request(t.Context(), "/")); got != "200 x" {
					t.Errorf("got %q", got)
					return
				}
			}
		})
	}
	running.Wait()
	target := pool.members[0].target
	if open := target.open.Load(); open > 3 || open != target.idle() {
		t.Errorf("%d connections are open, %d idle", open, target.idle())
	}
}
