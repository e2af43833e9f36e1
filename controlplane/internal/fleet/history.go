package fleet

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Epochs opens the next epoch when the database went back, and takes back from nodes what it lost that denies. See Histories.
type Epochs interface {
	// Open begins the next epoch if the database doesn't know a state.
	Open(ctx context.Context, found epochs.Evidence) (bool, error)
	// Witness takes note of how far an ended epoch went.
	Witness(ctx context.Context, found epochs.Evidence) error
	// Recall begins to ask a node for what it holds; nil if there is nothing to ask.
	Recall(ctx context.Context, said epochs.Evidence) (Recall, error)
}

// Recall is a node's being asked for what its directory holds, before it is served.
type Recall interface {
	// Next returns what to ask now; nil while the rest of an answer is awaited.
	Next() *edgev1.Recall
	// Take takes an answer, or a part of one, and tells whether nothing more is to be asked.
	Take(ctx context.Context, answer *edgev1.Holdings) (done bool, err error)
	Close()
}

// Histories makes package epochs what lanes ask.
type Histories struct{ *epochs.Epochs }

// Recall implements Epochs.
func (h Histories) Recall(ctx context.Context, said epochs.Evidence) (Recall, error) {
	recall, err := h.Epochs.Recall(ctx, said)
	if recall == nil || err != nil {
		return nil, err // not a Recall that is nil
	}
	return recall, nil
}

// recallCapability is what a node must have to prove anything: who proves is asked for what it holds, and others would end the stream.
const recallCapability = 2

// standing is where a position is beside the database's history.
type standing uint8

const (
	standsNowhere standing = iota // it holds nothing yet
	standsHere                    // in the history, or further back than is remembered
	standsAhead                   // where the history hasn't come to
	standsForeign                 // beside a state of another digest
	standsEnded                   // in an epoch that has ended
)

// stand tells where a position is beside the history as this replica knows it.
func (l *Lane) stand(ctx context.Context, p Position, head LaneHead) (standing, error) {
	switch {
	case p.Epoch == 0:
		return standsNowhere, nil
	case p.Epoch > head.Epoch || p.Epoch == head.Epoch && p.Number > head.Number:
		return standsAhead, nil
	case p.Epoch < head.Epoch:
		return standsEnded, nil
	}
	if digest, ok := l.known.Get(p.Number); ok {
		return foreignUnless(bytes.Equal(digest, p.Digest)), nil
	}
	ctx, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	digest, kept, err := l.source.digestAt(ctx, p.Epoch, p.Number)
	if err != nil {
		return standsHere, fmt.Errorf("read the digest of an earlier state: %w", err)
	}
	if len(digest) > 0 {
		l.known.Add(p.Number, digest)
	}
	return foreignUnless(!kept || bytes.Equal(digest, p.Digest)), nil
}

func foreignUnless(same bool) standing {
	if same {
		return standsHere
	}
	return standsForeign
}

// prove returns the evidence in a Hello: what it says that the node holds, under our own signature. nil: there is none.
func (l *Lane) prove(identity Identity, hello *edgev1.Hello) *epochs.Evidence {
	if hello.GetHead() == nil || hello.GetCapability() < recallCapability || l.epochs == nil {
		return nil
	}
	head, err := l.signer.Verify(hello.GetHead())
	if err != nil {
		l.log.Warn("a node's hello comes with a head that isn't ours", "node", identity.Node, "error", err)
		return nil
	}
	if head.GetEnvironment() != l.environment || head.GetLane() != l.kind || head.GetEpoch() != hello.GetEpoch() ||
		head.GetNumber() != hello.GetNumber() || !bytes.Equal(head.GetDigest(), hello.GetDigest()) {
		l.log.Warn("a node's hello comes with a head of something else", "node", identity.Node)
		return nil
	}
	return &epochs.Evidence{
		Environment: l.environment, Lane: l.kind, Epoch: head.GetEpoch(), Number: head.GetNumber(), Digest: head.GetDigest(), Node: identity.Node,
	}
}

