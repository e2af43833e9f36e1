package listener

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
	"github.com/sallyport/sallyport/proto/problem"
)

// recorded is a connection in memory: what comes of it is known beforehand, piece by piece, and what is written to it is kept.
type recorded struct {
	in    []byte
	piece int
	out   bytes.Buffer
}

func (r *recorded) Read(p []byte) (int, error) {
	if len(r.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.in[:min(len(r.in), r.piece)])
	r.in = r.in[n:]
	return n, nil
}

func (r *recorded) Write(p []byte) (int, error)    { return r.out.Write(p) }
func (*recorded) Close() error                     { return nil }
func (*recorded) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*recorded) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*recorded) SetDeadline(time.Time) error      { return nil }
func (*recorded) SetReadDeadline(time.Time) error  { return nil }
func (*recorded) SetWriteDeadline(time.Time) error { return nil }

// judged is a handler that answers in the ways that there are, by the path, and keeps the methods that it was asked by.
type judged struct {
	echo
	methods []string
}

func (j *judged) Serve(ex *pipeline.Exchange) {
	j.methods = append(j.methods, strings.Clone(ex.Request.Method))
	j.echo.Serve(ex)
}

func answerByPath(ex *pipeline.Exchange) {
	out := &ex.Response
	out.Status = http.StatusOK
	switch ex.Request.RawPath {
	case "/read":
		body, err := io.ReadAll(ex.Request.Body)
		var refused *pipeline.Rejection
		if errors.As(err, &refused) {
			ex.Refuse(refused)
			ex.Answer()
			return
		}
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	case "/echo": // both ways at once
		out.Body, out.ContentLength = io.NopCloser(ex.Request.Body), -1
	case "/stream":
		out.Body, out.ContentLength = &piecewise{pieces: [][]byte{[]byte("a"), []byte("bc")}, end: io.EOF}, -1
		out.Trailer.Add("X", ex.Request.Query)
	case "/broken":
		out.Body, out.ContentLength = &piecewise{pieces: [][]byte{[]byte("a")}, end: io.ErrUnexpectedEOF}, -1
	case "/header":
		out.Header.Add("X", ex.Request.Header.Get("X"))
	case "/none":
		out.Status = http.StatusNoContent
	case "/panic":
		panic("of ours")
	default:
		ex.Refuse(&pipeline.Rejection{Code: problem.RouteNotFound})
		ex.Answer()
	}
}

// FuzzConnection: whatever a client sends, the connection ends, each request is finished, and what is answered is well-formed: to each
// request one answer, and behind the last one nothing.
func FuzzConnection(f *testing.F) {
	const host = " HTTP/1.1\r\nHost: x\r\n"
	for _, seed := range []string{
		"GET /read" + host + "\r\n",
		"POST /read" + host + "Content-Length: 5\r\n\r\nhelloGET /none" + host + "\r\n",
		"POST /echo" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\nHEAD /stream" + host + "\r\n",
		"GET /stream?q HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /broken" + host + "\r\n",
		"POST /header" + host + "X: y\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
		"GET /panic" + host + "\r\nTRACE /" + host + "\r\nOPTIONS *" + host + "\r\n",
		handshake, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
	} {
		f.Add([]byte(seed), uint16(7))
		f.Add([]byte(seed+seed), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece uint16) {
		wire := &recorded{in: in, piece: int(piece) + 1}
		handler := &judged{echo: echo{serve: answerByPath}}
		e := newEngine(Config{Handler: handler, Logger: slog.New(slog.DiscardHandler), Sweeper: sweeper.New()})
		c := newConn(e, wire)
		e.remember(c)
		c.serve(nil) // returns, or the fuzzer says that it hangs
		if n := e.open.Load(); n != 0 {
			t.Fatalf("%d connections are open", n)
		}
		if n := handler.finished.Load(); n != int64(len(handler.methods)) {
			t.Fatalf("%d of %d exchanges were finished", n, len(handler.methods))
		}
		checkAnswers(t, wire.out.Bytes(), handler.methods, c.broken)
	})
}

// checkAnswers reads what was answered to requests of these methods. A last answer may be cut short, if the connection says so.
func checkAnswers(t *testing.T, out []byte, methods []string, broken bool) {
	t.Helper()
	reader := bufio.NewReader(bytes.NewReader(out))
	for i := 0; i < len(methods); {
		answer, err := http.ReadResponse(reader, &http.Request{Method: methods[i]})
		if err != nil {
			if broken && i == len(methods)-1 {
				return
			}
			t.Fatalf("answer %d of %d: %v in %q", i, len(methods), err, out)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if err != nil && (!broken || i < len(methods)-1) {
			t.Fatalf("body of answer %d of %d: %v in %q", i, len(methods), err, out)
		}
		if answer.StatusCode >= 200 {
			i++
		}
		if answer.Close && i < len(methods) {
			t.Fatalf("answers go on behind the announced end: %q", out)
		}
	}
	if rest, _ := io.ReadAll(reader); len(rest) > 0 && !broken {
		t.Fatalf("%q is behind the last answer in %q", rest, out)
	}
}
