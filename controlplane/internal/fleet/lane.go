package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/types/known/timestamppb"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	// lanePoll is how often a lane reads its head although nobody woke it: notices only hasten, the
	// poll is the truth.
	lanePoll = time.Second
	// laneTimeout bounds a read of a head or a delta; a snapshot has snapshotTimeout.
	laneTimeout     = 10 * time.Second
	snapshotTimeout = 2 * time.Minute
	// signatureLife is how old the word in a beat may be before the head is signed anew.
	signatureLife = time.Second
	// keptDeltas and keptDigests bound what a lane remembers for nodes that lag behind.
	keptDeltas  = 64
	keptDigests = 4096
	// snapshotIdle is how long a snapshot that nobody asks for is kept.
	snapshotIdle = time.Minute
)

// Lane is one lane of one environment as this replica knows it: the head, and the ways to it. All
// sessions of the lane share it; it reads everything once for all of them.
type Lane struct {
	environment string
	kind        edgev1.Lane
	source      laneSource
	signer      *Signer
	epochs      Epochs // nil: a database that went back is only refused
	log         *slog.Logger
	stats       *Stats
	now         func() time.Time
	life        context.Context // of reads that sessions share: that of all lanes

	wake   chan struct{} // capacity 1
	flight singleflight.Group
	deltas *lru.Cache[span, *Delta]
	known  *lru.Cache[uint64, []byte] // digest by number, in the head's epoch
	// overdue is the epoch of which it was said that it is served without a recall.
	overdue atomic.Uint64

	mu       sync.Mutex
	head     LaneHead
	read     time.Time // when the head was last confirmed by the database
	signed   *edgev1.SignedHead
	signedAt time.Time     // value of read that is in signed
	changed  chan struct{} // closed at the next change
	snapshot *Snapshot
	used     time.Time // when the snapshot was last asked for
}

type span struct{ from, to uint64 }

func newLane(life context.Context, environment string, kind edgev1.Lane, source laneSource, signer *Signer, epochs Epochs, log *slog.Logger, stats *Stats) (*Lane, error) {
	deltas, err := lru.New[span, *Delta](keptDeltas)
	if err != nil {
		return nil, err
	}
	known, err := lru.New[uint64, []byte](keptDigests)
	if err != nil {
		return nil, err
	}
	return &Lane{
		environment: environment,
		kind:        kind,
		source:      source,
		signer:      signer,
		epochs:      epochs,
		log:         log.With("environment", environment, "lane", laneName(kind)),
		stats:       stats,
		now:         time.Now,
		life:        life,
		wake:        make(chan struct{}, 1),
		deltas:      deltas,
		known:       known,
		changed:     make(chan struct{}),
	}, nil
}

// Environment returns the environment's id.
func (l *Lane) Environment() string { return l.environment }

// Kind returns which lane it is.
func (l *Lane) Kind() edgev1.Lane { return l.kind }

// Head returns the current head, and a channel that is closed when there is a newer one.
func (l *Lane) Head() (LaneHead, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, l.changed
}

// Signed returns the head with the control plane's word for it. Its time is when the database last
// confirmed the head: a replica that has lost its database doesn't vouch for freshness.
func (l *Lane) Signed() (LaneHead, *edgev1.SignedHead, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signed == nil || l.read.Sub(l.signedAt) >= signatureLife || l.signer.stale(l.signed) {
		signed, err := l.sign(l.head, l.read)
		if err != nil {
			return LaneHead{}, nil, err
		}
		l.signed, l.signedAt = signed, l.read
	}
	return l.head, l.signed, nil
}

func (l *Lane) sign(head LaneHead, at time.Time) (*edgev1.SignedHead, error) {
	return l.signer.Sign(&edgev1.Head{
		Environment:    l.environment,
		Epoch:          head.Epoch,
		Lane:           l.kind,
		Number:         head.Number,
		Digest:         head.Digest,
		SequenceNeeded: head.SequenceNeeded,
		Time:           timestamppb.New(at),
	})
}

// run keeps the head current until ctx ends.
func (l *Lane) run(ctx context.Context) {
	poll := time.NewTicker(lanePoll)
	defer poll.Stop()
	lost := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-poll.C:
			l.dropIdleSnapshot()
		}
		err := l.Refresh(ctx)
		switch {
		case err != nil && !lost && ctx.Err() == nil:
			lost = true
			l.log.Error("can't read the head; nodes keep what they have", "error", err)
		case err == nil && lost:
			lost = false
			l.log.Info("reads the head again")
		}
	}
}

// Refresh reads the head now. It also reads the delta to a newer head, so that the sessions that it
// then wakes find it ready. A database that no longer knows what was read from it before went back under us: a new epoch is opened,
// and its head is read.
func (l *Lane) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	before, _ := l.Head()
	at := l.now()
	head, err := l.source.head(ctx)
	if err != nil {
		return err
	}
	if head, err = l.sameHistory(ctx, before, head); err != nil {
		return err
	}
	if before.Epoch == head.Epoch && before.Epoch != 0 && before.Number < head.Number {
		if _, err := l.delta(ctx, before.Number, head); err != nil {
			l.log.Debug("no delta to the new head beforehand", "from", before.Number, "to", head.Number, "error", err)
		}
	}
	l.adopt(head, at)
	if !head.RecallUntil.IsZero() && l.now().After(head.RecallUntil) && l.overdue.Swap(head.Epoch) != head.Epoch {
		l.log.Error("nobody has shown what the database lost: nodes are served in the new epoch all the same, and what is shown later is taken back then", "epoch", head.Epoch)
	}
	return nil
}

