package epochs

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// Bound is how long nodes that hold nothing wait, in a new epoch, for the node that proved it to be asked.
const Bound = time.Minute

// openTimeout bounds the transaction that opens an epoch.
const openTimeout = 10 * time.Second

// Evidence is a state of a lane that this installation has signed, or read from its database.
type Evidence struct {
	Environment string
	Lane        edgev1.Lane
	Epoch       uint64
	Number      uint64
	Digest      []byte
	Node        string // that holds it; "": this replica itself
}

// Epoch is one history of an environment's database, and why it began.
type Epoch struct {
	Environment string
	Number      uint64
	OpenedAt    time.Time
	OpenedBy    string // a node or an actor, by id; "replica": a replica by itself
	Prover      string // the node that proved it; "": none did
	Reason      string
	Ended       Position  // what the database had: where the history before ends now
	Lost        Position  // the furthest that is proved to be gone; zeros: nothing is known
	RecallUntil time.Time // until when nodes that hold nothing wait; zero: they are served
	Taken       uint64    // denials taken back
}

// Position is where an environment is, in both lanes.
type Position struct{ Epoch, Revision, Sequence uint64 }

// Ledger is an environment behind its locks: nobody writes to it meanwhile.
type Ledger interface {
	Position() Position
	// Digest returns the digest that a lane had at a number of an epoch. kept says that the history reaches back to there: with
	// it, no digest means that there was no such state.
	Digest(ctx context.Context, lane edgev1.Lane, epoch, number uint64) (digest []byte, kept bool, err error)
	// Begin makes an epoch the present one, and records it.
	Begin(ctx context.Context, epoch Epoch) error
}

// Stats counts what this replica did. Root exports them as metrics.
type Stats struct {
	Opened  atomic.Uint64 // epochs
	Recalls atomic.Uint64 // nodes asked for what they hold
	Taken   atomic.Uint64 // denials taken back
}

// Publisher writes. It is publish.Publisher.
type Publisher interface {
	Apply(ctx context.Context, batch publish.Batch) (publish.Result, error)
	RetireKeys(ctx context.Context, environment, issuer string, thumbprints []string) (int, error)
}

// Verifier returns the head that this installation signed. It is fleet.Signer.
type Verifier interface {
	Verify(signed *edgev1.SignedHead) (*edgev1.Head, error)
}

// Epochs opens epochs and takes denials back. It is safe for concurrent use, by any number of replicas.
type Epochs struct {
	store     Store
	publisher Publisher
	verifier  Verifier
	log       *slog.Logger
	stats     *Stats
	now       func() time.Time
	slots     chan struct{} // of recalls that hold the database's index in memory
}

// New returns the epochs of a store.
func New(store Store, publisher Publisher, verifier Verifier, log *slog.Logger, stats *Stats) *Epochs {
	return &Epochs{
		store: store, publisher: publisher, verifier: verifier, log: log, stats: stats, now: time.Now,
		slots: make(chan struct{}, recallsAtOnce),
	}
}

// Open begins the next epoch if the evidence is of a state that the database doesn't know, and tells whether it did. It is not
// done twice for one reason: whoever comes second finds the evidence to be of an epoch that has ended.
func (e *Epochs) Open(ctx context.Context, found Evidence) (bool, error) {
	by := found.Node
	if by == "" {
		by = "replica"
	}
	return e.open(ctx, found.Environment, func(ctx context.Context, ledger Ledger) (*Epoch, error) {
		at := ledger.Position()
		foreign, err := unknown(ctx, ledger, at, found)
		if err != nil || !foreign {
			return nil, err
		}
		next := &Epoch{
			Environment: found.Environment, Number: max(at.Epoch, found.Epoch) + 1, OpenedBy: by, Prover: found.Node,
			Reason: fmt.Sprintf("the database doesn't know %s %d of epoch %d, which it had: it went back", counted(found.Lane), found.Number, found.Epoch),
			Ended:  at, Lost: Position{Epoch: found.Epoch},
		}
		if found.Lane == edgev1.Lane_LANE_CONFIGURATION {
			next.Lost.Revision = found.Number
		} else {
			next.Lost.Sequence = found.Number
		}
		return next, nil
	})
}

// unknown tells whether a state isn't of the database's present history. Where the history doesn't reach back far enough, it can't
// be told, and isn't.
func unknown(ctx context.Context, ledger Ledger, at Position, found Evidence) (bool, error) {
	now := at.Sequence
	if found.Lane == edgev1.Lane_LANE_CONFIGURATION {
		now = at.Revision
	}
	if found.Epoch != at.Epoch || found.Number > now {
		return found.Epoch >= at.Epoch, nil
	}
	digest, kept, err := ledger.Digest(ctx, found.Lane, found.Epoch, found.Number)
	return kept && !bytes.Equal(digest, found.Digest), err
}

