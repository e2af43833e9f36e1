package environments

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/validate"
)

// Prefix is that of environments' ids.
const Prefix = id.Environment

// Beginning is what a new environment begins with.
type Beginning struct {
	Environment *adminv1.Environment
	Digest      digest.Sum // of the empty configuration
	Directory   directory.Head
	Pepper      directory.Pepper
}

// Store keeps environments.
type Store interface {
	// CreateEnvironment writes an environment with its first entry; problem.NameTaken when its name is.
	CreateEnvironment(ctx context.Context, b Beginning) error
	// Environment returns the environment of an id or name; problem.NotFound when there is none.
	Environment(ctx context.Context, idOrName string) (*adminv1.Environment, error)
	// Environments returns up to limit environments in the order of their names, after one; of these ids, unless that is nil.
	Environments(ctx context.Context, after string, limit int, within []string) ([]*adminv1.Environment, error)
}

// Environments makes and finds environments.
type Environments struct {
	store  Store
	sealer directory.Sealer
	now    func() time.Time
}

// New returns the environments in a store. The sealer seals their peppers.
func New(store Store, sealer directory.Sealer) *Environments {
	return &Environments{store: store, sealer: sealer, now: time.Now}
}

// Create makes an environment out of its name and description, with its first pepper.
func (e *Environments) Create(ctx context.Context, wanted *adminv1.Environment, _ access.Actor) (*adminv1.Environment, error) {
	if err := check(wanted); err != nil {
		return nil, err
	}
	now := e.now().UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	env := &adminv1.Environment{
		Id: id.Text(Prefix, id.New(now)), Name: wanted.GetName(), Description: wanted.GetDescription(),
		Epoch: 1, Sequence: 1, CreatedAt: timestamppb.New(now),
	}
	pepper, err := directory.NewPepper(e.sealer, env.GetId(), 1, now)
	if err != nil {
		return nil, err
	}
	var configuration, entries digest.Set
	entries.Put(pepper.Entry.Key, pepper.Entry.Hash)
	ctx = audit.Ensure(ctx, audit.System, "createEnvironment")
	audit.DraftOf(ctx).About(env.GetId())
	audit.Note(ctx, audit.Change{Action: "create", Collection: "environments", ID: env.GetId(), Name: env.GetName(), After: env})
	err = e.store.CreateEnvironment(ctx, Beginning{
		Environment: env, Digest: configuration.Head(), Pepper: pepper,
		Directory: directory.Head{Sequence: 1, Digest: entries.Head()},
	})
	if err != nil {
		return nil, err
	}
	return env, nil
}

// Get returns the environment of an id or name.
func (e *Environments) Get(ctx context.Context, idOrName string) (*adminv1.Environment, error) {
	return e.store.Environment(ctx, idOrName)
}

// List returns a page of environments in the order of their names. There is nothing to filter by.
func (e *Environments) List(ctx context.Context, q listing.Query) (listing.Page[*adminv1.Environment], error) {
	plan, err := q.Plan()
	if err != nil {
		return listing.Page[*adminv1.Environment]{}, err
	}
	var violations []problem.Violation
	for field := range q.Filter {
		violations = append(violations, listing.UnknownFilter(field, "nothing"))
	}
	if q.Labels != "" {
		violations = append(violations, problem.Violation{Pointer: "/labels", Code: problem.ViolationUnknownParameter, Detail: "Environments have no labels."})
	}
	if err := problem.Invalid(violations...); err != nil {
		return listing.Page[*adminv1.Environment]{}, err
	}
	found, err := e.store.Environments(ctx, plan.After, plan.Limit+1, plan.Within)
	if err != nil {
		return listing.Page[*adminv1.Environment]{}, err
	}
	return listing.PageOf(plan, found, (*adminv1.Environment).GetName), nil
}

// check holds a wanted environment against its field rules and refuses what only the server sets.
func check(wanted *adminv1.Environment) error {
	violations := validate.Message(wanted)
	violations = append(violations, resource.CheckOutputOnly(&adminv1.Environment{}, wanted)...)
	return problem.Invalid(violations...)
}
