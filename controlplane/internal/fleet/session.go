package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	leastResyncPause = time.Second
	mostResyncPause  = time.Minute
	// maxNackErrors bounds what is kept of one Nack.
	maxNackErrors = 100
)

// ErrProtocol says that a node said something that doesn't fit what it was sent.
var ErrProtocol = errors.New("the node broke the sync protocol")

// ErrNewEpoch ends a stream when a new epoch began under it: the next one's Hello says what the node holds.
var ErrNewEpoch = problem.Errorf(problem.Unavailable, "a new epoch began; say hello again")

// Step is one thing to send to a node. Exactly one of Delta, Snapshot and Recall is set.
type Step struct {
	Head     LaneHead
	Signed   *edgev1.SignedHead
	Delta    *Delta
	Snapshot *Snapshot
	Recall   *edgev1.Recall
}

// Session is the conversation with one node on one lane: it knows what the node holds, what is on
// the way to it, and what to send next. One delta is on the way at a time; everything that happens
// meanwhile goes into the next. The cursor moves only by an Ack. A Session is used by one goroutine.
type Session struct {
	lane     *Lane
	identity Identity
	seat     *Seat
	log      *slog.Logger
	now      func() time.Time

	epoch    uint64         // in which the node is served
	recall   Recall         // the node is asked for what it holds first; nil: it isn't, or no more
	question *edgev1.Recall // what to ask next
	asked    bool           // it was asked, and hasn't answered in full
	heard    bool           // what it knew of an ended epoch is known here
	foreign  bool           // what it said that it holds is of another history, and it proves nothing
	cursor   Position
	inFlight *LaneHead // sent, not answered
	snapshot *Snapshot // what inFlight is sent as; nil: a delta
	refused  *LaneHead // answered by a Nack: not sent again
	whole    bool      // the node needs a snapshot
	backoff  time.Duration
	notUntil time.Time // no snapshot before this, after a resync
}

// Greet begins a session by the node's Hello, and Close ends it. A Hello that isn't of the database's history is proof, if it comes
// with our own signature, that the database went back: a new epoch is opened, and the node is asked for what it holds before it
// is served. A Hello ahead of the database without that proof is refused with problem.PositionAhead: a node's word alone opens nothing, and
// serving it would revive what was revoked.
func Greet(ctx context.Context, lane *Lane, identity Identity, seat *Seat, hello *edgev1.Hello, log *slog.Logger) (*Session, error) {
	s := &Session{
		lane: lane, identity: identity, seat: seat, now: time.Now,
		log:    log.With("node", identity.Node, "environment", identity.Environment, "lane", laneName(lane.kind)),
		cursor: Position{Epoch: hello.GetEpoch(), Number: hello.GetNumber(), Digest: hello.GetDigest()},
	}
	if err := s.place(ctx, lane.prove(identity, hello)); err != nil {
		return nil, err
	}
	if s.foreign {
		seat.hold(Position{Digest: []byte{}}) // its number says nothing here
		return s, nil
	}
	seat.hold(s.cursor)
	return s, nil
}

// Close gives back what the session held.
func (s *Session) Close() {
	if s.recall != nil {
		s.recall.Close()
	}
}

// mismatch raises the alarm over a digest that differs from ours.
func (s *Session) mismatch(where string) {
	s.lane.stats.Mismatches.Add(1)
	s.log.Error("a node's digest differs from ours: it gets a snapshot", "where", where, "number", s.cursor.Number)
}

