package proposals

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// Life is how long a proposal waits, from its latest plan on.
	Life = 30 * 24 * time.Hour
	// Retention is how long what became nothing is kept. What was published stays, as its revision does.
	Retention = 90 * 24 * time.Hour
	// maxOpen is how many proposals of an environment may wait at a time.
	maxOpen = 200
	// maxDetails is how large steps and plan may be together, in bytes.
	maxDetails = 16 << 20
	// maxReviews is how many reviews are remembered, the latest.
	maxReviews = 100
	// sweepEvery is how often proposals whose time is over are closed, and sweepLimit how many at a time.
	sweepEvery = 10 * time.Minute
	sweepLimit = 100
)

// Config is what Proposals need; all of it is required.
type Config struct {
	Store     Store
	Publisher Publisher
	Sealer    Sealer
	Face      Face
	Logger    *slog.Logger
	Now       func() time.Time
}

// Proposals files, reviews and publishes. It is safe for concurrent use.
type Proposals struct{ Config }

// New returns the proposals of a store.
func New(config Config) *Proposals { return &Proposals{config} }

// File plans a batch or a rollback and keeps it for others to review. Its errors are those of a dry run, and LimitReached.
func (p *Proposals) File(ctx context.Context, environment string, author access.Actor, wanted *adminv1.ProposalRequest, force bool) (*adminv1.Proposal, error) {
	now := p.Now().UTC().Truncate(time.Microsecond)
	f := &filed{
		record:  Record{Environment: environment, ID: id.Text(id.Proposal, id.New(now)), State: Open, AuthorID: person(author)},
		request: wanted,
		message: &adminv1.Proposal{
			Title: wanted.GetTitle(), Message: wanted.GetMessage(), Author: author.Name, AuthorId: person(author), Force: force, CreatedAt: timestamppb.New(now),
		},
	}
	f.message.Id = f.record.ID
	if err := p.planAnew(ctx, f, now); err != nil {
		return nil, err
	}
	var err error
	if f.record.Sealed, err = p.seal(f); err != nil {
		return nil, err
	}
	if err := f.store(true); err != nil {
		return nil, err
	}
	p.note(ctx, "create", f)
	if err := p.Store.Insert(ctx, f.record, maxOpen); err != nil {
		return nil, err
	}
	return f.shown(), nil
}

// Get returns a proposal and, while it isn't closed, what it comes to now.
func (p *Proposals) Get(ctx context.Context, environment, proposal string) (*adminv1.Proposal, error) {
	f, err := p.load(ctx, environment, proposal)
	if err != nil {
		return nil, err
	}
	if f.closed() {
		return f.shown(), nil
	}
	result, refusal := p.plan(ctx, f, f.base())
	now, err := p.outlook(result, refusal)
	if err != nil {
		return nil, err
	}
	shown := f.shown()
	shown.Now = now
	if len(now.GetMoved()) > 0 {
		shown.State = string(Stale)
	}
	return shown, nil
}

// Approve agrees to a proposal's plan as of a round. It is refused to the author, and once something moved on.
func (p *Proposals) Approve(ctx context.Context, environment, proposal string, by access.Actor, wanted *adminv1.ApprovalRequest) (*adminv1.Proposal, error) {
	f, err := p.loadOpen(ctx, environment, proposal)
	if err != nil {
		return nil, err
	}
	if err := p.refuseOwn(ctx, f.record.AuthorID, by, "approve"); err != nil {
		return nil, err
	}
	switch {
	case f.message.GetRound() != wanted.GetRound():
		return nil, problem.Errorf(problem.Conflict, "the proposal is at round %d, not %d: read it again, then approve what it is now", f.message.GetRound(), wanted.GetRound())
	case f.approvedBy(by):
		return f.shown(), nil
	}
	result, err := p.plan(ctx, f, f.base())
	if len(result.Moved) > 0 {
		p.markStale(ctx, f)
		return nil, publish.Stale(result.Moved)
	}
	if err != nil {
		return nil, err
	}
	return p.review(ctx, f, Approved, by, wanted.GetComment())
}

// Reject closes a proposal that must not be.
func (p *Proposals) Reject(ctx context.Context, environment, proposal string, by access.Actor, wanted *adminv1.RejectionRequest) (*adminv1.Proposal, error) {
	f, err := p.loadOpen(ctx, environment, proposal)
	if err != nil {
		return nil, err
	}
	if samePerson(f.record.AuthorID, by) {
		return nil, problem.Errorf(problem.ProposalOwn, "you have filed this proposal: withdraw it")
	}
	f.close(Rejected, by, p.Now())
	return p.review(ctx, f, Rejected, by, wanted.GetComment())
}

func (p *Proposals) review(ctx context.Context, f *filed, verdict State, by access.Actor, comment string) (*adminv1.Proposal, error) {
	reviews := append(f.message.GetReviews(), &adminv1.ProposalReview{
		Verdict: string(verdict), Reviewer: by.Name, ReviewerId: person(by), Comment: comment, Round: f.message.GetRound(), At: timestamppb.New(p.Now().UTC().Truncate(time.Microsecond)),
	})
	f.message.Reviews = reviews[max(0, len(reviews)-maxReviews):]
	action := "approve"
	if verdict == Rejected {
		action = "reject"
	}
	return p.update(ctx, f, verdict, action, false)
}

// Withdraw closes a proposal at its author's wish.
func (p *Proposals) Withdraw(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error) {
	f, err := p.loadOwn(ctx, environment, proposal, by)
	if err != nil {
		return nil, err
	}
	f.close(Withdrawn, by, p.Now())
	return p.update(ctx, f, Withdrawn, "withdraw", false)
}