// sameHistory makes sure that a head just read is of the history that an earlier one was read from. If it isn't, the database went
// back, and what this replica remembers is the evidence: the head of the new epoch is returned.
func (l *Lane) sameHistory(ctx context.Context, before, head LaneHead) (LaneHead, error) {
	if l.epochs == nil || before.Epoch == 0 || before.Epoch < head.Epoch || before.Position().Equal(head.Position()) {
		return head, nil
	}
	if before.Epoch == head.Epoch && before.Number <= head.Number {
		digest, kept, err := l.source.digestAt(ctx, before.Epoch, before.Number)
		if err != nil || !kept || bytes.Equal(digest, before.Digest) {
			return head, err
		}
	}
	remembered := epochs.Evidence{Environment: l.environment, Lane: l.kind, Epoch: before.Epoch, Number: before.Number, Digest: before.Digest}
	opened, err := l.epochs.Open(ctx, remembered)
	if err == nil && !opened {
		err = l.epochs.Witness(ctx, remembered) // the other lane, or another replica, was first
	}
	if err != nil {
		return head, err
	}
	return l.source.head(ctx)
}

// place finds what the node holds in the history, and what must come before it is served. Another replica may have told the node of
// a commit that this one has yet to see, and what is proved makes a new epoch: then it is looked at again.
func (s *Session) place(ctx context.Context, proof *epochs.Evidence) error {
	for tries := 0; ; tries++ {
		head, _ := s.lane.Head()
		at, err := s.lane.stand(ctx, s.cursor, head)
		if err != nil {
			return err
		}
		s.epoch = head.Epoch
		switch {
		case at == standsHere:
			return nil
		case at == standsNowhere:
			s.whole = true
			return nil
		case at == standsEnded:
			s.whole = true
			return s.remember(ctx, proof)
		case at == standsForeign && proof == nil:
			s.mismatch("in its hello")
			s.whole, s.foreign = true, true
			return nil
		case at == standsAhead && tries > 0 && proof == nil || tries > 2:
			return s.refuseAhead(head)
		}
		if tries > 0 || at == standsForeign {
			if _, err := s.lane.epochs.Open(ctx, *proof); err != nil {
				return err
			}
		}
		if err := s.lane.Refresh(ctx); err != nil {
			return fmt.Errorf("read the head: %w", err)
		}
	}
}

func (s *Session) refuseAhead(head LaneHead) error {
	s.lane.stats.Ahead.Add(1)
	s.log.Error("a node is ahead of the database, which must have gone back, and proves nothing: the node is refused",
		"node_epoch", s.cursor.Epoch, "node_number", s.cursor.Number, "epoch", head.Epoch, "number", head.Number)
	return problem.Errorf(problem.PositionAhead,
		"the node holds epoch %d, number %d; the database is at epoch %d, number %d",
		s.cursor.Epoch, s.cursor.Number, head.Epoch, head.Number)
}

// remember takes note of what a node of an ended epoch proves, and begins to ask it for what was lost.
func (s *Session) remember(ctx context.Context, proof *epochs.Evidence) error {
	if proof == nil {
		if s.lane.epochs != nil {
			s.log.Warn("a node of an ended epoch proves nothing, and is not asked for what it holds", "node_epoch", s.cursor.Epoch, "node_number", s.cursor.Number)
		}
		return nil
	}
	if err := s.lane.epochs.Witness(ctx, *proof); err != nil {
		return err
	}
	if s.lane.kind != edgev1.Lane_LANE_DIRECTORY {
		return nil
	}
	recall, err := s.lane.epochs.Recall(ctx, *proof)
	if recall == nil || err != nil {
		s.heard = err == nil
		return err
	}
	s.recall, s.question = recall, recall.Next()
	return nil
}

// waits tells whether the node must wait until another one was asked for what the database lost: it holds nothing, and would let in
// who was revoked, or it can't show what it holds. Who has shown all that it knew loses nothing by being served, and hears of what is
// revoked meanwhile.
func (s *Session) waits(head LaneHead) bool {
	return !s.heard && s.cursor.Epoch != head.Epoch && s.now().Before(head.RecallUntil)
}

// Holdings takes what the node shows of its directory, or a part of it.
func (s *Session) Holdings(ctx context.Context, answer *edgev1.Holdings) error {
	if s.recall == nil || !s.asked {
		return fmt.Errorf("%w: holdings that nobody asked for", ErrProtocol)
	}
	ctx, cancel := context.WithTimeout(ctx, holdingsTimeout)
	defer cancel()
	done, err := s.recall.Take(ctx, answer)
	if err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	if !done {
		s.question = s.recall.Next()
		s.asked = s.question == nil
		return nil
	}
	s.asked, s.heard = false, true
	s.recall.Close()
	s.recall = nil
	return s.lane.Refresh(ctx)
}

// holdingsTimeout bounds what an answer to a recall leads to: reads of the directory, writes of what is taken back.
const holdingsTimeout = 5 * time.Minute