// Next returns what to send now; nil when there is nothing, or when an answer is awaited.
// What it returned counts as sent.
func (s *Session) Next(ctx context.Context) (*Step, error) {
	if s.inFlight != nil || s.asked {
		return nil, nil
	}
	head, signed, err := s.lane.Signed()
	if err != nil {
		return nil, err
	}
	switch {
	case head.Epoch != s.epoch:
		return nil, ErrNewEpoch
	case s.recall != nil:
		s.asked = true
		return &Step{Recall: s.question}, nil
	case s.waits(head):
		return nil, nil
	}
	if s.whole || s.cursor.Epoch != head.Epoch {
		s.whole = true
		// Nothing older than the head: a node decides by its first state as soon as it has it, and in
		// an older one a key may live that was revoked since.
		return s.nextSnapshot(ctx, head.Number)
	}
	if s.cursor.Number >= head.Number || s.refusedAlready(head) {
		return nil, nil
	}
	delta, err := s.lane.delta(ctx, s.cursor.Number, head)
	if errors.Is(err, errTooBig) {
		return s.nextSnapshot(ctx, head.Number)
	}
	if err != nil {
		return nil, fmt.Errorf("read a delta: %w", err)
	}
	if delta.Head.Position().Equal(head.Position()) {
		return s.sent(&Step{Head: head, Signed: signed, Delta: delta}), nil
	}
	return s.sent(&Step{Head: delta.Head, Signed: delta.Signed, Delta: delta}), nil
}

// refusedAlready tells whether the node has refused this head: only a newer one is worth sending.
func (s *Session) refusedAlready(head LaneHead) bool {
	return s.refused != nil && head.Epoch == s.refused.Epoch && head.Number <= s.refused.Number
}

// nextSnapshot returns a snapshot at least as new as least, and as what the node holds.
func (s *Session) nextSnapshot(ctx context.Context, least uint64) (*Step, error) {
	head, _ := s.lane.Head()
	if s.refusedAlready(head) || s.now().Before(s.notUntil) {
		return nil, nil
	}
	if s.cursor.Epoch == head.Epoch {
		least = max(least, s.cursor.Number)
	}
	if s.refused != nil && s.refused.Epoch == head.Epoch {
		least = max(least, s.refused.Number+1)
	}
	snapshot, err := s.lane.full(ctx, least)
	if err != nil {
		return nil, fmt.Errorf("build a snapshot: %w", err)
	}
	if snapshot.Head.Epoch != s.epoch {
		return nil, ErrNewEpoch
	}
	return s.sent(&Step{Head: snapshot.Head, Signed: snapshot.Signed, Snapshot: snapshot}), nil
}

func (s *Session) sent(step *Step) *Step {
	head := step.Head
	s.inFlight, s.snapshot = &head, step.Snapshot
	if step.Snapshot != nil {
		s.lane.stats.SnapshotsSent.Add(1)
	} else {
		s.lane.stats.DeltasSent.Add(1)
	}
	return step
}

// Wait returns how long until Next may return something although nothing happens; false when only
// an event will change its answer.
func (s *Session) Wait() (time.Duration, bool) {
	left := s.notUntil.Sub(s.now())
	if head, _ := s.lane.Head(); s.waits(head) {
		left = max(left, head.RecallUntil.Sub(s.now()))
	}
	if s.inFlight != nil || s.asked || !s.whole || left <= 0 {
		return 0, false
	}
	return left, true
}

// AwaitsAnswer tells whether something is on the way that the node has yet to answer.
func (s *Session) AwaitsAnswer() bool { return s.inFlight != nil || s.asked }

// Beat returns the signed head to say that nothing more is to come for now; nil while something is
// on the way, or when the node is in another history. A node that has refused the head hears of it
// too: it knows then that it is behind, and that we are there.
func (s *Session) Beat() (*edgev1.SignedHead, error) {
	if s.inFlight != nil || s.asked {
		return nil, nil
	}
	head, signed, err := s.lane.Signed()
	if err != nil {
		return nil, err
	}
	if head.Number < s.cursor.Number || s.cursor.Epoch != head.Epoch {
		return nil, nil
	}
	s.lane.stats.Beats.Add(1)
	return signed, nil
}