// Refresh plans a proposal anew, as the next round: what was approved before is void.
func (p *Proposals) Refresh(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, error) {
	f, err := p.loadOwn(ctx, environment, proposal, by)
	if err != nil {
		return nil, err
	}
	if err := p.planAnew(ctx, f, p.Now().UTC().Truncate(time.Microsecond)); err != nil {
		return nil, err
	}
	return p.update(ctx, f, Open, "refresh", true)
}

// Publish makes of a proposal what was planned, in one transaction with its end. By is not its author, and somebody who isn't has agreed.
func (p *Proposals) Publish(ctx context.Context, environment, proposal string, by access.Actor) (*adminv1.Proposal, publish.Result, error) {
	var none publish.Result
	f, err := p.loadOpen(ctx, environment, proposal)
	if err != nil {
		return nil, none, err
	}
	if err := p.refuseOwn(ctx, f.record.AuthorID, by, "publish"); err != nil {
		return nil, none, err
	}
	switch {
	case f.record.State == Stale:
		return nil, none, problem.Errorf(problem.ProposalStale, "what the proposal touches has changed since it was planned; its author can refresh it")
	case f.record.State != Approved || !f.approved():
		return nil, none, problem.Errorf(problem.ProposalNotApproved, "nobody but its author has approved round %d of the proposal", f.message.GetRound())
	}
	batch, err := f.batch(f.base())
	if err != nil {
		return nil, none, err
	}
	batch.Author, batch.Proposal.By = by, person(by)
	open := *f
	f.close(Published, by, p.Now())
	p.note(ctx, "publish", f)
	result, err := p.run(ctx, f, batch)
	if problem.CodeOf(err) == problem.ProposalStale {
		p.markStale(ctx, &open)
	}
	if err != nil {
		return nil, none, err
	}
	f.record.Revision, f.record.Sequence = result.Revision, result.Sequence
	return f.shown(), result, nil
}

// markStale remembers that something moved on. Nothing hangs on it: whether something did is looked at again behind the locks.
func (p *Proposals) markStale(ctx context.Context, f *filed) {
	f.record.State = Stale
	ctx = audit.BySystem(idempotency.Without(ctx), "markProposalStale") // what was asked for is refused; this isn't it
	err := f.store(false)
	if err == nil {
		p.note(ctx, "mark-stale", f)
		err = p.Store.Update(ctx, f.record)
	}
	if err != nil && problem.CodeOf(err) != problem.Conflict {
		p.Logger.WarnContext(ctx, "can't mark a proposal as stale", "proposal", f.record.ID, "error", err)
	}
}

// update writes what became of a proposal. Somebody who came first is not overwritten.
func (p *Proposals) update(ctx context.Context, f *filed, state State, action string, planned bool) (*adminv1.Proposal, error) {
	f.record.State = state
	if err := f.store(planned); err != nil {
		return nil, err
	}
	p.note(ctx, action, f)
	if err := p.Store.Update(ctx, f.record); err != nil {
		return nil, err
	}
	return f.shown(), nil
}

// collection is what proposals are called in paths and in the record of who did what.
const collection = "proposals"

func (p *Proposals) note(ctx context.Context, action string, f *filed) {
	change := audit.Change{Action: action, Collection: collection, ID: f.record.ID, Name: f.message.GetTitle(), After: f.summary()}
	if f.was != nil {
		change.Before = f.was
	}
	audit.Note(ctx, change)
}

func (p *Proposals) load(ctx context.Context, environment, proposal string) (*filed, error) {
	record, err := p.Store.Get(ctx, environment, proposal)
	if err != nil {
		return nil, err
	}
	return p.open(record)
}

// loadOpen loads a proposal that isn't closed.
func (p *Proposals) loadOpen(ctx context.Context, environment, proposal string) (*filed, error) {
	f, err := p.load(ctx, environment, proposal)
	if err != nil {
		return nil, err
	}
	if f.closed() {
		return nil, problem.Errorf(problem.Conflict, "the proposal is closed: it is %s", f.record.State)
	}
	return f, nil
}

// loadOwn loads a proposal that isn't closed, for its author.
func (p *Proposals) loadOwn(ctx context.Context, environment, proposal string, by access.Actor) (*filed, error) {
	f, err := p.loadOpen(ctx, environment, proposal)
	if err != nil {
		return nil, err
	}
	if person(by) == "" || person(by) != f.record.AuthorID {
		return nil, problem.Errorf(problem.Forbidden, "only its author, %s, does this to a proposal; others reject it", f.message.GetAuthor())
	}
	return f, nil
}

// Run closes proposals whose time is over, until ctx ends. Every replica does; they don't mind each other.
func (p *Proposals) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := p.Sweep(ctx); err != nil && ctx.Err() == nil {
			p.Logger.Warn("can't close expired proposals; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep closes proposals whose time is over, of which nothing secret is kept then, and forgets old ones that became nothing.
func (p *Proposals) Sweep(ctx context.Context) error {
	now := p.Now()
	if err := sweep(ctx, now, p.Store.Expire); err != nil {
		return fmt.Errorf("expire proposals: %w", err)
	}
	if err := sweep(ctx, now.Add(-Retention), p.Store.Forget); err != nil {
		return fmt.Errorf("forget proposals: %w", err)
	}
	return nil
}

func sweep(ctx context.Context, at time.Time, some func(ctx context.Context, at time.Time, limit int) (int, error)) error {
	for {
		n, err := some(ctx, at, sweepLimit)
		if err != nil || n < sweepLimit {
			return err
		}
	}
}
