package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

const (
	maxAttempts  = 5
	writeTimeout = 30 * time.Second
)

// errDryRun ends a transaction that was only to be tried.
var errDryRun = errors.New("dry run")

// write tries a batch until no other writer comes between.
func (p *Publisher) write(ctx context.Context, batch Batch, rollback bool) (_ Result, err error) {
	if len(batch.Operations) > MaxOperations {
		return Result{}, problem.Errorf(problem.TooLarge, "a batch has at most %d operations, not %d", MaxOperations, len(batch.Operations))
	}
	if err := authorize(batch, rollback); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(batch.record(ctx), writeTimeout)
	defer cancel()
	batch.noted = audit.DraftOf(ctx).Changes()
	if batch.passwords, err = p.digestPasswords(ctx, batch.Operations); err != nil {
		return Result{}, public(err)
	}
	leave, err := p.enter(ctx, batch.Environment, rollback || batch.Recall || batch.touchesConfiguration())
	if err != nil {
		return Result{}, public(err)
	}
	defer leave()
	for attempt := 1; ; attempt++ {
		result, err := p.attempt(ctx, batch, rollback)
		if err == nil {
			return result, nil
		}
		if errors.Is(err, ErrRetry) && attempt < maxAttempts {
			continue
		}
		return result, public(err)
	}
}

// public gives an error that has no code the one it deserves.
func public(err error) error {
	var known *problem.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, ErrRetry):
		return problem.Wrap(err, problem.Conflict, "other writers came between, again and again; try again")
	case errors.Is(err, context.Canceled):
		return problem.Wrap(err, problem.Unavailable, "the request was cancelled; nothing is known to be written")
	case errors.Is(err, context.DeadlineExceeded):
		return problem.Wrap(err, problem.Unavailable, "it took too long; nothing is known to be written, so read before trying again")
	default:
		return problem.Wrap(err, problem.Internal, "")
	}
}

func (p *Publisher) attempt(ctx context.Context, batch Batch, rollback bool) (Result, error) {
	var w *writing
	err := p.store.Write(ctx, func(tx Tx) error {
		w = p.begin(tx, batch, rollback)
		return w.run(ctx)
	})
	if errors.Is(err, errDryRun) {
		return w.result, nil
	}
	if err != nil {
		return w.refused(), err
	}
	w.committed()
	return w.result, nil
}

// refused is what can be told of a dry run that was refused.
func (w *writing) refused() Result {
	if w == nil || !w.batch.DryRun {
		return Result{}
	}
	return Result{Moved: w.result.Moved}
}

// writing is one attempt to write a batch. It belongs to one transaction and one goroutine.
type writing struct {
	*Publisher
	tx       Tx
	batch    Batch
	rollback bool
	now      time.Time

	environment Environment
	candidate   *catalog.Candidate // nil: the batch touches the directory alone
	rows        *rows
	steps       []step
	refusals    catalog.Refusals
	lacking     map[uint32][]Lacking // nodes, by the capability that they lack
	held        map[access.Permission]access.Bounds
	imported    map[digest.Key]bool // keys that other systems made, staged so far
	overridden  bool                // it passes without the proposal that the environment demands
	notes       []string            // warnings that aren't about one object alone
	keys        []audit.Change      // what becomes of the keys that issuers give

	result  Result
	next    *catalog.Head   // nil: no revision is made
	entries *directory.Step // nil: no entry is made
}

// step is what an operation came to.
type step struct {
	collection string
	id         string // "": refused
	created    bool
	unreadable bool // in parts: it is refused, and staged to find what else is wrong
}

func (p *Publisher) begin(tx Tx, batch Batch, rollback bool) *writing {
	return &writing{
		Publisher: p, tx: tx, batch: batch, rollback: rollback, now: p.now().UTC().Truncate(time.Microsecond), // as fine as Postgres keeps it
		rows: newRows(), lacking: make(map[uint32][]Lacking), held: make(map[access.Permission]access.Bounds), imported: make(map[digest.Key]bool), steps: make([]step, len(batch.Operations)),
	}
}

