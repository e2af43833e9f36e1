package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNobody is returned where no process can be asked.
var ErrNobody = errors.New("handover: no running process can be asked for its sockets")

// ErrGone is returned once the running process can't be heard any more: it has ended, or gone on without us. Who gets the right to write
// knows which; where nothing was offered yet, who gets the directory.
var ErrGone = errors.New("handover: the process to take over from is gone")

// offerTimeout is how long the running process may take to let its disk stand still.
const offerTimeout = 30 * time.Second

// Taking is a hand-over, seen by the next process.
type Taking struct {
	// From is the running process.
	From Peer
	// Files are what it hands over, by name. They are the caller's.
	Files map[string]*os.File

	wire  *wire
	until time.Time
}

// Ask asks the process that runs in a data directory to be taken over from.
func Ask(ctx context.Context, dir, build string) (*Taking, error) {
	conn, err := (&net.Dialer{Timeout: talkTimeout}).DialContext(ctx, "unix", filepath.Join(dir, socketFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("handover: a unix socket is a %T", conn) // never
	}
	w := &wire{conn: unix}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	t, err := ask(w, build)
	if err != nil {
		w.close()
		return nil, err
	}
	return t, nil
}

func ask(w *wire, build string) (*Taking, error) {
	user, process, err := peerOf(w.conn)
	if err != nil {
		return nil, err
	}
	if user != os.Geteuid() {
		return nil, fmt.Errorf("handover: the running process %d is user %d's, this one is user %d's", process, user, os.Geteuid())
	}
	if err := w.send(message{Kind: hello, Version: version, Process: os.Getpid(), Build: build}, talkTimeout); err != nil {
		return nil, fmt.Errorf("%w: process %d: %w", ErrGone, process, err)
	}
	m, err := w.receive(time.Now().Add(offerTimeout))
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil, fmt.Errorf("%w: process %d ended, or has just been taken over from, before it answered: %w", ErrGone, process, err)
	case err != nil:
		return nil, err
	case m.Kind == refused:
		return nil, fmt.Errorf("handover: process %d can't be taken over from: %.512s", process, m.Reason)
	case m.Kind != offer || len(m.Names) != len(w.files):
		return nil, fmt.Errorf("%w: %q with %d names and %d files where an offer is to be", errMessage, m.Kind, len(m.Names), len(w.files))
	}
	t := &Taking{From: Peer{Process: process, Build: m.Build}, Files: make(map[string]*os.File), wire: w, until: time.Now().Add(readyTimeout)}
	for i, name := range m.Names {
		if t.Files[name] != nil {
			return nil, fmt.Errorf("%w: two files are called %q", errMessage, name)
		}
		t.Files[name] = w.files[i]
	}
	w.files = nil
	return t, nil
}

// Until is when the running process loses its patience.
func (t *Taking) Until() time.Time { return t.until }

// Ready says that this process could serve, has heard of the directory up to at, and whether it is connected to the control plane. It returns true when it is its turn, else what must be heard
// before it is asked again.
func (t *Taking) Ready(at Position, connected bool) (turn bool, need Position, err error) {
	if err := t.wire.send(message{Kind: ready, Epoch: at.Epoch, Number: at.Number, Alone: !connected}, talkTimeout); err != nil {
		return false, need, fmt.Errorf("%w: %w", ErrGone, err)
	}
	m, err := t.wire.receive(time.Now().Add(talkTimeout))
	switch {
	case errors.Is(err, errMessage):
		return false, need, err
	case err != nil:
		return false, need, fmt.Errorf("%w: %w", ErrGone, err)
	case m.Kind == wait:
		return false, Position{m.Epoch, m.Number}, nil
	case m.Kind != serve:
		return false, need, fmt.Errorf("%w: %q where it is to be our turn", errMessage, m.Kind)
	}
	return true, need, nil
}

// Serving says that this process has the right to write, and accepts. Whether it is heard decides nothing any more.
func (t *Taking) Serving() {
	_ = t.wire.send(message{Kind: serving}, talkTimeout) // the one before may have ended
}

// Close ends the talk.
func (t *Taking) Close() { t.wire.close() }

// Listener returns a listening TCP socket out of its file, which is closed.
func Listener(file *os.File) (net.Listener, error) {
	defer file.Close()
	if err := listens(file); err != nil {
		return nil, err
	}
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("handover: it is no listening socket: %w", err)
	}
	if _, tcp := listener.(*net.TCPListener); !tcp {
		return nil, errors.Join(fmt.Errorf("handover: %s isn't a TCP socket", listener.Addr()), listener.Close())
	}
	return listener, nil
}

func listens(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	var listening int
	var failed error
	err = raw.Control(func(fd uintptr) {
		listening, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("handover: it is no socket: %w", err)
	}
	if listening == 0 {
		return errors.New("handover: it is a socket that doesn't listen")
	}
	return nil
}
