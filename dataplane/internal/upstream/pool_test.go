package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

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
