package configsync

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// attack is what somebody on the wire says to a node in the control plane's place.
type attack struct {
	kind attackKind
	pick uint64
}

type attackKind int

const (
	sayAgain    attackKind = iota // something that was said once, to whomever
	leaveOut                      // a delta without one of its changes
	lieInside                     // a snapshot of something else under the head
	crossLanes                    // what is true, but of the other lane
	attackKinds = iota
)

// talk is one stream with a node, led as the control plane leads it: one state on the way at a time, what happens meanwhile goes into
// the next, and the cursor moves by an Ack alone.
type talk struct {
	t    testing.TB
	c    *chronicle
	u    *unit
	lane edgev1.Lane
	send func(proto.Message) error

	boot     string // of the process at the other end
	cursor   state.Position
	digest   []byte
	onTheWay *moment
	refused  state.Position
	whole    bool
	beaten   uint64 // head that a beat has named
	attacked bool   // the node may complain
}

func (u *unit) serve(ctx context.Context, lane edgev1.Lane, send func(proto.Message) error, receive func() (*edgev1.SyncConfigurationRequest, error)) error {
	first, err := receive()
	if err != nil {
		return err
	}
	hello := first.GetHello()
	s := &talk{
		boot: hello.GetBoot(), t: u.t, c: u.c, u: u, lane: lane, send: send, digest: hello.GetDigest(), beaten: ^uint64(0),
		cursor: state.Position{Epoch: hello.GetEpoch(), Number: hello.GetNumber()},
	}
	if err := s.greet(); err != nil {
		return err
	}
	answers := make(chan *edgev1.SyncConfigurationRequest)
	go func() { // ends with the stream, which ends when this handler returns
		defer close(answers)
		for {
			m, err := receive()
			if err != nil {
				return
			}
			select {
			case answers <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		changed := u.c.changes()
		if err := s.advance(); err != nil {
			return err
		}
		select {
		case m, more := <-answers:
			if !more {
				return nil
			}
			if err := s.answered(m); err != nil {
				return err
			}
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errProtocol = errors.New("the node broke the protocol")

// greet holds what a node says of itself against what was signed for.
func (s *talk) greet() error {
	if s.cursor.Epoch == 0 {
		return nil
	}
	m := s.c.at(s.lane, s.cursor)
	if m == nil || !bytes.Equal(m.sum, s.digest) {
		s.c.broke("%v says hello at %v of %v with a state that nobody signed", s.u, s.cursor, s.lane)
		return errProtocol
	}
	return s.u.hasAcked(s.boot, s.lane, s.cursor)
}

// advance says the next thing, if there is one. A lie comes before it, or in its place.
func (s *talk) advance() error {
	for s.onTheWay == nil {
		lie, lied := s.u.nextAttack(s.lane, s.cursor)
		head, say := s.next(lie, lied)
		for _, m := range say {
			if err := s.send(m); err != nil {
				return err
			}
		}
		if s.onTheWay = head; !lied {
			return nil
		}
	}
	return nil
}

// next returns what to say; head is what is to be answered, nil: nothing.
func (s *talk) next(lie attack, lied bool) (head *moment, say []proto.Message) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	head = s.c.headLocked(s.lane)
	s.attacked = s.attacked || lied
	base := s.c.atLocked(s.lane, s.cursor)
	switch {
	case lied && lie.kind == sayAgain && len(s.c.said[s.lane]) > 0:
		return nil, s.c.said[s.lane][lie.pick%uint64(len(s.c.said[s.lane]))]
	case lied && lie.kind == crossLanes:
		other := laneDirectory
		if s.lane == laneDirectory {
			other = laneConfiguration
		}
		return nil, []proto.Message{s.beatOf(s.c.headLocked(other))}
	case head.position() == s.refused:
		return nil, s.beat(head)
	case s.whole || s.cursor.Epoch != head.epoch || lied && lie.kind == lieInside:
		return head, s.snapshot(head, lied && lie.kind == lieInside)
	case s.cursor.Number < head.number:
		return head, s.delta(base, head, lied && lie.kind == leaveOut)
	default:
		return nil, s.beat(head)
	}
}

// beat says once that there is nothing newer.
func (s *talk) beat(head *moment) []proto.Message {
	if s.beaten == head.number {
		return nil
	}
	s.beaten = head.number
	return s.remember(s.beatOf(head))
}

func (s *talk) beatOf(head *moment) proto.Message {
	signed := s.c.signing.sign(s.c.headOf(head))
	if s.lane == laneDirectory {
		return &edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Beat{Beat: signed}}
	}
	return beatOf(signed)
}

// headOf is the head of a moment, said now.
func (c *chronicle) headOf(m *moment) *edgev1.Head {
	head := m.head(c.signing)
	head.Digest = m.sum
	return head
}

// remember keeps what was said, for somebody to say again.
func (s *talk) remember(say ...proto.Message) []proto.Message {
	s.c.said[s.lane] = append(s.c.said[s.lane], say)
	return say
}

func (s *talk) delta(base, head *moment, short bool) []proto.Message {
	var objects []*edgev1.ObjectChange
	var entries []*edgev1.EntryChange
	seen := map[Ref]bool{}
	all := s.c.now().lanes[s.lane]
	for _, m := range all[base.number+1-all[0].number : head.number+1-all[0].number] {
		for _, ref := range m.changed {
			if !seen[ref] {
				seen[ref] = true
				objects = append(objects, &edgev1.ObjectChange{Collection: ref.Collection, Id: ref.ID, Object: head.content[ref]})
				entries = append(entries, &edgev1.EntryChange{Key: []byte(ref.ID), Entry: head.content[ref]})
			}
		}
	}
	if short && len(objects) > 0 {
		objects, entries = objects[1:], entries[1:]
	}
	signed := s.c.signing.sign(s.c.headOf(head))
	if s.lane == laneDirectory {
		d := &edgev1.DirectoryDelta{Head: signed, From: base.number, Changes: entries}
		return s.remember(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Delta{Delta: d}})
	}
	return s.remember(deltaOf(signed, base.number, objects...))
}

// snapshot is one in chunks of a few bytes.
func (s *talk) snapshot(head *moment, lying bool) []proto.Message {
	content := head.laneState
	if all := s.c.now().lanes[s.lane]; lying && len(all) > 1 {
		content = all[len(all)-2].laneState
	}
	compressed := compress(s.t, content.snapshot(s.t))
	var say []proto.Message
	for first := true; first || len(compressed) > 0; first = false {
		n := min(100, len(compressed))
		chunk := &edgev1.SnapshotChunk{Data: compressed[:n], Last: n == len(compressed)}
		if first {
			chunk.Head = s.c.signing.sign(s.c.headOf(head))
		}
		compressed = compressed[n:]
		if s.lane == laneDirectory {
			say = append(say, &edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Chunk{Chunk: chunk}})
			continue
		}
		say = append(say, chunkOf(chunk))
	}
	return s.remember(say...)
}

// answered takes an Ack or a Nack.
func (s *talk) answered(m *edgev1.SyncConfigurationRequest) error {
	if nack := m.GetNack(); nack != nil {
		return s.nacked(nack)
	}
	ack, to := m.GetAck(), s.onTheWay
	if to == nil { // of something that was said again
		to = s.c.at(s.lane, state.Position{Epoch: s.c.head(s.lane).epoch, Number: ack.GetNumber()})
	}
	if to == nil || ack.GetNumber() != to.number {
		return errProtocol
	}
	if !bytes.Equal(ack.GetDigest(), to.sum) {
		if !s.attacked { // else it may be true of an ended epoch, for a node that had nothing when it was shown that
			s.c.broke("%v acks %d of %v with another digest than was signed", s.u, ack.GetNumber(), s.lane)
		}
		return errProtocol
	}
	s.cursor, s.digest, s.onTheWay, s.whole, s.refused = to.position(), to.sum, nil, false, state.Position{}
	return s.u.hasAcked(s.boot, s.lane, s.cursor)
}

func (s *talk) nacked(nack *edgev1.Nack) error {
	code := nack.GetErrors()[0].GetCode()
	if code == codeDigestMismatch || code == codeLowerPosition || code == codeWrongBase {
		if !s.attacked {
			s.c.broke("%v refuses %d of %v, at %v before: %v", s.u, nack.GetNumber(), s.lane, s.cursor, nack.GetErrors()[0])
			return errProtocol
		}
	}
	switch {
	case nack.GetResync():
		s.onTheWay, s.whole = nil, true
	case s.onTheWay != nil && s.onTheWay.number == nack.GetNumber():
		s.refused, s.onTheWay = s.onTheWay.position(), nil
	}
	return nil
}
