package edgeapi

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// sync is the life of one stream.
func (s *Server) sync(ctx context.Context, w wire) error {
	identity, ok := identityOf(ctx)
	if !ok {
		return errNoIdentity
	}
	if err := s.cfg.Nodes.Admit(ctx, identity); err != nil {
		return s.failed(ctx, "admit", err)
	}
	// Ends the stream's goroutines; what they block in ends when the handler has returned.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	said := receive(ctx, w)
	hello, err := s.hello(ctx, said)
	if err != nil {
		return err
	}
	returned, err := s.cfg.Nodes.Arrive(ctx, identity, hello)
	if err != nil {
		return s.failed(ctx, "arrive", err)
	}
	lane, release, err := s.cfg.Lanes.Open(ctx, identity.Environment, w.lane())
	if err != nil {
		return s.failed(ctx, "open the lane", err)
	}
	defer release()
	if returned { // what it hears first is to have it in the fleet again
		if err := lane.Refresh(ctx); err != nil {
			return s.failed(ctx, "read the head", err)
		}
	}
	seat := s.cfg.Roster.Seat(identity, w.lane(), hello)
	defer seat.Leave()
	session, err := fleet.Greet(ctx, lane, identity, seat, hello, s.cfg.Logger)
	if err != nil {
		return s.failed(ctx, "greet", err)
	}
	defer session.Close()
	st := &stream{server: s, wire: w, lane: lane, seat: seat, session: session, said: said, sent: make(chan error, 1)}
	if st.news, err = s.news(ctx, w, identity, hello); err != nil {
		return s.failed(ctx, "take note of the node's trust", err)
	}
	st.record = s.record(ctx, w, identity, hello)
	if err := st.run(ctx); err != nil {
		return s.failed(ctx, "sync", err)
	}
	return nil
}

// hello waits for a stream's first message.
func (s *Server) hello(ctx context.Context, said <-chan heard) (*edgev1.Hello, error) {
	timer := time.NewTimer(s.times.Hello)
	defer timer.Stop()
	select {
	case h := <-said:
		switch {
		case h.err != nil:
			return nil, statusOf(h.err)
		case h.request.GetHello() == nil:
			return nil, errNoHello
		}
		return h.request.GetHello(), nil
	case <-timer.C:
		return nil, errNoHello
	case <-s.stopping:
		return nil, errStopping
	case <-ctx.Done():
		return nil, statusOf(ctx.Err())
	}
}

// heard is one message of a node, or why there are no more.
type heard struct {
	request request
	err     error
}

