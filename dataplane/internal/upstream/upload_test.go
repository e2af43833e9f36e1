package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// pipe is a body that a test writes, and whose reading can be ended.
type pipe struct {
	*io.PipeReader

	stopped chan struct{}
	once    sync.Once
}

var errStopped = errors.New("stopped")

func newPipe() (*pipe, *io.PipeWriter) {
	r, w := io.Pipe()
	return &pipe{PipeReader: r, stopped: make(chan struct{})}, w
}

func (p *pipe) StopReading() {
	p.once.Do(func() { close(p.stopped) })
	_ = p.CloseWithError(errStopped)
}

// echo answers each request with its body.
func echo(_ int, conn net.Conn, from *bufio.Reader) {
	for {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		text := strings.Join(r.TransferEncoding, "") + "|" + r.Trailer.Get("X-Sum") + "|" + string(body)
		_, _ = io.WriteString(conn, ok(text))
	}
}

func TestBodiesArriveWhole(t *testing.T) {
	pool := at(t, service(t, echo))
	for _, size := range []int{1, 100, copiedBytes, copiedBytes + 1, 10 << 10, bufferBytes, 100 << 10, 3 << 20} {
		text := strings.Repeat("0123456789", size/10+1)[:size]
		bodies := map[string]func() (int64, io.Reader){
			"in memory":         func() (int64, io.Reader) { return int64(size), &inMemory{data: []byte(text)} },
			"half in memory":    func() (int64, io.Reader) { return int64(size), &halfThere{inMemory{data: []byte(text)}} },
			"of known length":   func() (int64, io.Reader) { return int64(size), strings.NewReader(text) },
			"of unknown length": func() (int64, io.Reader) { return -1, strings.NewReader(text) },
		}
		for name, body := range bodies {
			length, from := body()
			coding := ""
			if length < 0 {
				coding = "chunked"
			}
			if got := answer(pool, post(t, length, from)); got != "200 "+coding+"||"+text {
				t.Errorf("%d bytes %s: got %d bytes that begin with %.40q", size, name, len(got), got)
			}
		}
	}
	if opened := pool.members[0].target.counts.opened.Load(); opened != 1 {
		t.Errorf("%d connections were opened for requests that came one by one", opened)
	}
}

// halfThere is a body half of which is in memory.
type halfThere struct{ inMemory }

func (b *halfThere) Front() []byte { return b.data[b.at:max(b.at, len(b.data)/2)] }

func TestTrailersAreSentBehindAChunkedBody(t *testing.T) {
	pool := at(t, service(t, echo))
	ex := post(t, -1, strings.NewReader("body"))
	ex.Request.Header.Add("Trailer", "X-Sum")
	ex.Request.Trailer.Add("X-Sum", "17")
	ex.Request.Trailer.Add("Content-Length", "0")
	wantAnswer(t, pool, ex, "200 chunked|17|body")
}

// Each piece of a body of unknown length goes out as it comes: the target has the first before there is a second.
func TestAStreamIsSentPieceByPiece(t *testing.T) {
	got := make(chan string)
	pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		buffer := make([]byte, 100)
		for {
			n, err := r.Body.Read(buffer)
			if n > 0 {
				got <- string(buffer[:n])
			}
			if err != nil {
				break
			}
		}
		_, _ = io.WriteString(conn, ok("done"))
	}))
	body, write := newPipe()
	go func() {
		for _, piece := range []string{"one", "two", "three"} {
			_, _ = io.WriteString(write, piece)
			if is := <-got; is != piece {
				t.Errorf("got %q, want %q", is, piece)
			}
		}
		_ = write.Close()
	}()
	wantAnswer(t, pool, post(t, -1, body), "200 done")
}

// An answer that comes while the client still uploads is passed on at once; the upload ends with it, and so does the connection.
func TestAnAnswerMayComeBeforeTheUploadHasEnded(t *testing.T) {
	for _, length := range []int64{-1, 1 << 30} {
		pool := at(t, service(t, func(number int, conn net.Conn, from *bufio.Reader) {
			if number > 1 {
				serving(number, conn, from)
				return
			}
			if _, err := http.ReadRequest(from); err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
			_, _ = io.Copy(io.Discard, from) // until the gateway ends it
		}))
		body, write := newPipe()
		go func() { _, _ = io.WriteString(write, "begins, and never ends") }()
		wantAnswer(t, pool, post(t, length, body), "413 no!")
		<-body.stopped
		wantAnswer(t, pool, request(t.Context(), "/"), "200 2")
	}
}

