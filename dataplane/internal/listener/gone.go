package listener

import (
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const (
	// firstLook is how long a request has taken when its client is looked for the first time: most are answered by then.
	firstLook = 50 * time.Millisecond
	// nextLook is between two looks.
	nextLook = 500 * time.Millisecond
	// halfClosed is how long one that sends nothing more may wait for something of its answer.
	halfClosed = time.Second
)

// presence is what is known of a client.
type presence uint8

const (
	there presence = iota
	ended          // it sends nothing more, and may read still
	broken
)

// watch looks for the client while a request is served. It is guarded by the clock's lock.
type watch struct {
	raw   syscall.RawConn // nil: nobody can look
	peek  func(fd uintptr)
	byte  [1]byte
	found presence
	bytes bool // of the client wait to be read
	blind bool // what lies in between (TLS) has a word of its own for an end, which hides the connection's

	abort *pipeline.Abort // nil: nothing is served
	since time.Time       // since when the client has been half gone, and got nothing; zero: it isn't
	moved atomic.Bool     // something was written since the last look
}

func (w *watch) open(raw syscall.RawConn, blind bool) {
	w.raw, w.blind = raw, blind
	w.peek = w.peeked
}

func (w *watch) begin(abort *pipeline.Abort) { w.abort, w.since = abort, time.Time{} }

func (w *watch) end() { w.abort = nil }

func (w *watch) abortNow() {
	if w.abort != nil {
		w.abort.Because(pipeline.ErrGone)
	}
}

// finds tells whether there is something to be read: bytes, or an end. Of what lies behind TLS nobody can tell.
func (w *watch) finds() bool {
	if w.raw == nil || w.blind {
		return false
	}
	return w.raw.Control(w.peek) != nil || w.bytes || w.found != there
}

// look aborts the exchange if its client is gone, and returns when to look again; 0: not any more.
func (w *watch) look(now time.Time) time.Duration {
	if w.raw == nil || w.abort == nil {
		return 0
	}
	if w.raw.Control(w.peek) != nil {
		w.found = broken // it is closed already
	}
	switch w.found {
	case broken:
		w.abortNow()
		return 0
	case ended:
		if moved := w.moved.Swap(false); moved || w.since.IsZero() {
			w.since = now
		}
		if now.Sub(w.since) >= halfClosed {
			w.abortNow()
			return 0
		}
		return halfClosed / 2
	case there:
	}
	return nextLook
}

// peeked looks at the connection without taking anything from it, and without waiting.
func (w *watch) peeked(fd uintptr) {
	n, err := peek(fd, w.byte[:])
	w.bytes = n > 0
	switch {
	case n > 0 && w.blind && hungUp(fd):
		w.found = ended
	case n > 0 || err == syscall.EAGAIN || err == syscall.EINTR: //nolint:errorlint // an errno, bare
		w.found = there
	case err == nil:
		w.found = ended
	default:
		w.found = broken
	}
}

func peek(fd uintptr, p []byte) (int, error) {
	n, _, err := syscall.Recvfrom(int(fd), p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n, err //nolint:wrapcheck // an errno, bare
}
