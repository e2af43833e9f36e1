package edgetest

import (
	"context"
	"errors"
	"fmt"
	"io"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Event is one thing that a stream said: a delta, a whole snapshot (its chunks joined), a beat, or a recall.
type Event struct {
	Head     *edgev1.SignedHead
	From     uint64
	Objects  []*edgev1.ObjectChange
	Entries  []*edgev1.EntryChange
	Delta    bool
	Snapshot []byte // compressed
	Chunks   int
	Beat     bool
	Trust    *edgev1.Announcements // alone
	Recall   *edgev1.Recall
}

// Stream is one open stream of a node.
type Stream struct {
	lane    edgev1.Lane
	receive func() (*Event, *edgev1.SnapshotChunk, error)
	say     func(*edgev1.Hello, *edgev1.Ack, *edgev1.Nack) error
	trusted func(version uint64) error // of the directory
	show    func(*edgev1.Holdings) error
	end     context.CancelFunc
}

// Open opens a stream and says hello. Where that comes too late, since the stream has ended, Next tells by what.
func (n *Node) Open(ctx context.Context, lane edgev1.Lane, hello *edgev1.Hello) (*Stream, error) {
	s, err := n.OpenSilent(ctx, lane)
	if err != nil {
		return nil, err
	}
	if err := s.say(hello, nil, nil); err != nil && !errors.Is(err, io.EOF) {
		s.end()
		return nil, err
	}
	return s, nil
}

// OpenSilent opens a stream and says nothing.
func (n *Node) OpenSilent(ctx context.Context, lane edgev1.Lane) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{lane: lane, end: cancel}
	var err error
	if lane == edgev1.Lane_LANE_CONFIGURATION {
		err = s.openConfiguration(ctx, n.client)
	} else {
		err = s.openDirectory(ctx, n.client)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

func (s *Stream) openConfiguration(ctx context.Context, client edgev1.EdgeServiceClient) error {
	stream, err := client.SyncConfiguration(ctx)
	if err != nil {
		return err
	}
	s.receive = func() (*Event, *edgev1.SnapshotChunk, error) {
		m, err := stream.Recv()
		if d := m.GetDelta(); d != nil {
			return &Event{Head: d.GetHead(), From: d.GetFrom(), Objects: d.GetChanges(), Delta: true}, nil, nil
		}
		return &Event{Head: m.GetBeat(), Beat: m.GetBeat() != nil}, m.GetChunk(), err
	}
	s.say = func(hello *edgev1.Hello, ack *edgev1.Ack, nack *edgev1.Nack) error {
		m := &edgev1.SyncConfigurationRequest{}
		switch {
		case hello != nil:
			m.Message = &edgev1.SyncConfigurationRequest_Hello{Hello: hello}
		case ack != nil:
			m.Message = &edgev1.SyncConfigurationRequest_Ack{Ack: ack}
		default:
			m.Message = &edgev1.SyncConfigurationRequest_Nack{Nack: nack}
		}
		return stream.Send(m)
	}
	return nil
}

func (s *Stream) openDirectory(ctx context.Context, client edgev1.EdgeServiceClient) error {
	stream, err := client.SyncDirectory(ctx)
	if err != nil {
		return err
	}
	s.receive = func() (*Event, *edgev1.SnapshotChunk, error) {
		m, err := stream.Recv()
		if d := m.GetDelta(); d != nil {
			return &Event{Head: d.GetHead(), From: d.GetFrom(), Entries: d.GetChanges(), Delta: true}, nil, nil
		}
		if m.GetTrust() != nil {
			return &Event{Trust: m.GetTrust()}, nil, nil
		}
		return &Event{Head: m.GetBeat(), Beat: m.GetBeat() != nil, Recall: m.GetRecall()}, m.GetChunk(), err
	}
	s.show = func(answer *edgev1.Holdings) error {
		return stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Holdings{Holdings: answer}})
	}
	s.trusted = func(version uint64) error {
		return stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Trusted{Trusted: &edgev1.Trusted{Version: version}}})
	}
	s.say = func(hello *edgev1.Hello, ack *edgev1.Ack, nack *edgev1.Nack) error {
		m := &edgev1.SyncDirectoryRequest{}
		switch {
		case hello != nil:
			m.Message = &edgev1.SyncDirectoryRequest_Hello{Hello: hello}
		case ack != nil:
			m.Message = &edgev1.SyncDirectoryRequest_Ack{Ack: ack}
		default:
			m.Message = &edgev1.SyncDirectoryRequest_Nack{Nack: nack}
		}
		return stream.Send(m)
	}
	return nil
}

// Close ends the stream.
func (s *Stream) Close() { s.end() }

// Next returns the next thing that the stream says. A snapshot is one event.
func (s *Stream) Next() (*Event, error) {
	event, chunk, err := s.receive()
	if err != nil || chunk == nil {
		return event, err
	}
	whole := &Event{Head: chunk.GetHead()}
	for {
		whole.Snapshot = append(whole.Snapshot, chunk.GetData()...)
		whole.Chunks++
		if chunk.GetLast() {
			return whole, nil
		}
		if _, chunk, err = s.receive(); err != nil {
			return nil, err
		}
		if chunk == nil {
			return nil, errors.New("something else inside a snapshot")
		}
	}
}

// NextState is Next without the beats.
func (s *Stream) NextState() (*Event, error) {
	for {
		event, err := s.Next()
		if err != nil || !event.Beat {
			return event, err
		}
	}
}

// Ack says that a replica now holds what it was sent.
func (s *Stream) Ack(r *Replica) error {
	return s.say(nil, &edgev1.Ack{Number: r.Number, Digest: r.Digest()}, nil)
}

// Trusted says what the node believes in.
func (s *Stream) Trusted(version uint64) error { return s.trusted(version) }

// Nack refuses a state.
func (s *Stream) Nack(nack *edgev1.Nack) error { return s.say(nil, nil, nack) }

// Show answers a recall.
func (s *Stream) Show(answer *edgev1.Holdings) error { return s.show(answer) }

// Apply applies an event to a replica, and says nothing.
func (s *Stream) Apply(r *Replica, event *Event) error {
	switch {
	case event.Beat:
		_, err := r.Verify(event.Head)
		return err
	case event.Delta:
		return r.ApplyDelta(event.Head, event.From, event.Objects, event.Entries)
	case event.Snapshot != nil:
		return r.ApplySnapshot(event.Head, event.Snapshot)
	}
	return errors.New("an empty message")
}

// Follow opens a stream for a replica, applies what comes and acks it, until ctx ends or the stream
// does. applied is told of each number that is in force, the replica's at the start included.
func (n *Node) Follow(ctx context.Context, r *Replica, applied func(number uint64)) error {
	s, err := n.Open(ctx, r.lane, r.Hello())
	if err != nil {
		return err
	}
	defer s.Close()
	applied(r.Number)
	for {
		event, err := s.Next()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if event.Recall != nil {
			if err := s.Show(r.Holdings(event.Recall)); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		if err := s.Apply(r, event); err != nil {
			return fmt.Errorf("apply at %d: %w", r.Number, err)
		}
		if event.Beat {
			continue
		}
		applied(r.Number)
		if err := s.Ack(r); err != nil && ctx.Err() == nil {
			return err
		}
	}
}