// Ack moves the cursor to what was on the way, or to what a beat named: changes that took each other
// back leave the node where the beat says that it is. A digest that differs from ours is taken as a
// Nack that asks for a snapshot.
func (s *Session) Ack(ack *edgev1.Ack) error {
	if s.inFlight == nil {
		return s.ackBeat(ack)
	}
	if ack.GetNumber() != s.inFlight.Number {
		return fmt.Errorf("%w: an ack of %d, which is not on the way", ErrProtocol, ack.GetNumber())
	}
	if !bytes.Equal(ack.GetDigest(), s.inFlight.Digest) {
		s.mismatch("in its ack")
		s.resync()
		return nil
	}
	s.lane.stats.Acks.Add(1)
	s.move(s.inFlight.Position())
	return nil
}

func (s *Session) ackBeat(ack *edgev1.Ack) error {
	head, _ := s.lane.Head()
	digest, known := s.lane.known.Get(ack.GetNumber())
	if !known || ack.GetNumber() < s.cursor.Number || !bytes.Equal(digest, ack.GetDigest()) {
		return fmt.Errorf("%w: an ack of %d, which was neither sent nor named by a beat", ErrProtocol, ack.GetNumber())
	}
	s.move(Position{Epoch: head.Epoch, Number: ack.GetNumber(), Digest: digest})
	return nil
}

// move puts the cursor where the node now is.
func (s *Session) move(to Position) {
	s.cursor = to
	s.inFlight, s.refused, s.whole, s.backoff, s.notUntil = nil, nil, false, 0, time.Time{}
	s.seat.hold(s.cursor)
}

// Nack records why the node refused what was on the way. It stays unsent until there is a newer
// head, unless the node asks for a snapshot.
func (s *Session) Nack(nack *edgev1.Nack) error {
	s.lane.stats.Nacks.Add(1)
	if nack.GetResync() {
		s.mismatch("in its nack")
		s.resync()
		return nil
	}
	if s.inFlight == nil || nack.GetNumber() != s.inFlight.Number {
		// It could not even read what it got; it will end the stream.
		s.log.Error("a node refused a message", "first", firstError(cleanErrors(nack.GetErrors())))
		return nil
	}
	errs := cleanErrors(nack.GetErrors())
	s.log.Warn("a node refused a state and keeps what it had",
		"number", s.inFlight.Number, "serves", s.cursor.Number, "errors", len(nack.GetErrors()), "first", firstError(errs))
	s.refused, s.inFlight = s.inFlight, nil
	s.seat.refuse(*s.refused, errs)
	return nil
}

// resync makes the next thing sent a snapshot: at once the first time, then ever later.
func (s *Session) resync() {
	if s.inFlight != nil && s.snapshot != nil {
		s.lane.dropSnapshot(s.snapshot) // it may be what is wrong
	}
	s.inFlight, s.whole = nil, true
	if s.backoff > 0 {
		s.notUntil = s.now().Add(s.backoff)
	}
	s.backoff = min(max(leastResyncPause, 2*s.backoff), mostResyncPause)
}

// cleanErrors bounds what a node gives as its reasons.
func cleanErrors(errs []*edgev1.ObjectError) []*edgev1.ObjectError {
	kept := make([]*edgev1.ObjectError, 0, min(len(errs), maxNackErrors))
	for _, e := range errs[:min(len(errs), maxNackErrors)] {
		kept = append(kept, &edgev1.ObjectError{
			Collection: clean(e.GetCollection(), 64),
			Id:         clean(e.GetId(), 64),
			Pointer:    clean(e.GetPointer(), 512),
			Code:       clean(e.GetCode(), 64),
			Message:    clean(e.GetMessage(), 1024),
		})
	}
	return kept
}

func firstError(errs []*edgev1.ObjectError) string {
	if len(errs) == 0 {
		return ""
	}
	e := errs[0]
	return fmt.Sprintf("%s %s%s: %s: %s", e.GetCollection(), e.GetId(), e.GetPointer(), e.GetCode(), e.GetMessage())
}