// run is the one way of a write. What it locks, and in which order, the package's comment says.
func (w *writing) run(ctx context.Context) error {
	if err := w.claimProposal(ctx); err != nil {
		return err
	}
	if err := w.open(ctx); err != nil {
		return err
	}
	if err := w.stageConfiguration(ctx); err != nil {
		return err
	}
	if err := w.lockRows(ctx); err != nil {
		return err
	}
	if err := w.holdToBase(); err != nil {
		return err
	}
	if err := w.stageDirectory(ctx); err != nil {
		return err
	}
	if err := w.check(ctx); err != nil {
		return err
	}
	if w.batch.DryRun {
		return w.plan(ctx)
	}
	return w.commit(ctx)
}

// open finds the environment, and locks its configuration if the batch touches it.
func (w *writing) open(ctx context.Context) error {
	var err error
	if !w.rollback && !w.batch.touchesConfiguration() {
		return w.openDirectory(ctx)
	}
	if w.environment, err = w.tx.LockEnvironment(ctx, w.batch.Environment); err != nil {
		return err
	}
	head, err := w.catalog.Locked(ctx, w.tx, w.batch.Environment, w.environment.Configuration)
	if err != nil {
		return err
	}
	if err := w.demandProposal(head); err != nil {
		return err
	}
	bounds := w.candidateBounds()
	w.candidate = head.Candidate(w.now, boundRows{w.rows, bounds})
	w.candidate.Bind(bounds)
	if !w.rollback { // which brings back what somebody wrote who was allowed to
		w.candidate.Guard(w.holds)
	}
	if w.batch.Force {
		w.candidate.Force()
	}
	return nil
}

// openDirectory finds the environment of a batch that touches the directory alone. Of those that take back what was lost one goes on at
// a time: two nodes show the same, and what each would make again has an id already.
func (w *writing) openDirectory(ctx context.Context) (err error) {
	if w.batch.Recall {
		w.environment, err = w.tx.LockEnvironment(ctx, w.batch.Environment)
		return err
	}
	w.environment, err = w.tx.Environment(ctx, w.batch.Environment)
	return err
}

func (w *writing) stageConfiguration(ctx context.Context) error {
	if w.rollback {
		return w.stageRollback(ctx)
	}
	for i, op := range w.batch.Operations {
		w.steps[i].collection = op.Collection
		if t, ok := resource.ByCollection(op.Collection); ok {
			w.configure(i, op, t)
		} else if _, ok := directory.ByCollection(op.Collection); !ok {
			w.refuseCollection(i, op)
		}
	}
	return nil
}

func (w *writing) refuseCollection(i int, op Operation) {
	w.refusals.Add(catalog.Refusal{Code: problem.InvalidRequest, Violation: problem.Violation{
		Pointer: w.batch.origin(i).Operation + "/collection", Code: problem.ViolationInvalidValue,
		Detail: "there is no such collection to write to", Given: op.Collection,
		Allowed: "services, routes, policies, settings, certificates, issuers, waf-exclusions, guardrails, consumers, api-keys, secrets, blocks",
	}})
}

// check validates the whole result, and returns everything that is wrong.
func (w *writing) check(ctx context.Context) error {
	w.settleTeams()
	if w.candidate != nil {
		refusals, err := w.candidate.Check()
		if err != nil {
			return err
		}
		w.refusals.Join(refusals)
		if w.refusals.Empty() {
			if err := w.checkCapability(ctx); err != nil {
				return err
			}
			w.checkGuardrails(ctx)
		}
	}
	if err := w.checkRows(ctx); err != nil {
		return err
	}
	return w.refusals.Err()
}

// plan tells what a commit would make.
func (w *writing) plan(ctx context.Context) error {
	environment, err := w.tx.Environment(ctx, w.batch.Environment)
	if err != nil {
		return err
	}
	if w.candidate != nil && len(w.candidate.Edits()) > 0 {
		w.result.Revision = w.environment.Configuration.Revision + 1
	}
	n := w.rows.assign(environment.Sequence)
	begun, err := w.firstEntries(ctx)
	if err != nil {
		return err
	}
	sets, err := w.keySets(ctx)
	if err != nil {
		return err
	}
	if n += uint64(len(begun) + len(sets)); n > 0 {
		w.result.Sequence = environment.Sequence + n
	}
	if err := w.countRows(ctx); err != nil {
		return err
	}
	if err := w.describe(); err != nil {
		return err
	}
	if w.batch.Proposal != nil {
		base, err := w.base()
		if err != nil {
			return err
		}
		w.result.Base = &base
	}
	return errDryRun
}

