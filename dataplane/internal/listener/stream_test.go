package listener

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// reused is an echo whose exchanges serve another request the moment they are finished.
type reused struct{ echo }

func (r *reused) Finish(ex *pipeline.Exchange) {
	ex.Reset()
	ex.TextDone(append(ex.TextBuffer(), strings.Repeat("another caller's ", 10)...))
}

func TestAnAnswersHeadIsItsOwnThoughTheExchangeServesAnother(t *testing.T) {
	address := start(t, &reused{echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = http.StatusOK
		ex.Response.Header.Add("Ratelimit", ex.TextDone(append(ex.TextBuffer(), "mine"...)))
	}}})
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Ratelimit"); got != "mine" {
		t.Errorf("the header says %q, want mine", got)
	}
}

// Run with -race: a transport may read on while the answer is written and after it.
func TestABodyReadTooLateTouchesNoOtherRequest(t *testing.T) {
	late := make(chan error, 1)
	finished := make(chan struct{})
	handler := &echo{serve: func(ex *pipeline.Exchange) {
		body := ex.Request.Body
		go func() {
			_, err := io.Copy(io.Discard, body) // meets the release in any place
			<-finished
			_, again := body.Read(make([]byte, 1))
			late <- errors.Join(err, again)
		}()
		ex.Refuse(&pipeline.Rejection{Code: problem.RateLimited})
		ex.Answer()
	}}
	address := start(t, handler)
	status, _ := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nonly the beginning")
	close(finished)
	if status != http.StatusTooManyRequests {
		t.Errorf("got %d, want 429", status)
	}
	if err := <-late; err == nil {
		t.Error("the body could be read after its request")
	}
}

// stalling starts a listener with little patience.
func stalling(t *testing.T, h Handler) string {
	t.Helper()
	return startWith(t, Config{Handler: h, Limits: impatient})
}

func TestAClientThatFallsSilentInABodyIsGivenUp(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       problem.Code
	}{
		{"silent", "Content-Length: 10\r\n\r\nhello", problem.RequestTimeout},
		{"malformed", "Transfer-Encoding: chunked\r\n\r\nzz\r\n", problem.BadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := stalling(t, &echo{serve: func(ex *pipeline.Exchange) {
				_, err := io.ReadAll(ex.Request.Body)
				rejection := &pipeline.Rejection{Code: problem.Internal}
				errors.As(err, &rejection)
				ex.Refuse(rejection)
				ex.Answer()
			}})
			if _, body := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\n"+tt.body); !strings.Contains(body, string(tt.want)) {
				t.Errorf("got %q, want %s", body, tt.want)
			}
		})
	}
}

func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	gaveUp := make(chan struct{})
	address := stalling(t, &echo{serve: func(ex *pipeline.Exchange) {
		ex.Response.Status = http.StatusOK
		ex.Response.Body, ex.Response.ContentLength = closing{endless{}, gaveUp}, -1
	}})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-gaveUp:
	case <-time.After(10 * time.Second):
		t.Error("the answer is still held for a client that takes nothing")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type closing struct {
	io.Reader
	closed chan struct{}
}

func (c closing) Close() error { close(c.closed); return nil }

func TestAPauseBehindABodyIsNoSilenceInIt(t *testing.T) {
	address := stalling(t, &echo{serve: func(ex *pipeline.Exchange) {
		if _, err := io.ReadAll(ex.Request.Body); err != nil {
			t.Error(err)
		}
		// Several times as long as a client may be silent in a body, and all the same it isn't gone.
		select {
		case <-aborted(ex):
			t.Error("a client that waits for its answer counts as gone")
		case <-time.After(100 * time.Millisecond):
		}
		ex.Response.Status = http.StatusOK
	}})
	if status, _ := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"); status != http.StatusOK {
		t.Errorf("got %d, want 200", status)
	}
}

