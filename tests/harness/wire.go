package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Wire is one end of a connection on which a test says what it likes, byte by byte. It has a deadline from its beginning: nothing on it
// waits for ever.
type Wire struct {
	net.Conn

	// In is what the other end says.
	In *bufio.Reader
	// Done is closed at the test's end; nil: this is the client's side.
	Done <-chan struct{}
}

// Wait returns true once something came from a channel, and false when the test ends before: a service waits for nothing longer.
func (w *Wire) Wait(on <-chan struct{}) bool {
	select {
	case <-on:
		return true
	case <-w.Done:
		return false
	}
}

// Wire opens a connection to the edge.
func (e *Edge) Wire(t testing.TB) *Wire {
	t.Helper()
	w, err := e.Dial(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// Dial is Wire for many connections, whose owner closes them. A window, in bytes, bounds what the machine takes of answers that nobody
// reads; 0: the machine's own.
func (e *Edge) Dial(ctx context.Context, window int) (*Wire, error) {
	dialer := net.Dialer{Timeout: answerBound}
	if window > 0 {
		dialer.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			if err := raw.Control(func(fd uintptr) {
				failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, window) // #nosec G115 -- a descriptor
			}); err != nil {
				return err //nolint:wrapcheck // net says whose
			}
			return failed
		}
	}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(e.URL, "http://"))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e.Name, err)
	}
	return newWire(conn)
}

func newWire(conn net.Conn) (*Wire, error) {
	if err := conn.SetDeadline(time.Now().Add(2 * answerBound)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Wire{Conn: conn, In: bufio.NewReader(conn)}, nil
}

// Say sends text.
func (w *Wire) Say(text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("say %q: %w", text[:min(len(text), 64)], err)
	}
	return nil
}

// Answer reads the answer to a request of a method, an interim one too, and its body.
func (w *Wire) Answer(method string) (Response, error) {
	answer, err := http.ReadResponse(w.In, &http.Request{Method: method})
	if err != nil {
		return Response{}, fmt.Errorf("read an answer: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	got := Response{Status: answer.StatusCode, Header: answer.Header, Body: body}
	if err != nil {
		return got, fmt.Errorf("read the body of an answer: %w", err)
	}
	return got, nil
}

// AwaitEnd reads up to the connection's end, whichever way it comes, and returns what was said until then. An error says that it didn't come.
func (w *Wire) AwaitEnd() (said string, _ error) {
	rest, err := io.ReadAll(io.LimitReader(w.In, maxAnswer))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return string(rest), errors.New("the connection doesn't end") //nolint:err113 // for the test's log
	}
	return string(rest), nil
}

// Request reads a request and its body, as a service does.
func (w *Wire) Request() (Recorded, error) {
	request, err := http.ReadRequest(w.In)
	if err != nil {
		return Recorded{}, fmt.Errorf("read a request: %w", err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return Recorded{}, fmt.Errorf("read the body of a request: %w", err)
	}
	return Recorded{Method: request.Method, Target: request.RequestURI, Host: request.Host, Header: request.Header, Body: string(body)}, nil
}

// Reset ends the connection so that the other end hears of a failure.
func (w *Wire) Reset() {
	if conn, ok := w.Conn.(*net.TCPConn); ok {
		_ = conn.SetLinger(0)
	}
	_ = w.Close()
}

// NewWireUpstream starts a service below HTTP: each of its connections is served by a function, on a goroutine of its own, and closed
// when that returns. It ends with the test, and returns its address.
func NewWireUpstream(t testing.TB, serve func(*Wire)) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &wireUpstream{open: map[net.Conn]bool{}, done: make(chan struct{})}
	u.served.Go(func() { u.accept(listener, serve) })
	t.Cleanup(func() {
		_ = listener.Close()
		u.end()
	})
	return listener.Addr().String()
}

type wireUpstream struct {
	served sync.WaitGroup
	done   chan struct{}

	mu    sync.Mutex
	open  map[net.Conn]bool
	ended bool
}

func (u *wireUpstream) accept(listener net.Listener, serve func(*Wire)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		w, err := newWire(conn)
		if err != nil || !u.note(conn) {
			_ = conn.Close()
			continue
		}
		w.Done = u.done
		u.served.Go(func() {
			defer func() {
				_ = conn.Close()
				u.forget(conn)
			}()
			serve(w)
		})
	}
}

func (u *wireUpstream) note(conn net.Conn) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.open[conn] = true
	}
	return !u.ended
}

func (u *wireUpstream) forget(conn net.Conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.open, conn)
}

func (u *wireUpstream) end() {
	u.mu.Lock()
	u.ended = true
	close(u.done)
	for conn := range u.open {
		_ = conn.Close()
	}
	u.mu.Unlock()
	u.served.Wait()
}
