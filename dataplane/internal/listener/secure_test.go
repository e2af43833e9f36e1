package listener

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
	"github.com/sallyport/sallyport/proto/problem"
)

// secured starts a listener over TLS, and returns its address and a client's configuration.
func secured(t *testing.T, cfg Config) (address string, client *tls.Config) {
	t.Helper()
	example := httptest.NewUnstartedServer(nil) // for its certificate
	example.EnableHTTP2 = true
	example.StartTLS()
	client = example.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	cfg.TLS = &tls.Config{Certificates: example.TLS.Certificates, NextProtos: []string{alpnHTTP2, "http/1.1"}}
	example.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Secure, cfg.Logger, cfg.Sweeper, cfg.DrainTimeout = listener, slog.New(slog.DiscardHandler), sweeper.New(), 5*time.Second
	sweeping, rest := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(context.Background())
	ended, swept := make(chan error, 1), make(chan error, 1)
	go func() { swept <- cfg.Sweeper.Run(sweeping) }()
	go func() { ended <- Run(ctx, cfg) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		rest()
		if err := <-swept; err != nil {
			t.Error(err)
		}
	})
	client.ServerName = "example.com"
	client.NextProtos = nil
	return listener.Addr().String(), client
}

// speaking returns a client of one version of HTTP.
func speaking(t *testing.T, config *tls.Config, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: 20 * time.Second, Transport: transport}
}

func TestOverTLSBothVersionsAreServedBehindTheSameExchange(t *testing.T) {
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		body, err := io.ReadAll(ex.Request.Body)
		if err != nil {
			t.Error(err)
		}
		text := ex.Request.Proto + " " + ex.Request.Scheme + " " + ex.Request.Method + " " + ex.Request.RawPath + " " + string(body)
		ex.Response.Status = http.StatusOK
		ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}}
	counters := new(Counters)
	address, config := secured(t, Config{Handler: handler, Counters: counters})
	for _, tt := range []struct {
		http2 bool
		proto string
	}{{false, "HTTP/1.1"}, {true, "HTTP/2.0"}} {
		client := speaking(t, config.Clone(), tt.http2)
		for range 3 {
			answer, err := client.Post("https://"+address+"/a", "text/plain", strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			if want := tt.proto + " https POST /a hello"; err != nil || string(body) != want {
				t.Errorf("got %q, %v, want %q", body, err, want)
			}
		}
		client.CloseIdleConnections()
	}
	if n := handler.finished.Load(); n != 6 {
		t.Errorf("%d requests were finished, want 6", n)
	}
	eventually(t, "connections of both are closed", func() bool { return counters.Stats().Open == 0 })
}

func TestOverHTTP2AnAnswerThatIsCutShortLooksSoAndTrailersComeBehindIt(t *testing.T) {
	address, config := secured(t, Config{Handler: &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status, ex.Response.ContentLength = http.StatusOK, -1
		ex.Response.Body = &piecewise{pieces: [][]byte{[]byte("part")}, end: io.EOF}
		if ex.Request.RawPath == "/cut" {
			ex.Response.Body = &piecewise{pieces: [][]byte{[]byte("part")}, end: io.ErrUnexpectedEOF}
		}
		ex.Response.Trailer.Add("Grpc-Status", "0")
		ex.Response.Trailer.Add("Set-Cookie", "a=b")
	}}})
	client := speaking(t, config, true)
	for path, whole := range map[string]bool{"/whole": true, "/cut": false} {
		answer, err := client.Get("https://" + address + path)
		if err != nil {
			if whole {
				t.Fatal(err)
			}
			continue
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if (err == nil) != whole {
			t.Errorf("%s: got %q, %v", path, body, err)
		}
		if whole && (answer.Trailer.Get("Grpc-Status") != "0" || len(answer.Trailer) != 1) {
			t.Errorf("trailers %v, want Grpc-Status alone", answer.Trailer)
		}
	}
}

func TestOverHTTP2ARequestEndsWithItsClientAndAPanicIsAnswered(t *testing.T) {
	began, cause := make(chan struct{}, 1), make(chan error, 1)
	waits := waiting(began, nil, cause)
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		switch ex.Request.RawPath {
		case "/panic":
			panic("of ours")
		case "/refused":
			ex.Refuse(&pipeline.Rejection{Code: problem.RateLimited})
			ex.Answer()
		default:
			waits.serve(ex)
		}
	}}
	address, config := secured(t, Config{Handler: handler})
	client := speaking(t, config, true)
	for path, status := range map[string]int{"/panic": 500, "/refused": 429} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Opaque = path
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("%s: got %d, want %d", path, answer.StatusCode, status)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error, 1)
	go func() {
		answer, err := client.Do(request)
		if err == nil {
			err = answer.Body.Close()
		}
		left <- err
	}()
	<-began
	leave()
	if err := <-cause; !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("aborted by %v", err)
	}
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
}

func TestAHandshakeThatTakesTooLongOrFailsIsGivenUpAndCounted(t *testing.T) {
	counters := new(Counters)
	address, config := secured(t, Config{Handler: new(echo), Limits: hasty, Counters: counters})
	silent := dial(t, address)
	if text, _ := io.ReadAll(silent); len(text) > 0 {
		t.Errorf("got %q", text)
	}
	eventually(t, "it is counted", func() bool { return counters.Stats().Timeouts["first"] == 1 })
	config.ServerName = "another.example"
	if conn, err := tls.Dial("tcp", address, config); err == nil {
		_ = conn.Close()
		t.Error("a certificate for another name was taken")
	}
	eventually(t, "it is counted", func() bool { return counters.Stats().Refused["handshake_failed"] == 1 })
}

// Over TLS a client's end is the word of TLS, which hides the connection's own.
func TestOverTLSAClientThatIsGoneEndsItsRequest(t *testing.T) {
	began, cause := make(chan struct{}, 1), make(chan error, 1)
	address, config := secured(t, Config{Handler: waiting(began, nil, cause)})
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-began
	_ = conn.Close()
	if err := <-cause; !errors.Is(err, pipeline.ErrGone) {
		t.Errorf("aborted by %v", err)
	}
}

func TestOverTLSAnAnswerThatIsCutShortLooksSo(t *testing.T) {
	address, config := secured(t, Config{Handler: &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status, ex.Response.ContentLength = http.StatusOK, -1
		ex.Response.Body = &piecewise{pieces: [][]byte{bytes.Repeat([]byte("x"), 1000)}, end: io.ErrUnexpectedEOF}
	}}})
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	say(t, conn, "GET / HTTP/1.0\r\n\r\n") // whose end is the connection's
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return // cut before the head
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("%d bytes look whole", len(body))
	}
}

func TestARequestBeginsWithItsFirstByteWhateverWasIdleBefore(t *testing.T) {
	started := make(chan time.Time, 1)
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		started <- ex.Started
		ex.Response.Status = http.StatusOK
	}}
	address, config := secured(t, Config{Handler: handler})
	secure, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = secure.Close() }()
	for name, conn := range map[string]net.Conn{"TLS": secure, "plain": dial(t, start(t, handler))} {
		reader := bufio.NewReader(conn)
		for range 2 {
			sent := time.Now()
			say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if at := <-started; at.Before(sent) {
				t.Errorf("%s: the request began %s before it was sent", name, sent.Sub(at))
			}
			next(t, reader, http.MethodGet)
		}
	}
}

// The engine is to stand by itself: what net/http does is done in one place, until that goes too.
func TestOneFileAloneNamesNetHTTP(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range source.Imports {
			if imported.Path.Value == `"net/http"` && file != "http2.go" && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s imports net/http", file)
			}
		}
	}
}
