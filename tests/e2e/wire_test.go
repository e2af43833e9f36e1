package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// wireBound is how long something is waited for that is promised at once.
const wireBound = 30 * time.Second

// open is a public route to a service below HTTP.
func open(t *testing.T, serve func(*harness.Wire)) (*harness.Story, *harness.Edge) {
	t.Helper()
	s := product.Story(t)
	service := s.Service("wire", harness.NewWireUpstream(t, serve))
	s.Route(sallyport.Route{Name: s.Name("wire"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	return s, s.Edges()[0]
}

// echo answers every request with its target and body.
func echo(w *harness.Wire) {
	for {
		asked, err := w.Request()
		if err != nil {
			return
		}
		body := asked.Target + " " + asked.Body
		if w.Say("HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body) != nil {
			return
		}
	}
}

func say(t *testing.T, w *harness.Wire, text string) {
	t.Helper()
	if err := w.Say(text); err != nil {
		t.Fatal(err)
	}
}

func answers(t *testing.T, w *harness.Wire, method string, status int, body string) harness.Response {
	t.Helper()
	answer, err := w.Answer(method)
	if err != nil || answer.Status != status || body != "" && string(answer.Body) != body {
		t.Fatalf("answered %s, %v; want %d %q", answer, err, status, body)
	}
	return answer
}

func arrives[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(wireBound):
		t.Fatal("nothing came of: " + what)
		panic("unreachable")
	}
}

func TestRequestsSentAtOnceAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	s, edge := open(t, echo)
	w := edge.Wire(t)
	const requests = 20
	var all strings.Builder
	for n := range requests {
		switch n % 4 {
		case 0:
			fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: %s\r\n\r\n", n, s.Host)
		case 1:
			fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: %s\r\nContent-Length: 3\r\n\r\nabc", n, s.Host)
		case 2:
			fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", n, s.Host)
		case 3:
			fmt.Fprintf(&all, "GET /%d/../refused HTTP/1.1\r\nHost: %s\r\n\r\n", n, s.Host)
		}
	}
	say(t, w, all.String())
	for n := range requests {
		switch n % 4 {
		case 0:
			answers(t, w, "GET", http.StatusOK, fmt.Sprintf("/%d ", n))
		case 3:
			if answer := answers(t, w, "GET", http.StatusBadRequest, ""); answer.Code() != "path_refused" {
				t.Errorf("request %d: %s", n, answer)
			}
		default:
			answers(t, w, "POST", http.StatusOK, fmt.Sprintf("/%d abc", n))
		}
	}
}

// A client that has said all that it has to say may end its side, and gets its answer.
func TestAClientThatEndsItsSideGetsItsAnswer(t *testing.T) {
	t.Parallel()
	s, edge := open(t, echo)
	w := edge.Wire(t)
	say(t, w, "POST /last HTTP/1.1\r\nHost: "+s.Host+"\r\nContent-Length: 3\r\n\r\nabc")
	if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answers(t, w, "POST", http.StatusOK, "/last abc")
	if rest, err := w.AwaitEnd(); err != nil || rest != "" {
		t.Errorf("then came %q, %v", rest, err)
	}
}

// endless sends a body until nobody takes it any more, and says how that ended.
func endless(w *harness.Wire) <-chan error {
	ended := make(chan error, 1)
	go func() {
		piece := strings.Repeat("x", 16<<10)
		for {
			if err := w.Say(piece); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

const hugeBody = "Content-Length: 1099511627776\r\n"

func TestAnAnswerThatComesBeforeTheUploadEndsReachesTheClient(t *testing.T) {
	t.Parallel()
	s, edge := open(t, func(w *harness.Wire) {
		request, err := http.ReadRequest(w.In)
		if err != nil {
			return
		}
		if _, err := io.ReadFull(request.Body, make([]byte, 1<<20)); err != nil {
			return
		}
		_ = w.Say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much")
		_, _ = io.Copy(io.Discard, w.In) // as long as somebody sends
	})
	for range 3 {
		w := edge.Wire(t)
		say(t, w, "POST /upload HTTP/1.1\r\nHost: "+s.Host+"\r\n"+hugeBody+"\r\n")
		sent := endless(w)
		answers(t, w, "POST", http.StatusRequestEntityTooLarge, "too much")
		_ = arrives(t, "an upload that was answered", sent) // whichever way it ended
	}
}

func TestARefusalDoesNotWaitForTheUpload(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	s.Protected(harness.NewUpstream(t, nil).Address)
	w := s.Edges()[0].Wire(t)
	say(t, w, "POST /upload HTTP/1.1\r\nHost: "+s.Host+"\r\n"+hugeBody+"\r\n")
	sent := endless(w)
	answers(t, w, "POST", http.StatusUnauthorized, "")
	_ = arrives(t, "an upload that was refused", sent) // whichever way it ended
}

// Neither a request that waits for its answer nor one that is being sent keeps a service busy once the client is gone.
func TestAServiceHearsThatTheClientIsGone(t *testing.T) {
	t.Parallel()
	asked, gone := make(chan string, 1), make(chan error, 1)
	s, edge := open(t, func(w *harness.Wire) {
		request, err := http.ReadRequest(w.In)
		if err != nil {
			return
		}
		select {
		case asked <- request.URL.Path:
		case <-w.Done:
			return
		}
		_, err = io.Copy(io.Discard, w.In)
		select {
		case gone <- err:
		case <-w.Done:
		}
	})
	for name, head := range map[string]string{"waits": "GET /waits HTTP/1.1\r\nHost: " + s.Host + "\r\n\r\n", "sends": "POST /sends HTTP/1.1\r\nHost: " + s.Host + "\r\n" + hugeBody + "\r\nbegins"} {
		for _, leave := range []func(*harness.Wire){(*harness.Wire).Reset, func(w *harness.Wire) { _ = w.Close() }} {
			w := edge.Wire(t)
			say(t, w, head)
			arrives(t, "a request that "+name, asked)
			leave(w)
			var timeout net.Error
			if err := arrives(t, "the leaving of a client that "+name, gone); errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("the service of a client that %s hears nothing", name)
			}
		}
	}
}

func TestEarlyHintsComeBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	hinted := make(chan struct{})
	s, edge := open(t, func(w *harness.Wire) {
		if _, err := w.Request(); err != nil {
			return
		}
		_ = w.Say("HTTP/1.1 102 Processing\r\n\r\n")
		_ = w.Say("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
		if w.Wait(hinted) {
			_ = w.Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	w := edge.Wire(t)
	say(t, w, "GET /page HTTP/1.1\r\nHost: "+s.Host+"\r\n\r\n")
	hint := answers(t, w, "GET", http.StatusEarlyHints, "")
	close(hinted) // the service answers only now: the hint came before
	if hint.Header.Get("Link") != "</style.css>; rel=preload" {
		t.Errorf("the hint has %v", hint.Header)
	}
	answers(t, w, "GET", http.StatusOK, "ok")
	old := edge.Wire(t) // knows of no interim answers
	say(t, old, "GET /page HTTP/1.0\r\nHost: "+s.Host+"\r\n\r\n")
	answers(t, old, "GET", http.StatusOK, "ok")
}

// A client that waits for leave to send its body gets it once somebody wants the body, and an answer at once where nobody does.
func TestABodyIsAskedForBeforeItIsSent(t *testing.T) {
	t.Parallel()
	s, edge := open(t, echo)
	w := edge.Wire(t)
	const expects = "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	for range 2 {
		say(t, w, "POST /wanted HTTP/1.1\r\nHost: "+s.Host+"\r\n"+expects)
		answers(t, w, "POST", http.StatusContinue, "")
		say(t, w, "abc")
		answers(t, w, "POST", http.StatusOK, "/wanted abc")
	}
	say(t, w, "POST /x/../y HTTP/1.1\r\nHost: "+s.Host+"\r\n"+expects)
	answers(t, w, "POST", http.StatusBadRequest, "")
	if rest, err := w.AwaitEnd(); err != nil || rest != "" {
		t.Errorf("nobody knows whether a body comes, and then came %q, %v", rest, err)
	}
}

// Whoever polls for long gets what there is at once, and the connection serves on.
func TestAnswersWithoutALengthPassPieceByPiece(t *testing.T) {
	t.Parallel()
	taken := make(chan struct{})
	s, edge := open(t, func(w *harness.Wire) {
		for {
			if _, err := w.Request(); err != nil {
				return
			}
			_ = w.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
			for n := range 3 {
				_ = w.Say(fmt.Sprintf("7\r\npiece %d\r\n", n))
				if !w.Wait(taken) {
					return
				}
			}
			_ = w.Say("0\r\nX-Sum: 42\r\n\r\n")
		}
	})
	w := edge.Wire(t)
	for range 2 {
		say(t, w, "GET /poll HTTP/1.1\r\nHost: "+s.Host+"\r\nConnection: te\r\nTE: trailers\r\n\r\n")
		answer, err := http.ReadResponse(w.In, &http.Request{Method: http.MethodGet})
		if err != nil {
			t.Fatal(err)
		}
		var piece [7]byte
		for n := range 3 {
			if _, err := io.ReadFull(answer.Body, piece[:]); err != nil || string(piece[:]) != fmt.Sprintf("piece %d", n) {
				t.Fatalf("piece %d reads %q, %v", n, piece, err)
			}
			taken <- struct{}{}
		}
		if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) != 0 || answer.Trailer.Get("X-Sum") != "42" {
			t.Errorf("behind the last piece came %q, %v, trailers %v", rest, err, answer.Trailer)
		}
	}
}
