package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

func weighted(weights ...uint32) (all []snapshot.Target) {
	for i, w := range weights {
		all = append(all, snapshot.Target{Address: fmt.Sprintf("127.0.0.1:%d", i+1), Weight: w})
	}
	return all
}

func TestTargetsTakeTurnsByWeight(t *testing.T) {
	for _, weights := range [][]uint32{{1, 1}, {3, 1}, {1, 1, 1}, {5, 1, 1}, {1000, 1}, {1, 2, 3, 4, 0}} {
		pool := one(t, spec(weighted(weights...)...))
		total, rounds := 0, 200
		for _, w := range weights {
			total += int(w)
		}
		chosen := map[string]int{}
		for n := 1; n <= total*rounds; n++ {
			chosen[pool.picker.pick(0, time.Time{}).target.key.address]++
			// At no time is a target ahead of or behind its share by more than a few requests: they don't come in bunches.
			for i, w := range weights {
				share := float64(n) * float64(w) / float64(total)
				if got := float64(chosen[fmt.Sprintf("127.0.0.1:%d", i+1)]); got > share+4 || got < share-4 {
					t.Fatalf("weights %v: after %d requests target %d has %v, its share is %.1f", weights, n, i, got, share)
				}
			}
		}
	}
	if m := one(t, spec(weighted(0)...)).picker.pick(0, time.Time{}); m != nil {
		t.Error("a target without weight was chosen")
	}
	wantAnswer(t, one(t, spec(weighted(0)...)), request(t.Context(), "/"), string(problem.UpstreamUnreachable))
}

func TestTheLessBusyOfTwoIsChosen(t *testing.T) {
	s := spec(weighted(1, 1, 2)...)
	s.Balancing = snapshot.LeastRequests
	pool := one(t, s)
	for n := range 400 { // whoever is chosen stays busy
		m := pool.picker.pick(0, time.Time{})
		m.target.open.Add(1)
		_ = n
	}
	var busy [3]int64
	for i := range busy {
		busy[i] = pool.members[i].target.open.Load()
	}
	if busy[0] < 90 || busy[1] < 90 || busy[2] < 190 {
		t.Errorf("busy with %v requests, want about 100, 100 and 200", busy)
	}
}

// status is a service that answers with a status that the test changes.
func status(t *testing.T, say func() string) string {
	t.Helper()
	return service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		for take(from) {
			_, _ = io.WriteString(conn, say())
		}
	})
}

const unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

func ejecting(targets ...snapshot.Target) snapshot.Spec {
	s := spec(targets...)
	s.Ejection = snapshot.Ejection{ConsecutiveFailures: 3, BaseTime: time.Hour, MaxPercent: 50}
	return s
}

func TestATargetThatFailsAgainAndAgainIsLeftOut(t *testing.T) {
	nobody := func() string {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		return listener.Addr().String()
	}()
	for name, bad := range map[string]string{
		"nobody is there": nobody, "it leaves": talker(t, ""), "it says nonsense": talker(t, "nonsense\r\n\r\n"),
		"it says that it can't": status(t, func() string { return unavailable }), "it leaves inside the head": talker(t, "HTTP/1.1 200 OK\r\nConte"),
		"it leaves inside the body":   talker(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood"),
		"it is reset inside the body": resetting(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ngood"),
		"it is reset inside the head": resetting(t, "HTTP/1.1 200 OK\r\nConte"),
		"its chunks are none":         talker(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\nx\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			good := status(t, func() string { return ok("good") })
			pool := one(t, ejecting(snapshot.Target{Address: bad, Weight: 1}, snapshot.Target{Address: good, Weight: 1}))
			failed := 0
			for range 100 {
				if answer(pool, request(t.Context(), "/")) != "200 good" {
					failed++
				}
			}
			if failed != 3 {
				t.Errorf("%d requests failed, want the 3 that it took", failed)
			}
			if s := pool.registry.Stats(); s[0].Ejected+s[1].Ejected != 1 || s[0].Ejections+s[1].Ejections != 1 {
				t.Errorf("told: %+v", s)
			}
		})
	}
}

// An answer that the client gives up, or whose upload fails while it is read, breaks off by our own hand.
func TestATargetIsNotBlamedForWhatTheGatewayCutsItself(t *testing.T) {
	half := service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		if _, err := http.ReadRequest(from); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			_, _ = io.Copy(io.Discard, from)
		}
	})
	for name, breaks := range map[string]func(pool *Pool) *pipeline.Exchange{
		"the client goes": func(pool *Pool) *pipeline.Exchange {
			ex := request(t.Context(), "/")
			if err := pool.Send(ex); err != nil {
				t.Fatal(err)
			}
			ex.Abort.Because(pipeline.ErrGone)
			return ex
		},
		"its upload fails": func(pool *Pool) *pipeline.Exchange {
			body, client := newPipe()
			ex := post(t, 100<<10, body)
			if err := pool.Send(ex); err != nil {
				t.Fatal(err)
			}
			_ = client.CloseWithError(&pipeline.Rejection{Code: problem.BadRequest, Reason: "malformed"})
			return ex
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool := one(t, ejecting(snapshot.Target{Address: half, Weight: 1}))
			ex := breaks(pool)
			if _, err := io.ReadAll(ex.Response.Body); err == nil {
				t.Error("half an answer is whole")
			}
			_ = ex.Response.Body.Close()
			if failures := pool.members[0].target.health.failures.Load(); failures != 0 {
				t.Errorf("the target is blamed for %d failures", failures)
			}
		})
	}
}

