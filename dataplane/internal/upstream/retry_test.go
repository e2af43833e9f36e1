package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/proto/problem"
)

// reset ends a connection by RST.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// resetting answers each connection's first request with these bytes, then resets it.
func resetting(t *testing.T, answer string) string {
	t.Helper()
	return service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		if take(from) {
			_, _ = io.WriteString(conn, answer)
			reset(conn)
		}
	})
}

// inspected returns a body that stages have read whole.
func inspected(t *testing.T, length int64) io.Reader {
	t.Helper()
	b := payload.New(nil, strings.NewReader(strings.Repeat("x", int(length))), length)
	if err := b.Read(length); err != nil || !b.Whole() {
		t.Fatal(err)
	}
	return b.Forward()
}

// A reused connection that dies under a request: it is sent again, once, if that is safe.
func TestWhatDiesOnAReusedConnectionIsSentAgainIfThatIsSafe(t *testing.T) {
	const unreachable = string(problem.UpstreamUnreachable)
	body := func() io.Reader { return &inMemory{data: []byte("body")} }
	large := func() io.Reader { return &inMemory{data: []byte(strings.Repeat("x", 10<<10))} }
	tests := map[string]struct {
		method string
		length int64
		body   func() io.Reader
		die    func(net.Conn)
		want   string
	}{
		"GET":                            {method: "GET", want: "200 2"},
		"GET, reset":                     {method: "GET", die: reset, want: "200 2"},
		"HEAD":                           {method: "HEAD", want: "200 "},
		"DELETE":                         {method: "DELETE", want: "200 2"},
		"PUT with its body in memory":    {method: "PUT", length: 4, body: body, want: "200 2"},
		"PUT with a larger body":         {method: "PUT", length: 10 << 10, body: large, want: "200 2"},
		"PUT read in":                    {method: "PUT", length: 4, body: func() io.Reader { return strings.NewReader("body") }, want: "200 2"},
		"PUT that was inspected":         {method: "PUT", length: 4, body: func() io.Reader { return inspected(t, 4) }, want: "200 2"},
		"PUT, large, that was inspected": {method: "PUT", length: 40 << 10, body: func() io.Reader { return inspected(t, 40<<10) }, want: "200 2"},
		"PUT whose body is gone":         {method: "PUT", length: -1, body: func() io.Reader { return strings.NewReader("body") }, want: unreachable},
		"POST":                           {method: "POST", length: 4, body: body, want: unreachable},
		"POST without body":              {method: "POST", want: unreachable},
		"a method that nobody knows":     {method: "PURGE", want: unreachable},
		"GET, after a byte of answer":    {method: "GET", die: func(c net.Conn) { _, _ = io.WriteString(c, "H") }, want: string(problem.UpstreamInvalidResponse)},
		"GET, reset inside the head":     {method: "GET", die: func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConte"); reset(c) }, want: string(problem.UpstreamInvalidResponse)},
		"GET, after an interim answer":   {method: "GET", die: func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") }, want: unreachable},
		"GET, inside the answer's body":  {method: "GET", die: func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal") }, want: "200 hal!"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
				if number > 1 {
					serving(number, conn, from)
					return
				}
				take(from)
				_, _ = io.WriteString(conn, ok("first"))
				if r, err := http.ReadRequest(from); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					asked.Add(1)
					if tt.die != nil {
						tt.die(conn)
					}
				}
			}))
			wantAnswer(t, pool, request(t.Context(), "/"), "200 first")
			ex := request(t.Context(), "/")
			ex.Request.Method, ex.Request.ContentLength = tt.method, tt.length
			if tt.body != nil {
				ex.Request.Body = tt.body()
			}
			wantAnswer(t, pool, ex, tt.want)
			if asked.Load() != 1 {
				t.Errorf("asked %d times on the connection that died", asked.Load())
			}
		})
	}
}

// Nobody is asked three times: what dies on a new connection as well stays dead.
func TestARequestIsSentAgainOnceAtMost(t *testing.T) {
	var asked atomic.Int32
	pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
		if number == 1 {
			take(from)
			_, _ = io.WriteString(conn, ok("first"))
		}
		if take(from) {
			asked.Add(1)
		}
	}))
	wantAnswer(t, pool, request(t.Context(), "/"), "200 first")
	wantAnswer(t, pool, request(t.Context(), "/"), string(problem.UpstreamUnreachable))
	if asked.Load() != 2 {
		t.Errorf("asked %d times, want 2", asked.Load())
	}
	// And what fails on a connection that is new isn't tried again at all.
	asked.Store(0)
	wantAnswer(t, pool, request(t.Context(), "/"), string(problem.UpstreamUnreachable))
	if asked.Load() != 1 {
		t.Errorf("asked %d times on a new connection, want once", asked.Load())
	}
}

// A target that ends connections while they idle, as servers do, fails no request: not even one that must not be sent twice.
func TestAConnectionThatEndedWhileIdleFailsNoRequest(t *testing.T) {
	for name, end := range map[string]func(net.Conn){"closed": func(c net.Conn) { _ = c.Close() }, "reset": reset} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{}, 100)
			pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
				if take(from) {
					_, _ = io.WriteString(conn, ok("one"))
				}
				if take(from) {
					_, _ = io.WriteString(conn, ok("two"))
				}
				end(conn)
				ended <- struct{}{}
			}))
			wantAnswer(t, pool, post(t, 4, strings.NewReader("body")), "200 one")
			for range 20 {
				wantAnswer(t, pool, post(t, 4, strings.NewReader("body")), "200 two")
				<-ended
				wantAnswer(t, pool, post(t, 4, strings.NewReader("body")), "200 one")
			}
			if found := pool.members[0].target.counts.foundDead.Load(); found != 20 {
				t.Errorf("%d connections were found dead, want 20", found)
			}
		})
	}
}

// A server that went away and came back leaves many dead connections behind: they are not tried one by one.
func TestManyDeadConnectionsFailNoRequest(t *testing.T) {
	const many = 30
	gate, end := make(chan struct{}), make(chan struct{})
	var waiting atomic.Int32
	pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
		if number > many {
			serving(number, conn, from)
			return
		}
		take(from)
		waiting.Add(1)
		<-gate
		_, _ = io.WriteString(conn, ok("old"))
		<-end
		_ = conn.Close()
		waiting.Add(-1)
	}))
	done := make(chan string, many)
	for range many {
		go func() { done <- answer(pool, request(t.Context(), "/")) }()
	}
	eventually(t, "all are asked at once", func() bool { return waiting.Load() == many })
	close(gate)
	for range many {
		if got := <-done; got != "200 old" {
			t.Errorf("got %q", got)
		}
	}
	close(end)
	eventually(t, "all have ended", func() bool { return waiting.Load() == 0 })
	for range many {
		if got := answer(pool, post(t, 1, strings.NewReader("x"))); !strings.HasPrefix(got, "200 ") {
			t.Errorf("got %q", got)
		}
	}
}
