package proposals

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// batch is what the proposal publishes.
func (f *filed) batch(base *publish.Base) (publish.Batch, error) {
	operations, err := publish.OperationsOf(f.request.GetOperations())
	if err != nil {
		return publish.Batch{}, err
	}
	message := f.request.GetMessage()
	if message == "" {
		message = f.request.GetTitle()
	}
	author := access.Actor{ID: f.record.AuthorID, Name: f.message.GetAuthor()}
	return publish.Batch{
		Environment: f.record.Environment, Author: author, Message: message, Operations: operations, RollbackTo: f.request.GetRollbackTo(),
		Force: f.message.GetForce(), Prefixed: true,
		Proposal: &publish.Proposal{ID: f.record.ID, Version: f.record.Version, Author: author, Base: base},
	}, nil
}

func (p *Proposals) run(ctx context.Context, f *filed, batch publish.Batch) (publish.Result, error) {
	if f.request.RollbackTo != nil {
		return p.Publisher.Rollback(ctx, batch)
	}
	return p.Publisher.Apply(ctx, batch)
}

// plan tells what a proposal comes to now and, of a base, what moved on.
func (p *Proposals) plan(ctx context.Context, f *filed, base *publish.Base) (publish.Result, error) {
	batch, err := f.batch(base)
	if err != nil {
		return publish.Result{}, err
	}
	batch.DryRun, batch.Author.Grants = true, grantsOf(ctx, batch.Author)
	return p.run(ctx, f, batch)
}

// grantsOf are what a plan is held to: when its author makes it, what they may do. Whoever reads it later sees what was allowed then; whoever
// publishes it is held to what they may do themselves.
func grantsOf(ctx context.Context, author access.Actor) access.Grants {
	if actor, ok := access.ActorOf(ctx); ok && samePerson(person(author), actor) {
		return actor.Grants
	}
	return access.System().Grants
}

// planAnew makes the plan that reviewers agree to, as the next round.
func (p *Proposals) planAnew(ctx context.Context, f *filed, now time.Time) error {
	if err := oneOrOther(f.request); err != nil {
		return err
	}
	result, err := p.plan(ctx, f, nil)
	if err != nil {
		return err
	}
	if err := refuseKeys(result); err != nil {
		return err
	}
	if f.message.Plan, err = p.Face.Plan(result); err != nil {
		return err
	}
	f.setBase(result.Base)
	f.message.Operations, f.message.RollbackTo = withoutSecrets(f.request.GetOperations()), f.request.RollbackTo
	f.message.Round++
	f.message.PlannedAt = timestamppb.New(now)
	f.record.ExpiresAt = now.Add(Life)
	return nil
}

// oneOrOther refuses a request that has both steps and a rollback, or neither.
func oneOrOther(wanted *adminv1.ProposalRequest) error {
	if (len(wanted.GetOperations()) > 0) != (wanted.RollbackTo != nil) {
		return nil
	}
	return problem.Invalid(problem.Violation{
		Pointer: "/operations", Code: problem.ViolationRequired, Detail: "A proposal has either steps or the revision to roll back to.", Allowed: "one of operations, rollback_to",
	})
}

// refuseKeys refuses steps that make an API key or a password: it would be shown to whoever publishes them.
func refuseKeys(result publish.Result) error {
	var violations []problem.Violation
	for i, outcome := range result.Outcomes {
		if !outcome.Created || outcome.Collection != directory.APIKeys && outcome.Collection != directory.Passwords {
			continue
		}
		violations = append(violations, problem.Violation{
			Pointer: problem.Pointer("operations", i), Code: problem.ViolationInvalidValue,
			Detail: "A proposal can't make a credential: it would be shown to whoever publishes it. Create it directly.", Given: outcome.Collection,
		})
	}
	return problem.Invalid(violations...)
}

// withoutSecrets returns steps as they are shown: the fields of directory objects that hold secret material are left out.
func withoutSecrets(operations []*adminv1.Operation) []*adminv1.Operation {
	shown := make([]*adminv1.Operation, len(operations))
	for i, op := range operations {
		shown[i] = op
		t, ok := directory.ByCollection(op.GetCollection())
		if !ok || op.GetBody() == nil {
			continue
		}
		bare := proto.Clone(op).(*adminv1.Operation)
		for _, name := range secretFields(t.New().ProtoReflect().Descriptor()) {
			delete(bare.GetBody().GetFields(), name)
		}
		shown[i] = bare
	}
	return shown
}

func secretFields(m protoreflect.MessageDescriptor) []string {
	var names []string
	for i := range m.Fields().Len() {
		if f := m.Fields().Get(i); resource.Options(f).GetSecret() {
			names = append(names, string(f.Name()))
		}
	}
	return names
}

// outlook shows what a proposal comes to now. A plan that is refused is an answer too.
func (p *Proposals) outlook(result publish.Result, refusal error) (*adminv1.ProposalOutlook, error) {
	now := &adminv1.ProposalOutlook{Moved: objects(result.Moved)}
	if refusal != nil {
		shown := problem.From(refusal)
		if shown.Status >= http.StatusInternalServerError {
			return nil, refusal
		}
		now.Refusal = p.Face.Problem(shown)
		return now, nil
	}
	var err error
	now.Plan, err = p.Face.Plan(result)
	return now, err
}
