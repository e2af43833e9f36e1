package listener

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo answers with what it was asked, or by its own function.
type echo struct {
	pool     pipeline.Pool
	serve    func(*pipeline.Exchange)
	finished atomic.Int64
}

func (e *echo) Acquire() *pipeline.Exchange { return e.pool.Get() }

func (e *echo) Serve(ex *pipeline.Exchange) {
	if ex.Rejection != nil {
		ex.Answer()
		return
	}
	if e.serve != nil {
		e.serve(ex)
		return
	}
	text := ex.Request.Method + " " + ex.Request.Authority + " " + ex.Request.RawPath + " " + ex.Request.Query
	ex.Response.Status = http.StatusOK
	ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
}

func (e *echo) Finish(ex *pipeline.Exchange) {
	e.finished.Add(1)
	e.pool.Put(ex)
}

// start serves with a handler, and returns the address.
func start(t *testing.T, h Handler) string {
	t.Helper()
	return startWith(t, Config{Handler: h})
}

// startWith serves by a configuration, and returns the address.
func startWith(t *testing.T, cfg Config) string {
	t.Helper()
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 5 * time.Second
	}
	address, stop, ended := running(t, cfg)
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return address
}

// impatient are limits that tests can wait for. There is time for heads: they are to come before anything stalls, on a busy machine too.
func impatient() *Limits {
	limits := DefaultLimits()
	limits.BodyStall, limits.WriteStall = 20*time.Millisecond, 20*time.Millisecond
	return limits
}

// hasty are limits that heads are late for, unless they are on their way.
func hasty() *Limits {
	limits := DefaultLimits()
	limits.Head = 500 * time.Millisecond
	return limits
}

// raw sends bytes as they are, and returns the first answer.
func raw(t *testing.T, address, request string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestRequestsBecomeExchangesOrAreRefused(t *testing.T) {
	address := start(t, new(echo))
	tests := []struct {
		request string
		status  int
		want    string
	}{
		{"GET /a?b=c HTTP/1.1\r\nHost: Api.Example.com:8080\r\n\r\n", 200, "GET api.example.com /a b=c"},
		{"GET /a HTTP/1.1\r\nHost: api.example.com.\r\n\r\n", 200, "GET api.example.com /a "},
		{"GET /%61/../b HTTP/1.1\r\nHost: x\r\n\r\n", 200, "GET x /%61/../b "},
		{"GET http://real.example/a?q HTTP/1.1\r\nHost: real.example\r\n\r\n", 200, "GET real.example /a q"},
		{"GET http://real.example/a?q HTTP/1.1\r\nHost: other\r\n\r\n", 400, "bad_request"},
		{"GET http://real.example HTTP/1.1\r\nHost: real.example\r\n\r\n", 200, "GET real.example / "},
		{"GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n", 200, "GET 2001:db8::1 / "},
		{"GET /?a\x80 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
		{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"},
		{"GET / HTTP/1.1\r\nHost: a_b/c\r\n\r\n", 400, ""},
		{"GET / HTTP/1.1\r\nHost: x:port\r\n\r\n", 400, "bad_request"},
		{"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"},
		{"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 405, "method_not_allowed"},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 501, "upgrade_not_supported"},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", 501, "upgrade_not_supported"},
		{"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", 501, "upgrade_not_supported"},
		{"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 501, "upgrade_not_supported"},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400, "bad_request"},
	}
	for _, tt := range tests {
		status, body := raw(t, address, tt.request)
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%q: %d %q, want %d with %q", tt.request, status, body, tt.status, tt.want)
		}
	}
}

func TestAnExchangeIsFinishedOnceThoughTheAnswerBreaks(t *testing.T) {
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = http.StatusOK
		ex.Response.Body, ex.Response.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("half"), brokenReader{})), 8
	}}
	// Registered before start's own, and so run after the listener has ended.
	t.Cleanup(func() {
		if n := handler.finished.Load(); n != 1 {
			t.Errorf("finished %d times, want once", n)
		}
	})
	address := start(t, handler)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return // cut before the head: not whole either
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err == nil {
		t.Errorf("a broken answer looked whole: %q", body)
	}
}

// counting is slow to finish.
type counting struct {
	echo

	finish chan struct{}
}

func (c *counting) Finish(ex *pipeline.Exchange) {
	<-c.finish
	c.echo.Finish(ex)
}

// An answer that a client has seen whole is one that was counted, though the edge dies right then.
func TestNobodyHasTheEndOfAnAnswerBeforeItIsFinished(t *testing.T) {
	for _, size := range []int{1, 100, 2047, 2048, 2049, 4096, 4097, 32 << 10, 32<<10 + 1, 1 << 20} {
		for _, length := range []int64{int64(size), -1} {
			handler := &counting{finish: make(chan struct{})}
			handler.serve = func(ex *pipeline.Exchange) {
				ex.Response.Status = http.StatusOK
				ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", size))), length
			}
			conn, err := net.Dial("tcp", start(t, handler))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
				}
				ended <- errors.Join(err, conn.Close())
			}()
			select {
			case err := <-ended:
				t.Errorf("%d bytes, length %d: the client had all of the answer before it was finished (%v)", size, length, err)
				close(handler.finish)
				continue
			case <-time.After(20 * time.Millisecond): // it is to see that nothing happens
			}
			close(handler.finish)
			if err := <-ended; err != nil {
				t.Errorf("%d bytes, length %d: %v", size, length, err)
			}
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAStreamReachesItsReaderPieceByPiece(t *testing.T) {
	reader, writer := io.Pipe()
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = http.StatusOK
		ex.Response.Body, ex.Response.ContentLength = reader, -1
	}}
	address := start(t, handler)
	go func() { _, _ = io.WriteString(writer, "first") }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	piece := make([]byte, 16)
	n, err := answer.Body.Read(piece)
	if err != nil || string(piece[:n]) != "first" {
		t.Fatalf("read %q, %v before the stream ended; want the first piece", piece[:n], err)
	}
	_ = writer.Close()
}

func TestAnAnswerMayComeBeforeTheUploadEnds(t *testing.T) {
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		ex.Refuse(&pipeline.Rejection{Code: problem.RateLimited})
		ex.Answer()
	}}
	address := start(t, handler)
	status, _ := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nonly the beginning")
	if status != http.StatusTooManyRequests {
		t.Errorf("got %d, want 429 at once", status)
	}
}
