package fleet

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// Groups makes and ends groups of nodes. A group is no part of a revision: it says which nodes something is done to.
type Groups struct {
	store GroupStore
	now   func() time.Time
}

// NewGroups returns the groups of store.
func NewGroups(store GroupStore) *Groups { return &Groups{store: store, now: time.Now} }

// Create makes a group.
func (g *Groups) Create(ctx context.Context, environment string, wanted *adminv1.NodeGroup) (*adminv1.NodeGroup, error) {
	if err := problem.Invalid(checkGroup(&adminv1.NodeGroup{}, wanted)...); err != nil {
		return nil, err
	}
	now := g.now().UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	group := Group{
		ID: id.Text(id.NodeGroup, id.New(now)), Environment: environment, Name: wanted.GetName(), Description: wanted.GetDescription(),
		Labels: wanted.GetLabels(), CreatedAt: now, UpdatedAt: now,
	}
	audit.Note(ctx, audit.Change{Action: "create", Collection: "node-groups", ID: group.ID, Name: group.Name, After: group.message()})
	if err := g.store.InsertGroup(ctx, group); err != nil {
		return nil, err
	}
	return group.message(), nil
}

// Get returns a group by id or name.
func (g *Groups) Get(ctx context.Context, environment, key string) (*adminv1.NodeGroup, error) {
	group, err := g.store.Group(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	return group.message(), nil
}

// List returns one page of an environment's groups, by name.
func (g *Groups) List(ctx context.Context, environment string, query listing.Query) (listing.Page[*adminv1.NodeGroup], error) {
	plan, err := query.Plan()
	if err != nil {
		return listing.Page[*adminv1.NodeGroup]{}, err
	}
	s := Selection{After: plan.After, Limit: plan.Limit + 1, Labels: plan.Selector}
	var violations []problem.Violation
	for field, value := range query.Filter {
		if field != "name" {
			violations = append(violations, listing.UnknownFilter(field, "name"))
			continue
		}
		s.Name = &value
	}
	if err := problem.Invalid(violations...); err != nil {
		return listing.Page[*adminv1.NodeGroup]{}, err
	}
	groups, err := g.store.Groups(ctx, environment, s)
	if err != nil {
		return listing.Page[*adminv1.NodeGroup]{}, err
	}
	items := make([]*adminv1.NodeGroup, len(groups))
	for i := range groups {
		items[i] = groups[i].message()
	}
	return listing.PageOf(plan, items, (*adminv1.NodeGroup).GetName), nil
}

// Patch changes a group's name, labels or description, by a JSON merge patch (RFC 7396).
func (g *Groups) Patch(ctx context.Context, environment, key string, patch []byte) (*adminv1.NodeGroup, error) {
	group, err := g.store.Group(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	before := group.message()
	merged, violations := resource.MergePatch(before, patch)
	if len(violations) > 0 {
		return nil, problem.Invalid(violations...)
	}
	wanted := merged.(*adminv1.NodeGroup)
	if err := problem.Invalid(checkGroup(before, wanted)...); err != nil {
		return nil, err
	}
	group.Name, group.Labels, group.Description = wanted.GetName(), wanted.GetLabels(), wanted.GetDescription()
	group.UpdatedAt = g.now().UTC().Truncate(time.Microsecond)
	audit.Note(ctx, audit.Change{Action: "update", Collection: "node-groups", ID: group.ID, Name: group.Name, Before: before, After: group.message()})
	if err := g.store.UpdateGroup(ctx, group); err != nil {
		return nil, err
	}
	return group.message(), nil
}

// Delete ends a group that nothing refers to.
func (g *Groups) Delete(ctx context.Context, environment, key string) error {
	group, err := g.store.Group(ctx, environment, key)
	if err != nil {
		return err
	}
	audit.Note(ctx, audit.Change{Action: "delete", Collection: "node-groups", ID: group.ID, Name: group.Name, Before: group.message()})
	return g.store.DeleteGroup(ctx, environment, group.ID)
}

func checkGroup(before, wanted *adminv1.NodeGroup) []problem.Violation {
	violations := append(resource.CheckName(wanted.GetName()), resource.CheckLabels(wanted.GetLabels())...)
	if len(wanted.GetDescription()) > maxDescription {
		violations = append(violations, problem.Violation{
			Pointer: "/description", Code: problem.ViolationTooLong, Detail: "The description is too long.", Allowed: "at most 1024 bytes",
		})
	}
	rest := proto.CloneOf(wanted)
	rest.Name, rest.Labels, rest.Description = before.GetName(), before.GetLabels(), before.GetDescription()
	if !proto.Equal(rest, before) {
		violations = append(violations, problem.Violation{
			Pointer: "", Code: problem.ViolationImmutable, Detail: "Only name, labels and description of a group can be given.",
		})
	}
	return violations
}

func (g *Group) message() *adminv1.NodeGroup {
	return &adminv1.NodeGroup{
		Id: g.ID, Name: g.Name, Description: g.Description, Labels: g.Labels, Nodes: g.Nodes,
		CreatedAt: timestamppb.New(g.CreatedAt), UpdatedAt: timestamppb.New(g.UpdatedAt),
	}
}
