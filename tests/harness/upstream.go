package harness

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Upstream is a service behind the gateway that records every byte that reached it.
type Upstream struct {
	// Address of it, host:port.
	Address string

	stop func()

	mu          sync.Mutex
	connections int
	raw         bytes.Buffer
	requests    []Recorded
}

// Recorded is a request that reached an upstream.
type Recorded struct {
	Method string
	// Target is the request target as it was sent.
	Target string
	Host   string
	Header http.Header
	Body   string
}

// NewUpstream starts a service on loopback that answers as the handler says; nil: 200 and "ok". It ends with the test.
func NewUpstream(t testing.TB, handler http.Handler) *Upstream {
	t.Helper()
	u, err := StartUpstream(handler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

// StartUpstream is NewUpstream outside of tests: Close ends it.
func StartUpstream(handler http.Handler) (*Upstream, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	if handler == nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	}
	u := &Upstream{Address: listener.Addr().String()}
	server := &http.Server{Handler: u.recording(handler), ReadHeaderTimeout: 30 * time.Second}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(&tapped{Listener: listener, into: u}) })
	u.stop = sync.OnceFunc(func() {
		_ = server.Close()
		served.Wait()
	})
	return u, nil
}

// Close ends the service.
func (u *Upstream) Close() { u.stop() }

func (u *Upstream) recording(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away: there is nobody to answer
		}
		u.mu.Lock()
		u.requests = append(u.requests, Recorded{
			Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Body: string(body),
		})
		u.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// Requests returns what has arrived so far.
func (u *Upstream) Requests() []Recorded {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Recorded(nil), u.requests...)
}

// Raw returns every byte that has arrived so far.
func (u *Upstream) Raw() []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return bytes.Clone(u.raw.Bytes())
}

// Connections returns how many connections there were.
func (u *Upstream) Connections() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.connections
}

// tapped is a listener whose connections write down what they read.
type tapped struct {
	net.Listener
	into *Upstream
}

func (t *tapped) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http looks at it
	}
	t.into.mu.Lock()
	t.into.connections++
	t.into.mu.Unlock()
	return &tappedConn{Conn: conn, into: t.into}, nil
}

type tappedConn struct {
	net.Conn
	into *Upstream
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.into.mu.Lock()
	c.into.raw.Write(p[:n])
	c.into.mu.Unlock()
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}
