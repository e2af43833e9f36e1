package fleet

import (
	"bytes"
	"context"
	"errors"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// LaneHead is the state of one lane of one environment, as the database has it.
type LaneHead struct {
	Epoch          uint64
	Number         uint64 // revision or sequence
	Digest         []byte // of the whole lane at Number, 32 bytes
	SequenceNeeded uint64 // configuration only
	// RecallUntil is until when the directory of a new epoch is given to no node that holds nothing, since another is being asked
	// for what the database lost; zero: it is.
	RecallUntil time.Time
}

// same tells whether two reads say the same.
func (h LaneHead) same(g LaneHead) bool {
	return h.Position().Equal(g.Position()) && h.SequenceNeeded == g.SequenceNeeded && h.RecallUntil.Equal(g.RecallUntil)
}

// Position returns what a node that holds this head would say in its Hello.
func (h LaneHead) Position() Position {
	return Position{Epoch: h.Epoch, Number: h.Number, Digest: h.Digest}
}

// Position is what a node holds in one lane.
type Position struct {
	Epoch  uint64
	Number uint64
	Digest []byte
}

// Equal tells whether two positions are the same state.
func (p Position) Equal(q Position) bool {
	return p.Epoch == q.Epoch && p.Number == q.Number && bytes.Equal(p.Digest, q.Digest)
}

// LaneStore is where the lanes' state comes from. Environments are named by id.
type LaneStore interface {
	ConfigurationHead(ctx context.Context, environment string) (LaneHead, error)
	DirectoryHead(ctx context.Context, environment string) (LaneHead, error)
	// ConfigurationDelta returns, for each object changed in (from, to], its state at to.
	ConfigurationDelta(ctx context.Context, environment string, from, to uint64) ([]*edgev1.ObjectChange, error)
	// ConfigurationObjects returns all objects and the head that they are the state of.
	ConfigurationObjects(ctx context.Context, environment string) (LaneHead, []*edgev1.ObjectChange, error)
	// DirectoryChanges returns each entry changed after from, in the order of their sequence, and the
	// head that they lead to. Only the latest state of an entry is kept, so that a delta to anything
	// but the head of the same moment would lack what changed once more since.
	DirectoryChanges(ctx context.Context, environment string, from uint64) (LaneHead, []*edgev1.EntryChange, error)
	// DirectoryEntries calls each with every entry, and returns the head that they are the state of.
	DirectoryEntries(ctx context.Context, environment string, each func(*edgev1.EntryChange) error) (LaneHead, error)
	// RevisionDigest returns the digest of the configuration at a revision; false if there was none.
	RevisionDigest(ctx context.Context, environment string, revision uint64) ([]byte, bool, error)
	// DirectoryDigest returns the digest of the directory at a sequence of an epoch. The bool says that what is remembered reaches
	// back to there: with it, no digest means that there was no such state.
	DirectoryDigest(ctx context.Context, environment string, epoch, sequence uint64) ([]byte, bool, error)
}

// laneSource is the part of a LaneStore that is one lane of one environment.
type laneSource interface {
	head(ctx context.Context) (LaneHead, error)
	// delta returns what leads from a number to a head, or to a newer one, or errTooBig.
	delta(ctx context.Context, from uint64, to LaneHead) (*Delta, error)
	// snapshot writes the messages' bytes, uncompressed, and returns the head they are the state of.
	snapshot(ctx context.Context, w *messageWriter) (LaneHead, error)
	// digestAt returns the digest at an earlier number of an epoch. The bool says that the database knows: with it, no digest means
	// that there was no such state.
	digestAt(ctx context.Context, epoch, number uint64) ([]byte, bool, error)
}

type configurationSource struct {
	store       LaneStore
	environment string
}

func (s configurationSource) head(ctx context.Context) (LaneHead, error) {
	return s.store.ConfigurationHead(ctx, s.environment)
}

func (s configurationSource) delta(ctx context.Context, from uint64, to LaneHead) (*Delta, error) {
	objects, err := s.store.ConfigurationDelta(ctx, s.environment, from, to.Number)
	if err != nil {
		return nil, err
	}
	return newDelta(from, to, objects, nil)
}

func (s configurationSource) snapshot(ctx context.Context, w *messageWriter) (LaneHead, error) {
	head, objects, err := s.store.ConfigurationObjects(ctx, s.environment)
	if err != nil {
		return LaneHead{}, err
	}
	for _, object := range objects {
		if err := w.write(object); err != nil {
			return LaneHead{}, err
		}
	}
	return head, nil
}

func (s configurationSource) digestAt(ctx context.Context, _, number uint64) ([]byte, bool, error) {
	return s.store.RevisionDigest(ctx, s.environment, number)
}

type directorySource struct {
	store       LaneStore
	environment string
}

func (s directorySource) head(ctx context.Context) (LaneHead, error) {
	return s.store.DirectoryHead(ctx, s.environment)
}

func (s directorySource) delta(ctx context.Context, from uint64, to LaneHead) (*Delta, error) {
	head, entries, err := s.store.DirectoryChanges(ctx, s.environment, from)
	if err != nil {
		return nil, err
	}
	if head.Epoch != to.Epoch {
		return nil, errEpochChanged
	}
	return newDelta(from, head, nil, entries)
}

// errEpochChanged says that the database's history changed between two reads.
var errEpochChanged = errors.New("the epoch changed meanwhile")

func (s directorySource) snapshot(ctx context.Context, w *messageWriter) (LaneHead, error) {
	return s.store.DirectoryEntries(ctx, s.environment, func(entry *edgev1.EntryChange) error {
		return w.write(entry)
	})
}

func (s directorySource) digestAt(ctx context.Context, epoch, number uint64) ([]byte, bool, error) {
	return s.store.DirectoryDigest(ctx, s.environment, epoch, number)
}