func TestHeadsThatHTTPForbidsAreNotSent(t *testing.T) {
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		if ex.Request.RawPath == "/304" {
			ex.Response.Status = http.StatusNotModified // net/http says of a 304 that its length is 0
			return
		}
		ex.Response.Status = http.StatusOK
		ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader("x")), -1
		ex.Response.Trailer.Add("Content-Length", "7")
		ex.Response.Trailer.Add("set-cookie", "a=b")
		ex.Response.Trailer.Add("X-Internal", "a stage withholds it")
		ex.Response.Withheld = append(ex.Response.Withheld, func(name string) bool { return name == "X-Internal" })
		ex.Response.Trailer.Add("Grpc-Status", "0")
	}})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /304 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	unchanged, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = unchanged.Body.Close()
	if got := unchanged.Header.Values("Content-Length"); len(got) > 0 {
		t.Errorf("a 304 has the length %q", got)
	}
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	if len(answer.Trailer) != 1 || answer.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("trailers %v, want Grpc-Status alone", answer.Trailer)
	}
}

func TestAPanicIsAnsweredAndCounted(t *testing.T) {
	handler := &echo{serve: func(ex *pipeline.Exchange) { panic("of " + ex.Request.RawPath) }}
	address := start(t, handler)
	if status, body := raw(t, address, "GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"); status != http.StatusInternalServerError || strings.Contains(body, "secret") {
		t.Errorf("got %d %q, want 500 without a word of what happened", status, body)
	}
	t.Cleanup(func() {
		if n := handler.finished.Load(); n != 1 {
			t.Errorf("finished %d times, want once", n)
		}
	})
}

// What hangs in a client's connection, read or write, must end when the gateway gives up on the exchange.
func TestAnExchangeThatIsCutOffWaitsForItsClientNoLonger(t *testing.T) {
	began := make(chan *pipeline.Exchange, 1)
	gaveUp := make(chan struct{})
	for _, tt := range []struct {
		name, request string
		serve         func(*pipeline.Exchange)
	}{
		{"writing", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", func(ex *pipeline.Exchange) {
			ex.Response.Status = http.StatusOK
			ex.Response.Body, ex.Response.ContentLength = closing{endless{}, gaveUp}, -1
			began <- ex
		}},
		{"reading", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello", func(ex *pipeline.Exchange) {
			began <- ex
			_, _ = io.ReadAll(ex.Request.Body)
			gaveUp <- struct{}{}
			ex.Refuse(&pipeline.Rejection{Code: problem.StreamEnded})
			ex.Answer()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gaveUp = make(chan struct{}, 1)
			address := start(t, &echo{serve: tt.serve})
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.request); err != nil {
				t.Fatal(err)
			}
			wire := (<-began).Wire
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			bound := time.After(20 * time.Second)
			for {
				select {
				case <-gaveUp:
					return
				case <-bound:
					t.Fatal("the exchange still waits for its client")
				case <-tick.C:
					wire.Cut()
				}
			}
		})
	}
}

// An upload that nobody wants any more ends at once, though its client is silent, and the answer goes on.
func TestAnUploadThatIsStoppedEndsThoughItsClientIsSilent(t *testing.T) {
	address := start(t, &echo{serve: func(ex *pipeline.Exchange) {
		body, ended := ex.Request.Body, make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, body)
			_, again := body.Read(make([]byte, 1))
			ended <- errors.Join(err, again)
		}()
		body.(interface{ StopReading() }).StopReading()
		if err := <-ended; err == nil {
			t.Error("the body came to an end that it doesn't have")
		}
		ex.Response.Status = http.StatusOK
		ex.Response.Body, ex.Response.ContentLength = io.NopCloser(strings.NewReader("answered")), 8
	}})
	conn := dial(t, address)
	say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nonly the beginning")
	answer, body := next(t, bufio.NewReader(conn), http.MethodPost)
	if body != "answered" || !answer.Close {
		t.Errorf("got %q, close %t; want the answer, and the connection's end", body, answer.Close)
	}
}

func TestToStopABodyAtItsEndDoesNothing(t *testing.T) {
	conn := dial(t, start(t, &echo{serve: func(ex *pipeline.Exchange) {
		if _, err := io.ReadAll(ex.Request.Body); err != nil {
			t.Error(err)
		}
		ex.Request.Body.(interface{ StopReading() }).StopReading()
		ex.Response.Status = http.StatusOK
	}}))
	reader := bufio.NewReader(conn)
	for range 3 {
		say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
		if answer, _ := next(t, reader, http.MethodPost); answer.StatusCode != http.StatusOK || answer.Close {
			t.Fatalf("got %d, close %t", answer.StatusCode, answer.Close)
		}
	}
}