// A target that answers and takes nothing more doesn't block the answer, however much is on its way to it.
func TestATargetThatTakesNothingStillAnswers(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		if _, err := http.ReadRequest(from); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Full\r\nContent-Length: 2\r\n\r\nno")
		<-release
	}))
	wantAnswer(t, pool, post(t, 64<<20, io.LimitReader(zeros{}, 64<<20)), "503 no")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Both ways at once: each piece of the answer comes when a piece of the request has.
func TestBothBodiesFlowAtTheSameTime(t *testing.T) {
	pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		r, err := http.ReadRequest(from)
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
		_, _ = io.Copy(conn, r.Body)
	}))
	body, write := newPipe()
	ex := post(t, -1, body)
	if err := pool.Send(ex); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 3)
	for _, piece := range []string{"one", "two", "end"} {
		_, _ = io.WriteString(write, piece)
		if _, err := io.ReadFull(ex.Response.Body, buffer); err != nil || string(buffer) != piece {
			t.Fatalf("got %q, %v; want %q", buffer, err, piece)
		}
	}
	_ = write.Close()
	if err := ex.Response.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestABodyThatTheClientBreaksIsNotTheServicesFault(t *testing.T) {
	pool := at(t, service(t, echo))
	for _, length := range []int64{-1, 100, 100 << 10} {
		for _, code := range []problem.Code{problem.BadRequest, problem.RequestTimeout, problem.ClientGone, problem.BodyTooLarge} {
			body := io.MultiReader(strings.NewReader("half"), broken{&pipeline.Rejection{Code: code, Reason: "malformed"}})
			wantCode(t, pool.Send(post(t, length, body)), code)
		}
		wantCode(t, pool.Send(post(t, length, io.MultiReader(strings.NewReader("half"), broken{io.ErrUnexpectedEOF}))), problem.ClientGone)
	}
	if failures := pool.members[0].target.health.failures.Load(); failures != 0 {
		t.Errorf("the target is blamed for %d failures", failures)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// Of a body whose memory is the client's only what was sent is taken, and that once, whatever becomes of the request.
func TestWhatWasSentOfABodyIsReadOnce(t *testing.T) {
	for name, handle := range map[string]func(int, net.Conn, *bufio.Reader){
		"answered": echo,
		"refused": func(_ int, conn net.Conn, from *bufio.Reader) {
			take(from)
			_, _ = io.WriteString(conn, "nonsense\r\n\r\n")
		},
		"left": func(_ int, _ net.Conn, from *bufio.Reader) { take(from) },
	} {
		for _, size := range []int{10, 5000, 100_000} {
			body := &inMemory{data: bytes.Repeat([]byte("x"), size)}
			answer(at(t, service(t, handle)), post(t, int64(size), body))
			if body.at != size {
				t.Errorf("%s, %d bytes: %d were read", name, size, body.at)
			}
		}
	}
}

func TestARequestSaysItsOwnLengthAlone(t *testing.T) {
	got := make(chan string, 1)
	pool := at(t, service(t, func(_ int, conn net.Conn, from *bufio.Reader) {
		var head strings.Builder
		for {
			line, err := from.ReadString('\n')
			head.WriteString(line)
			if err != nil || line == "\r\n" {
				break
			}
		}
		got <- head.String()
		_, _ = io.WriteString(conn, ok(""))
	}))
	ex := post(t, 3, strings.NewReader("abc"))
	for _, name := range []string{"host", "Content-Length", "transfer-encoding", "Connection", "Upgrade"} {
		ex.Request.Header.Add(name, "7")
	}
	ex.Request.Header.Add("A", "b")
	wantAnswer(t, pool, ex, "200 ")
	if head := <-got; head != "POST / HTTP/1.1\r\nHost: api.example\r\nA: b\r\nContent-Length: 3\r\n\r\n" {
		t.Errorf("sent %q", head)
	}
	for what, change := range map[string]func(*pipeline.Request){
		"path": func(r *pipeline.Request) { r.ForwardPath = "/ HTTP/1.1\r\nA: b" }, "query": func(r *pipeline.Request) { r.Query = "a b" },
		"name": func(r *pipeline.Request) { r.Header.Add("A:b", "c") }, "value": func(r *pipeline.Request) { r.Header.Add("A", "b\r\nC: d") },
	} {
		ex := request(t.Context(), "/")
		change(&ex.Request)
		if err := pool.Send(ex); err == nil {
			t.Errorf("a %s that makes another request of it was sent", what)
		}
	}
}