// receive reads a stream until it ends or ctx does. A node that speaks faster than it is answered is
// left waiting: nothing is queued here.
func receive(ctx context.Context, w wire) <-chan heard {
	said := make(chan heard)
	go func() {
		for {
			request, err := w.receive()
			select {
			case said <- heard{request, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return said
}

// stream is the loop that ties a session to the wire.
type stream struct {
	server  *Server
	wire    wire
	lane    *fleet.Lane
	seat    *fleet.Seat
	session *fleet.Session
	said    <-chan heard
	sent    chan error // capacity 1: the outcome of the send that is going on
	sending bool
	news    *news       // nil: the node follows no announcements, or not on this stream
	record  *record     // nil: the node isn't told of the audit record, or not on this stream
	late    *time.Timer // fires when the send that is going on has taken too long
}

// run returns nil when the node has ended the stream.
func (st *stream) run(ctx context.Context) error {
	times := st.server.times
	beat := time.NewTicker(times.Beat)
	defer beat.Stop()
	st.late = newStoppedTimer()
	defer st.late.Stop()
	answer, retry := newStoppedTimer(), newStoppedTimer()
	defer answer.Stop()
	defer retry.Stop()
	beatDue := true // the first one at once: it tells the node that it is current
	for {
		_, changed := st.lane.Head() // before looking what is next, so that nothing is missed
		announced, recorded := st.news.changed(), st.record.changed()
		if err := st.advance(ctx, &beatDue, answer); err != nil {
			return err
		}
		if wait, ok := st.session.Wait(); ok && !st.sending {
			retry.Reset(wait)
		}
		select {
		case <-changed:
		case <-announced:
		case <-recorded:
		case <-retry.C:
		case <-beat.C:
			beatDue = true
		case err := <-st.sent:
			st.sending = false
			st.late.Stop()
			if err != nil {
				return err
			}
		case h := <-st.said:
			if err := st.answered(ctx, h, answer); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
		case <-st.late.C:
			return errSlowNode
		case <-answer.C:
			return errNoAnswer
		case <-st.seat.Ended():
			return errEnded
		case <-st.server.stopping:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// advance sends the next thing, if there is one and nothing is being sent.
func (st *stream) advance(ctx context.Context, beatDue *bool, answer *time.Timer) error {
	if st.sending {
		return nil
	}
	if send := st.news.next(); send != nil { // first: what follows may be signed with a new key
		st.begin(send)
		return nil
	}
	step, err := st.session.Next(ctx)
	if err != nil {
		return err
	}
	if step != nil {
		*beatDue = false
		answer.Reset(st.patience(step))
		st.send(ctx, step)
		return nil
	}
	if send := st.record.next(); send != nil {
		st.begin(send)
		return nil
	}
	if !*beatDue {
		return nil
	}
	*beatDue = false
	signed, err := st.session.Beat()
	if err != nil || signed == nil {
		return err
	}
	st.begin(func() error { return st.wire.sendBeat(signed) })
	return nil
}

// patience is how long the node may take to answer: what it holds it has at hand, and others wait for it.
func (st *stream) patience(step *fleet.Step) time.Duration {
	if step.Recall != nil {
		return st.server.times.Recall
	}
	return st.server.times.Answer
}

func (st *stream) send(ctx context.Context, step *fleet.Step) {
	switch {
	case step.Recall != nil:
		st.begin(func() error { return st.wire.sendRecall(step.Recall) })
	case step.Delta != nil:
		st.begin(func() error { return st.wire.sendDelta(step.Signed, step.Delta) })
	default:
		st.begin(func() error { return st.sendSnapshot(ctx, step.Snapshot) })
	}
}

// begin sends in a goroutine of its own: a send blocks for as long as the node doesn't read, and can
// be ended only by ending the stream.
func (st *stream) begin(send func() error) {
	st.sending = true
	st.late.Reset(st.server.times.Send)
	go func() { st.sent <- send() }()
}

func (st *stream) sendSnapshot(ctx context.Context, snapshot *fleet.Snapshot) error {
	for i, data := range snapshot.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := &edgev1.SnapshotChunk{Data: data, Last: i == len(snapshot.Chunks)-1}
		if i == 0 {
			chunk.Head = snapshot.Signed
		}
		if err := st.wire.sendChunk(chunk); err != nil {
			return err
		}
		st.late.Reset(st.server.times.Send) // the deadline is each chunk's own
	}
	return nil
}

// answered passes a node's answer on to the session.
func (st *stream) answered(ctx context.Context, h heard, answer *time.Timer) error {
	if h.err != nil {
		return h.err
	}
	if believed, ok, err := st.news.believed(ctx, h.request); ok || err != nil {
		st.server.cfg.Logger.Debug("a node believes in a newer trust", "version", believed)
		return err
	}
	var err error
	switch {
	case h.request.GetAck() != nil:
		err = st.session.Ack(h.request.GetAck())
	case h.request.GetNack() != nil:
		err = st.session.Nack(h.request.GetNack())
	default:
		shown, ok := h.request.(showing)
		if !ok || shown.GetHoldings() == nil {
			return fleet.ErrProtocol
		}
		err = st.session.Holdings(ctx, shown.GetHoldings())
	}
	if !st.session.AwaitsAnswer() {
		answer.Stop()
	}
	return err
}

func newStoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
