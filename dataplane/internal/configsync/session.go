package configsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// errSilent ends a stream on which nothing came for too long: beats would have.
var errSilent = errors.New("nothing heard from the control plane")

// partTimeout is how long the other side may take to end a stream that the node has ended.
const partTimeout = 2 * time.Second

// session is the life of one stream.
type session struct {
	lane    *lane
	link    link
	silence time.Duration
	cancel  context.CancelCauseFunc // ends the stream
	resyncs *pause                  // between demands for a snapshot
	healthy func()                  // called when a state was acked or confirmed
	now     func() time.Time

	waiting bool // for a snapshot that was demanded
}

// run says hello, then handles what comes until the stream ends or must be ended.
func (s *session) run(ctx context.Context, config Config) error {
	if err := s.link.hello(s.lane.hello(config)); err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	for {
		m, err := s.receive()
		arrived := s.now()
		if err == nil {
			err = s.handle(ctx, m, arrived)
		}
		if err != nil {
			return err
		}
	}
}

// receive waits for the next message, but not forever.
func (s *session) receive() (received, error) {
	watch := time.AfterFunc(s.silence, func() { s.cancel(errSilent) })
	defer watch.Stop()
	return s.link.receive()
}

// handle handles one message. Its error ends the stream.
func (s *session) handle(ctx context.Context, m received, arrived time.Time) error {
	if m.trust != nil {
		if m.fault != nil {
			return s.refuse(0, m.fault.thenReconnect())
		}
		return s.learn(m.trust)
	}
	if m.audit != nil {
		if m.fault != nil {
			return s.refuse(0, m.fault.thenReconnect())
		}
		s.lane.witness.take(m.audit)
		return nil
	}
	if m.recall != nil {
		return s.handleRecall(m.recall, m.fault)
	}
	signed := m.head
	if m.chunk != nil {
		signed = m.chunk.GetHead()
	}
	h, err := s.check(ctx, signed)
	if err != nil {
		s.lane.stats.refusedHeads.Add(1)
		return s.refuse(h.number, asRefusal(err))
	}
	switch {
	case m.beat:
		return s.handleBeat(ctx, h, m.fault)
	case m.fault != nil && m.chunk != nil && !m.chunk.GetLast(): // the rest would be in the way
		return s.refuse(h.number, m.fault.thenReconnect())
	case m.fault != nil:
		return s.refuse(h.number, m.fault)
	case m.chunk != nil:
		return s.handleSnapshot(ctx, h, m.chunk, arrived)
	default:
		return s.settle(ctx, h, arrived, s.lane.delta(ctx, h, m.delta))
	}
}

// handleBeat takes note of a beat. Beats aren't answered: where one shows that the two sides differ,
// the next stream's Hello tells the other.
func (s *session) handleBeat(ctx context.Context, h head, fault *refusal) error {
	if s.waiting {
		return nil // the snapshot will tell more
	}
	if fault != nil {
		return fault
	}
	if err := s.lane.beat(ctx, h); err != nil {
		return err
	}
	s.alive()
	return nil
}

func (s *session) handleSnapshot(ctx context.Context, h head, first *edgev1.SnapshotChunk, arrived time.Time) error {
	s.waiting = false
	data := newChunks(first, s.lane.content.limits().compressed, s.nextChunk)
	err := s.lane.snapshot(ctx, h, data)
	// What the decoder left: the rest of a refused snapshot, or a last chunk without data.
	if broken := data.drain(); broken != nil {
		if r := (*refusal)(nil); errors.As(broken, &r) {
			return s.refuse(h.number, r)
		}
		return broken
	}
	return s.settle(ctx, h, arrived, err)
}

func (s *session) nextChunk() (*edgev1.SnapshotChunk, error) {
	m, err := s.receive()
	if err != nil {
		return nil, err
	}
	if m.chunk == nil {
		return nil, &refusal{code: codeMalformed, reaction: reconnect, detail: "something else inside a snapshot"}
	}
	if m.fault != nil {
		return nil, m.fault.thenReconnect()
	}
	return m.chunk, nil
}

// settle acks what was applied and nacks what was refused.
func (s *session) settle(ctx context.Context, h head, arrived time.Time, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return s.ack(ctx, arrived)
	}
	r := asRefusal(err)
	if r.reaction == resync {
		// Snapshots are dear for both sides: one that won't match shan't be sent again and again.
		if err := s.resyncs.wait(ctx); err != nil {
			return err
		}
		s.waiting = true
	}
	return s.refuse(h.number, r)
}

func (s *session) ack(ctx context.Context, arrived time.Time) error {
	now := s.lane.held.Load()
	took := s.now().Sub(arrived)
	s.lane.stats.acks.Add(1)
	s.lane.log.Log(ctx, s.lane.news, "in force", "number", now.number, "epoch", now.epoch, "took_us", took.Microseconds())
	s.resyncs.reset()
	s.alive()
	if err := s.link.ack(&edgev1.Ack{Number: now.number, Digest: now.digest[:], Took: durationpb.New(took)}); err != nil {
		return fmt.Errorf("ack: %w", err)
	}
	return nil
}

// refuse says why a state isn't taken. Its error ends the stream, if it must end.
func (s *session) refuse(number uint64, r *refusal) error {
	s.lane.stats.nacks.Add(1)
	level := slog.LevelError
	if r.expected {
		level = slog.LevelInfo
	}
	s.lane.log.Log(context.Background(), level, "refused; the node keeps what it holds", "number", number, "code", r.code, "reason", r.detail, "objects", len(r.objects))
	if err := s.link.nack(r.nack(number)); err != nil {
		return fmt.Errorf("nack: %w", err)
	}
	if r.reaction == reconnect {
		s.part()
		return r
	}
	return nil
}

// part ends a stream in good order: what was said last must arrive, and a stream that is merely
// dropped may take it along.
func (s *session) part() {
	watch := time.AfterFunc(partTimeout, func() { s.cancel(nil) })
	defer watch.Stop()
	err := s.link.closeSend()
	for err == nil {
		_, err = s.link.receive()
	}
}

func (s *session) alive() {
	s.lane.stats.connected.Store(true)
	s.lane.wasAsked()
	s.healthy()
}