// OpenByHand begins the next epoch because somebody says so, and returns it.
func (e *Epochs) OpenByHand(ctx context.Context, environment, reason string, by access.Actor) (Epoch, error) {
	if n := len(reason); n == 0 || n > maxReason {
		return Epoch{}, problem.Invalid(problem.Violation{
			Pointer: "/reason", Code: problem.ViolationRequired, Detail: fmt.Sprintf("must be given, in at most %d bytes: it is what is known of the epoch later", maxReason),
		})
	}
	var made Epoch
	_, err := e.open(ctx, environment, func(_ context.Context, ledger Ledger) (*Epoch, error) {
		at := ledger.Position()
		made = Epoch{Environment: environment, Number: at.Epoch + 1, OpenedBy: by.ID, Reason: reason, Ended: at}
		return &made, nil
	})
	return made, err
}

// maxReason bounds what an operator says, in bytes.
const maxReason = 1000

func (e *Epochs) open(ctx context.Context, environment string, judge func(context.Context, Ledger) (*Epoch, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var next *Epoch
	err := e.store.Change(ctx, environment, func(ledger Ledger) (err error) {
		if next, err = judge(ctx, ledger); err != nil || next == nil {
			return err
		}
		next.OpenedAt = e.now().UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
		next.RecallUntil = next.OpenedAt.Add(Bound)
		return ledger.Begin(ctx, *next)
	})
	if err != nil {
		return false, fmt.Errorf("open the next epoch of %s: %w", environment, err)
	}
	if next == nil {
		return false, nil
	}
	e.stats.Opened.Add(1)
	e.log.ErrorContext(ctx, "a new epoch began: the database went back, or somebody says so",
		"environment", environment, "epoch", next.Number, "by", next.OpenedBy, "reason", next.Reason, "gone", next.Gone(), "recall_until", next.RecallUntil)
	return true, nil
}

// Witness takes note of how far an ended history went.
func (e *Epochs) Witness(ctx context.Context, found Evidence) error {
	further, err := e.store.Witness(ctx, found)
	if err != nil {
		return fmt.Errorf("keep how far epoch %d went: %w", found.Epoch, err)
	}
	if !further {
		return nil
	}
	now, ok, err := e.store.Current(ctx, found.Environment)
	if err != nil || !ok {
		return err
	}
	e.log.ErrorContext(ctx, "more of an ended epoch is known to be gone", "environment", found.Environment, "epoch", now.Number, "node", found.Node, "gone", now.Gone())
	return nil
}

// served ends the wait for a recall, once the node that it is waited for was heard.
func (e *Epochs) served(ctx context.Context, environment, node string, recalled bool) error {
	now, ok, err := e.store.Current(ctx, environment)
	if err != nil || !ok || now.RecallUntil.IsZero() || !now.waitedFor(node, recalled) {
		return err
	}
	settled, err := e.store.Settle(ctx, environment, now.Number)
	if err != nil || !settled {
		return err
	}
	e.log.ErrorContext(ctx, "nodes are served in the new epoch", "environment", environment, "epoch", now.Number,
		"gone", now.Gone(), "denials_taken_back", now.Taken, "summary", fmt.Sprintf("%s; denials taken back: %d", now.Gone(), now.Taken))
	return nil
}

// waitedFor tells whether a node's answer is the one that the epoch waits for: that of the node that proved; if none did, of any that
// knew more, or of the first at all where nothing of the directory is known to be gone.
func (e *Epoch) waitedFor(node string, recalled bool) bool {
	if e.Prover != "" {
		return node == e.Prover
	}
	return recalled || e.Lost.Sequence == 0
}

// Gone says in words what the database no longer has.
func (e *Epoch) Gone() string {
	if e.Lost.Epoch == 0 {
		return "nothing is known to be gone"
	}
	span := func(what string, ended, lost uint64) string {
		switch {
		case lost == 0:
			return ""
		case e.Lost.Epoch != e.Ended.Epoch:
			return fmt.Sprintf("%ss up to %d", what, lost)
		case lost <= ended:
			return fmt.Sprintf("another %s %d", what, lost)
		case lost == ended+1:
			return fmt.Sprintf("%s %d", what, lost)
		default:
			return fmt.Sprintf("%ss %d–%d", what, ended+1, lost)
		}
	}
	text := span("revision", e.Ended.Revision, e.Lost.Revision)
	if sequences := span("sequence", e.Ended.Sequence, e.Lost.Sequence); sequences != "" {
		if text != "" {
			text += " and "
		}
		text += sequences
	}
	return fmt.Sprintf("%s of epoch %d are gone", text, e.Lost.Epoch)
}

func counted(lane edgev1.Lane) string {
	if lane == edgev1.Lane_LANE_CONFIGURATION {
		return "revision"
	}
	return "sequence"
}