// commit writes what changed, the directory's counter last.
func (w *writing) commit(ctx context.Context) error {
	if err := w.writeDirectory(ctx); err != nil {
		return err
	}
	if err := w.writeRevision(ctx); err != nil {
		return err
	}
	if err := w.closeProposal(ctx); err != nil {
		return err
	}
	if err := w.describe(); err != nil {
		return err
	}
	w.note(ctx)
	return nil
}

func (w *writing) writeDirectory(ctx context.Context) error {
	if changes := w.rows.changes(); len(changes) > 0 {
		if err := w.tx.WriteRows(ctx, w.batch.Environment, changes); err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
	}
	sets, err := w.keySets(ctx)
	if err != nil {
		return err
	}
	entries := append(w.rows.entries(), sets...)
	if len(entries) == 0 && !w.sharesAmongFleet() && !w.speaksTLS() && !w.signsIdentities() {
		return nil
	}
	head, err := w.tx.LockDirectory(ctx, w.batch.Environment)
	if err != nil {
		return fmt.Errorf("lock directory: %w", err)
	}
	if err := w.countRows(ctx); err != nil {
		return err
	}
	begun, err := w.firstEntries(ctx)
	if err != nil {
		return err
	}
	if entries = append(entries, begun...); len(entries) == 0 {
		return nil
	}
	step, err := w.appendEntries(ctx, w.tx, w.batch.Environment, head, entries)
	if err != nil {
		return err
	}
	w.rows.assign(step.Head.Sequence - uint64(len(entries)))
	w.entries, w.result.Sequence = &step, step.Head.Sequence
	return w.writeDenials(ctx)
}

func (w *writing) writeRevision(ctx context.Context) error {
	if w.candidate == nil || len(w.candidate.Edits()) == 0 {
		return nil
	}
	edits := w.candidate.Edits()
	needed, err := w.sequenceNeeded(ctx)
	if err != nil {
		return err
	}
	at, author := w.environment.Configuration, w.recordedAuthor()
	w.next = w.candidate.Head()
	w.next.Position = catalog.Position{Epoch: at.Epoch, Revision: at.Revision + 1, Digest: w.next.Digest, SequenceNeeded: needed}
	err = w.tx.WriteRevision(ctx, catalog.Revision{
		Environment: w.batch.Environment, Number: w.next.Revision, Epoch: at.Epoch, Digest: w.next.Digest, SequenceNeeded: needed,
		AuthorID: author.ID, Author: author.Name, Message: w.batch.Message, IsRollback: w.rollback, RollbackTo: w.batch.RollbackTo,
		Changes: len(edits), CreatedAt: w.now,
	}, edits)
	if err != nil {
		return fmt.Errorf("write revision %d: %w", w.next.Revision, err)
	}
	w.result.Revision = w.next.Revision
	return nil
}

// sequenceNeeded is where the directory must be before a node applies the revision: where the entries of
// the same batch are, or what the changed objects refer to.
func (w *writing) sequenceNeeded(ctx context.Context) (uint64, error) {
	before := w.environment.Configuration.SequenceNeeded
	switch {
	case w.entries != nil:
		return w.entries.Head.Sequence, nil
	case w.candidate.NeedsDirectory():
		now, err := w.tx.Environment(ctx, w.batch.Environment)
		return max(before, now.Sequence), err
	default:
		return before, nil
	}
}

// committed keeps in memory what is now in the database.
func (w *writing) committed() {
	if w.next != nil {
		w.catalog.Advance(w.batch.Environment, w.next)
	}
	if w.entries != nil {
		w.digests.Commit(*w.entries)
	}
}
