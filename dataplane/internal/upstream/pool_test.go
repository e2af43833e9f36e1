package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
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

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func spec(targets ...snapshot.Target) snapshot.Spec {
	return snapshot.Spec{Targets: targets, Connect: 2 * time.Second, ResponseHead: 2 * time.Second, AllowedTargets: loopback}
}

func request(ctx context.Context, path string) *pipeline.Exchange {
	ex := new(pipeline.Pool).Get()
	context.AfterFunc(ctx, func() { ex.Abort.Because(pipeline.ErrGone) })
	ex.Request = pipeline.Request{Method: "GET", Host: "api.example", Path: path, ForwardPath: path, Body: strings.NewReader("")}
	return ex
}

// talker answers each connection's first request with these bytes, then closes it.
func talker(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && answer != "" {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestTheServiceSeesThePathByteForByte(t *testing.T) {
	var saw string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { saw = r.RequestURI + " " + r.Host }))
	defer server.Close()
	pool := one(t, spec(snapshot.Target{Address: server.Listener.Addr().String(), Weight: 1}))
	for _, path := range []string{"/", "/a%20b", "/a%3Fb", "/a!$&'()*+,=:@b", "/%E2%82%AC"} {
		ex := request(t.Context(), path)
		ex.Request.Query = "x=%2F&y"
		if err := pool.Send(ex); err != nil {
			t.Fatal(err)
		}
		_ = ex.Response.Body.Close()
		if want := path + "?x=%2F&y api.example"; saw != want {
			t.Errorf("the service saw %q, want %q", saw, want)
		}
	}
}

func TestFailuresNameWhoseTheyAre(t *testing.T) {
	closed := func() string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		return listener.Addr().String()
	}()
	tests := []struct {
		name, address string
		spec          func(*snapshot.Spec)
		want          problem.Code
	}{
		{"nobody listens", closed, nil, problem.UpstreamUnreachable},
		{"closes without a word", talker(t, ""), nil, problem.UpstreamUnreachable},
		{"no HTTP", talker(t, "SSH-2.0-OpenSSH\r\n"), nil, problem.UpstreamInvalidResponse},
		{"bad status", talker(t, "HTTP/1.1 abc\r\n\r\n"), nil, problem.UpstreamInvalidResponse},
		{"bad header", talker(t, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), nil, problem.UpstreamInvalidResponse},
		{"two lengths", talker(t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), nil, problem.UpstreamInvalidResponse},
		{"unknown coding", talker(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), nil, problem.UpstreamInvalidResponse},
		{"status out of range", talker(t, "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), nil, problem.UpstreamInvalidResponse},
		{"switches protocols unasked", talker(t, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), nil, problem.UpstreamInvalidResponse},
		{"endless head", talker(t, "HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 2*answerLimits.Head)+"\r\n\r\n"), nil, problem.UpstreamInvalidResponse},
		{"loopback is not allowed", talker(t, "HTTP/1.1 200 OK\r\n\r\n"), func(s *snapshot.Spec) { s.AllowedTargets = nil }, problem.UpstreamAddressRefused},
		{"loopback by name", "localhost:1", func(s *snapshot.Spec) { s.AllowedTargets = nil }, problem.UpstreamAddressRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec(snapshot.Target{Address: tt.address, Weight: 1})
			if tt.spec != nil {
				tt.spec(&s)
			}
			err := one(t, s).Send(request(t.Context(), "/"))
			var rejection *pipeline.Rejection
			if !errors.As(err, &rejection) || rejection.Code != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestASilentServiceIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	s := spec(snapshot.Target{Address: server.Listener.Addr().String(), Weight: 1})
	s.ResponseHead = 20 * time.Millisecond
	var rejection *pipeline.Rejection
	if err := one(t, s).Send(request(t.Context(), "/")); !errors.As(err, &rejection) || rejection.Code != problem.UpstreamTimeout {
		t.Errorf("got %v, want %s", err, problem.UpstreamTimeout)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := one(t, s).Send(request(gone, "/")); !errors.As(err, &rejection) || rejection.Code != problem.ClientGone {
		t.Errorf("got %v, want %s", err, problem.ClientGone)
	}
}

func TestABodyThatTheClientBreaksIsNotTheServicesFault(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	pool := one(t, spec(snapshot.Target{Address: server.Listener.Addr().String(), Weight: 1}))
	for _, length := range []int64{-1, 100} {
		for _, code := range []problem.Code{problem.BadRequest, problem.RequestTimeout, problem.ClientGone} {
			ex := request(t.Context(), "/")
			ex.Request.Method, ex.Request.ContentLength = "POST", length
			ex.Request.Body = io.MultiReader(strings.NewReader("half"), broken{&pipeline.Rejection{Code: code, Reason: "malformed"}})
			var rejection *pipeline.Rejection
			if err := pool.Send(ex); !errors.As(err, &rejection) || rejection.Code != code {
				t.Errorf("length %d: got %v, want %s", length, err, code)
			}
		}
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
