package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestWhatTakesTooLongIsGivenUp(t *testing.T) {
	const short = 20 * time.Millisecond
	const enough = time.Second // for a head to come first, on a slow machine too
	hang := func(say string) func(*testing.T) string {
		return func(t *testing.T) string {
			t.Helper()
			return service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
				if _, err := http.ReadRequest(from); err != nil {
					return
				}
				_, _ = io.WriteString(conn, say)
				_, _ = io.Copy(io.Discard, from)
			})
		}
	}
	dribble := func(t *testing.T) string {
		t.Helper()
		return service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
			take(from)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nA: ")
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(conn, "a"); err != nil {
					return
				}
			}
		})
	}
	const timeout = string(problem.UpstreamTimeout)
	tests := map[string]struct {
		target func(*testing.T) string
		limit  func(*snapshot.Spec)
		want   string
	}{
		"no answer":                  {hang(""), func(s *snapshot.Spec) { s.ResponseHead = short }, timeout},
		"half a head":                {hang("HTTP/1.1 200 OK\r\nA"), func(s *snapshot.Spec) { s.ResponseHead = short }, timeout},
		"a head that never ends":     {dribble, func(s *snapshot.Spec) { s.ResponseHead = short }, timeout},
		"interim answers alone":      {hang("HTTP/1.1 103 Early Hints\r\n\r\n"), func(s *snapshot.Spec) { s.ResponseHead = short }, timeout},
		"no answer in a try's time":  {hang(""), func(s *snapshot.Spec) { s.Try = short }, timeout},
		"no answer in all the time":  {hang(""), func(s *snapshot.Spec) { s.Request = short }, timeout},
		"half an answer in a try":    {hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), func(s *snapshot.Spec) { s.Try = enough }, "200 half!"},
		"half an answer in the time": {hang("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), func(s *snapshot.Spec) { s.Request = enough }, "200 half!"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec(snapshot.Target{Address: tt.target(t), Weight: 1})
			tt.limit(&s)
			ex := request(t.Context(), "/")
			ex.Asked = time.Now()
			wantAnswer(t, one(t, s), ex, tt.want)
		})
	}
}

// A target isn't hurried while the client itself takes its time to send what it has to answer.
func TestTheTimeForTheHeadBeginsWhenTheTargetHasAll(t *testing.T) {
	t.Parallel()
	s := spec(snapshot.Target{Address: service(t, echo), Weight: 1})
	s.ResponseHead = time.Second // enough for the target on a slow machine
	pool := one(t, s)
	body, write := newPipe()
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for range 15 { // three times as long
			<-tick.C
			_, _ = io.WriteString(write, "x")
		}
		_ = write.Close()
	}()
	wantAnswer(t, pool, post(t, -1, body), "200 chunked||"+strings.Repeat("x", 15))

	// And it does begin then.
	release := make(chan struct{})
	defer close(release)
	s.Targets[0].Address = service(t, func(_ int, _ net.Conn, from *bufio.Reader) { take(from); <-release })
	wantAnswer(t, one(t, s), post(t, -1, strings.NewReader("all")), string(problem.UpstreamTimeout))
}

// Whatever an exchange waits for, its client's going ends it.
func TestAnExchangeEndsWithItsClient(t *testing.T) {
	hang := service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		if r.URL.Path == "/half" {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
		}
		_, _ = io.Copy(io.Discard, from)
	})
	pool := at(t, hang)
	gone, leave := context.WithCancel(t.Context())
	leave()
	wantAnswer(t, pool, request(gone, "/"), string(problem.ClientGone))

	gone, leave = context.WithCancel(t.Context())
	done := make(chan string)
	go func() { done <- answer(pool, request(gone, "/")) }()
	go func() { done <- answer(pool, request(gone, "/half")) }()
	eventually(t, "both are asked", func() bool { return pool.members[0].target.counts.opened.Load() == 2 })
	leave()
	first, second := <-done, <-done
	if first != string(problem.ClientGone) {
		first, second = second, first
	}
	if first != string(problem.ClientGone) || second != "200 half!" && second != string(problem.ClientGone) {
		t.Errorf("got %q and %q", first, second)
	}
	if open := pool.members[0].target.open.Load(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}