func TestAGoodAnswerForgivesWhatFailedBefore(t *testing.T) {
	var n atomic.Int32
	flaky := status(t, func() string {
		if n.Add(1)%3 == 0 {
			return ok("good")
		}
		return unavailable
	})
	pool := one(t, ejecting(snapshot.Target{Address: flaky, Weight: 1}, snapshot.Target{Address: talker(t, ok("x")), Weight: 1}))
	for range 100 {
		answer(pool, request(t.Context(), "/"))
	}
	if ejections := pool.members[0].target.counts.ejections.Load(); ejections != 0 {
		t.Errorf("ejected %d times, though no 3 failures came one behind the other", ejections)
	}
}

func TestNeverAreTooManyLeftOut(t *testing.T) {
	bad := func() string { return status(t, func() string { return unavailable }) }
	for _, tt := range []struct{ targets, percent, want int }{{1, 50, 0}, {1, 99, 0}, {2, 50, 1}, {3, 50, 1}, {4, 50, 2}, {4, 100, 4}, {4, 0, 0}, {4, 24, 0}} {
		var targets []snapshot.Target
		for range tt.targets {
			targets = append(targets, snapshot.Target{Address: bad(), Weight: 1})
		}
		s := ejecting(targets...)
		s.Ejection.MaxPercent = uint32(tt.percent)
		pool := one(t, s)
		for range 100 {
			wantAnswer(t, pool, request(t.Context(), "/"), "503 ") // somebody is asked all the same
		}
		out := 0
		for i := range pool.members {
			if !pool.members[i].target.health.available(pool.registry.cfg.Sweeper.Now()) {
				out++
			}
		}
		if out != tt.want {
			t.Errorf("%d targets, at most %d %%: %d are left out, want %d", tt.targets, tt.percent, out, tt.want)
		}
	}
}

func TestALeftOutTargetComesBackAndStaysOutLongerEachTime(t *testing.T) {
	pool := one(t, ejecting(weighted(1, 1)...))
	target, rule := pool.members[0].target, pool.spec.Ejection
	pool.spec.Ejection.BaseTime = 100 * time.Millisecond
	h := &target.health
	clock := pool.registry.cfg.Sweeper
	leftOut := func(length time.Duration, fail func()) {
		t.Helper()
		before := clock.Now()
		fail()
		after := clock.Now() // it may have been any time until here
		if h.available(before.Add(length-1)) || !h.available(after.Add(length)) {
			t.Errorf("not left out for %s", length)
		}
	}
	leftOut(pool.spec.Ejection.BaseTime, func() {
		for range rule.ConsecutiveFailures {
			h.failed(pool, target)
		}
	})
	eventually(t, "it is back", func() bool { return h.available(clock.Now()) })
	leftOut(2*pool.spec.Ejection.BaseTime, func() { h.failed(pool, target) }) // once is enough now
	eventually(t, "it is back again", func() bool { return h.available(clock.Now()) })
	h.answered(200)
	if h.times.Load() != 0 || h.failures.Load() != 0 {
		t.Error("it did good, and isn't forgiven")
	}
}
