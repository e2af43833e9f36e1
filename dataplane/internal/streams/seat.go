package streams

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/problem"
)

// Wire is the client's side of an exchange.
type Wire interface {
	// Cut makes what waits for the client fail. It may be called by any goroutine, more than once.
	Cut()
}

// Ended is the cause with which a long exchange's context is cancelled.
//
//nolint:errname // an outcome, that travels as an error only since a cause is one
type Ended struct {
	// Reason is the code with which the caller would be refused now.
	Reason problem.Code
}

// Error makes it a cause.
func (e *Ended) Error() string { return "the stream was ended: " + string(e.Reason) }

// Seat is an exchange's place among those under way. The zero value is a free one.
type Seat struct {
	// Guarded by the lock of where the seat is: its stripe's while it is young, the registry's once it is indexed.
	prev, next *Seat
	caller     directory.Bearer // what the exchange was let in by
	since      time.Time
	cancel     context.CancelCauseFunc
	wire       Wire
	stripe     uint32
	state      seatState
	ended      *Ended
	endedAt    time.Time
}

type seatState uint8

const (
	free seatState = iota
	young
	indexed
)

// line is a list of seats, the oldest first.
type line struct{ oldest, newest *Seat }

func (l *line) add(s *Seat) {
	s.prev, s.next = l.newest, nil
	if l.newest == nil {
		l.oldest = s
	} else {
		l.newest.next = s
	}
	l.newest = s
}

func (l *line) remove(s *Seat) {
	if s.prev == nil {
		l.oldest = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.newest = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}