// adopt makes a head current, unless a newer one already is: two reads may end in another order than
// they began.
func (l *Lane) adopt(head LaneHead, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.After(l.read) {
		l.read = at
	}
	switch {
	case head.Epoch < l.head.Epoch || head.Epoch == l.head.Epoch && head.Number < l.head.Number:
		// In one epoch numbers only grow: an older read. (Refresh looks whether the database went back.)
		return
	case head.same(l.head) && l.signed != nil:
		return
	}
	if head.Epoch != l.head.Epoch {
		l.known.Purge()
		l.deltas.Purge()
		l.snapshot = nil
	}
	l.head, l.signed = head, nil
	l.known.Add(head.Number, head.Digest)
	close(l.changed)
	l.changed = make(chan struct{})
}

// delta returns what leads from a number to the head given, or to a newer one, read once for all.
func (l *Lane) delta(ctx context.Context, from uint64, to LaneHead) (*Delta, error) {
	key := span{from, to.Number}
	if delta, ok := l.deltas.Get(key); ok && !l.signer.stale(delta.Signed) {
		return delta, nil
	}
	name := "delta " + strconv.FormatUint(from, 10) + " " + strconv.FormatUint(to.Number, 10)
	result, err := l.once(ctx, name, laneTimeout, func(ctx context.Context) (any, error) {
		return l.readDelta(ctx, from, to)
	})
	if err != nil {
		return nil, err
	}
	return result.(*Delta), nil
}

func (l *Lane) readDelta(ctx context.Context, from uint64, to LaneHead) (*Delta, error) {
	at := l.now()
	delta, err := l.source.delta(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if delta.Signed, err = l.sign(delta.Head, at); err != nil {
		return nil, err
	}
	l.deltas.Add(span{from, to.Number}, delta)
	l.deltas.Add(span{from, delta.Head.Number}, delta)
	l.stats.DeltasRead.Add(1)
	return delta, nil
}

// full returns a snapshot at least as new as number: a kept one, or one read once for all who ask.
func (l *Lane) full(ctx context.Context, number uint64) (*Snapshot, error) {
	if kept := l.keptSnapshot(number); kept != nil {
		return kept, nil
	}
	// One that was under way already may have begun before number was there; the next one can't have.
	for range 2 {
		result, err := l.once(ctx, "snapshot", snapshotTimeout, func(ctx context.Context) (any, error) {
			if kept := l.keptSnapshot(number); kept != nil {
				return kept, nil
			}
			return l.buildSnapshot(ctx)
		})
		if err != nil {
			return nil, err
		}
		if snapshot := result.(*Snapshot); snapshot.Head.Number >= number {
			return snapshot, nil
		}
	}
	return nil, fmt.Errorf("no snapshot of %d or later could be read", number)
}

func (l *Lane) keptSnapshot(number uint64) *Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.snapshot
	if kept == nil || kept.Head.Number < number || l.signer.stale(kept.Signed) {
		return nil
	}
	l.used = l.now()
	return kept
}

func (l *Lane) buildSnapshot(ctx context.Context) (*Snapshot, error) {
	at := l.now()
	head, chunks, err := buildSnapshot(ctx, l.source)
	if err != nil {
		return nil, err
	}
	signed, err := l.sign(head, at)
	if err != nil {
		return nil, err
	}
	snapshot := &Snapshot{Head: head, Signed: signed, Chunks: chunks}
	l.stats.SnapshotsBuilt.Add(1)
	l.adopt(head, at)
	l.mu.Lock()
	defer l.mu.Unlock()
	if head.Epoch == l.head.Epoch {
		l.snapshot, l.used = snapshot, l.now()
	}
	return snapshot, nil
}

// dropSnapshot makes the next to ask for one get another.
func (l *Lane) dropSnapshot(bad *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.snapshot == bad {
		l.snapshot = nil
	}
}

func (l *Lane) dropIdleSnapshot() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.snapshot != nil && l.now().Sub(l.used) > snapshotIdle {
		l.snapshot = nil
	}
}

// once runs work once for all who ask for it at the same time. It has a deadline of its own, and
// ends with the lanes: the first to ask may go away without spoiling it for the others.
func (l *Lane) once(ctx context.Context, name string, timeout time.Duration, work func(context.Context) (any, error)) (any, error) {
	results := l.flight.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(l.life, timeout)
		defer cancel()
		return work(ctx)
	})
	select {
	case result := <-results:
		return result.Val, result.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func laneName(kind edgev1.Lane) string {
	if kind == edgev1.Lane_LANE_DIRECTORY {
		return "directory"
	}
	return "configuration"
}
