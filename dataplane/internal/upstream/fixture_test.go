package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
	"github.com/sallyport/sallyport/proto/problem"
)

// node returns a registry that works as that of a node does, until the test ends.
func node(t testing.TB, config Config) *Registry {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	config.Sweeper = sweeper.New()
	r := NewRegistry(config)
	var running sync.WaitGroup
	running.Go(func() { _ = config.Sweeper.Run(ctx) })
	running.Go(func() { _ = r.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return r
}

// one returns a pool of a node of its own.
func one(t testing.TB, spec snapshot.Spec) *Pool {
	t.Helper()
	return node(t, Config{}).Pool(spec)
}

// at returns a pool of one target.
func at(t testing.TB, address string) *Pool {
	t.Helper()
	return one(t, spec(snapshot.Target{Address: address, Weight: 1}))
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

const patience = 10 * time.Second

func spec(targets ...snapshot.Target) snapshot.Spec {
	return snapshot.Spec{Targets: targets, Connect: patience, ResponseHead: patience, AllowedTargets: loopback}
}

func request(ctx context.Context, path string) *pipeline.Exchange {
	ex := new(pipeline.Pool).Get()
	context.AfterFunc(ctx, func() { ex.Abort.Because(pipeline.ErrGone) })
	ex.Request = pipeline.Request{Method: "GET", Host: "api.example", Path: path, ForwardPath: path, Body: strings.NewReader("")}
	return ex
}

func post(t *testing.T, length int64, body io.Reader) *pipeline.Exchange {
	t.Helper()
	ex := request(t.Context(), "/")
	ex.Request.Method, ex.Request.ContentLength, ex.Request.Body = "POST", length, body
	return ex
}

// service is a server of bare connections: each is handed over, the first with number 1, and closed when the function has returned.
func service(t testing.TB, handle func(number int, conn net.Conn, from *bufio.Reader)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var number atomic.Int32
	var open sync.Map
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Store(conn, true)
			n := int(number.Add(1))
			running.Go(func() {
				defer conn.Close()
				handle(n, conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(conn, _ any) bool { _ = conn.(net.Conn).Close(); return true })
		running.Wait()
	})
	return listener.Addr().String()
}

// talker answers each connection's first request with these bytes, then closes it.
func talker(t *testing.T, answer string) string {
	t.Helper()
	return service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		if take(from) && answer != "" {
			_, _ = io.WriteString(conn, answer)
		}
	})
}

// take reads one request whole.
func take(from *bufio.Reader) bool {
	r, err := http.ReadRequest(from)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err == nil
}

// replying answers each request of a connection with the same text, for good.
func replying(conn net.Conn, text string) {
	defer conn.Close()
	from := bufio.NewReader(conn)
	for take(from) {
		_, _ = io.WriteString(conn, ok(text))
	}
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// serving answers each request with the number of its connection, for good.
func serving(number int, conn net.Conn, from *bufio.Reader) {
	for take(from) {
		_, _ = io.WriteString(conn, ok(fmt.Sprint(number)))
	}
}

// answer sends a request and returns what became of it: "200 body", with "!" behind a body that broke off; or a code.
func answer(pool *Pool, ex *pipeline.Exchange) string {
	var rejection *pipeline.Rejection
	switch err := pool.Send(ex); {
	case errors.As(err, &rejection):
		return string(rejection.Code)
	case err != nil:
		return err.Error()
	}
	body, err := io.ReadAll(ex.Response.Body)
	text := fmt.Sprintf("%d %s", ex.Response.Status, body)
	if err != nil {
		text += "!"
	}
	_ = ex.Response.Body.Close()
	return text
}

func wantAnswer(t *testing.T, pool *Pool, ex *pipeline.Exchange, want string) {
	t.Helper()
	if got := answer(pool, ex); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func wantCode(t *testing.T, err error, want problem.Code) {
	t.Helper()
	var rejection *pipeline.Rejection
	if !errors.As(err, &rejection) || rejection.Code != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}
