package fleet

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// patchable is what people say of a node; all else only the node itself or the server does.
var patchable = []string{"name", "labels", "group"}

// Patch changes what people say of a node, by a JSON merge patch (RFC 7396).
func (n *Nodes) Patch(ctx context.Context, environment, id string, patch []byte) (*adminv1.Node, error) {
	node, err := n.store.Node(ctx, environment, id)
	if err != nil {
		return nil, err
	}
	before := node.message()
	merged, violations := resource.MergePatch(before, patch)
	if len(violations) > 0 {
		return nil, problem.Invalid(violations...)
	}
	wanted := merged.(*adminv1.Node)
	if err := problem.Invalid(checkNodePatch(before, wanted)...); err != nil {
		return nil, err
	}
	if node.Group, err = n.groupID(ctx, environment, wanted.GetGroup()); err != nil {
		return nil, err
	}
	node.Name, node.Labels = wanted.GetName(), wanted.GetLabels()
	audit.Note(ctx, audit.Change{Action: "update", Collection: "nodes", ID: node.ID, Name: node.Name, Before: before, After: node.message()})
	if err := n.store.PatchNode(ctx, node); err != nil {
		return nil, err
	}
	return n.Get(ctx, environment, id)
}

func checkNodePatch(before, wanted *adminv1.Node) []problem.Violation {
	violations := resource.CheckLabels(wanted.GetLabels())
	switch name := wanted.GetName(); {
	case name == "":
		violations = append(violations, problem.Violation{Pointer: "/name", Code: problem.ViolationRequired, Detail: "A node has a name."})
	case clean(name, maxNodeName) != name:
		violations = append(violations, problem.Violation{
			Pointer: "/name", Code: problem.ViolationInvalidFormat, Detail: "The name is too long, or no text.", Allowed: "at most 128 bytes",
		})
	}
	rest := [2]*adminv1.Node{proto.CloneOf(before), proto.CloneOf(wanted)}
	for _, m := range rest {
		fields := m.ProtoReflect().Descriptor().Fields()
		for _, field := range patchable {
			m.ProtoReflect().Clear(fields.ByTextName(field))
		}
	}
	if !proto.Equal(rest[0], rest[1]) {
		violations = append(violations, problem.Violation{
			Pointer: "", Code: problem.ViolationImmutable, Detail: "Only name, labels and group of a node can be changed; disable and enable it by their own operations.",
		})
	}
	return violations
}

// groupID returns the id of a group that is named by id or name; "" for none.
func (n *Nodes) groupID(ctx context.Context, environment, key string) (string, error) {
	if key == "" {
		return "", nil
	}
	group, err := n.groups.Group(ctx, environment, key)
	if err != nil {
		return "", unknownGroup(err, key)
	}
	return group.ID, nil
}

// unknownGroup is the answer to a group that there isn't.
func unknownGroup(err error, key string) error {
	if problem.CodeOf(err) != problem.NotFound {
		return err
	}
	return problem.Invalid(problem.Violation{
		Pointer: "/group", Code: problem.ViolationUnknownReference, Detail: "There is no such group of nodes in this environment.", Given: clean(key, 64),
	})
}

// selection reads a list's query.
func (n *Nodes) selection(ctx context.Context, environment string, query listing.Query) (listing.Plan, Selection, error) {
	plan, err := query.Plan()
	if err != nil {
		return plan, Selection{}, err
	}
	s := Selection{After: plan.After, Limit: plan.Limit + 1, Labels: plan.Selector}
	var violations []problem.Violation
	for field, value := range query.Filter {
		switch field {
		case "name":
			s.Name = &value
		case "group":
			group, err := n.groups.Group(ctx, environment, value)
			if err != nil && problem.CodeOf(err) != problem.NotFound {
				return plan, s, err
			}
			if err != nil {
				group.ID = value // nobody is in what isn't there
			}
			s.Group = &group.ID
		default:
			violations = append(violations, listing.UnknownFilter(field, "name, group"))
		}
	}
	return plan, s, problem.Invalid(violations...)
}

// Arrive notes that a process of a node is here. It tells whether the node is back that had said goodbye: then the fleet
// is told, and what was read of the directory before is older than that.
func (n *Nodes) Arrive(ctx context.Context, identity Identity, hello *edgev1.Hello) (returned bool, err error) {
	returned, err = n.store.Arrive(ctx, identity, clean(hello.GetBoot(), maxBoot), startedAt(hello))
	if err != nil {
		return false, orRemoved(err)
	}
	if !returned {
		return false, nil
	}
	return true, n.members.Settle(ctx, identity.Environment)
}

// Leave notes that a node's process has served its last request: what it had of the fleet's limits falls to the others. An
// older process of a node whose newer one is here leaves nothing.
func (n *Nodes) Leave(ctx context.Context, identity Identity, boot string) error {
	left, err := n.store.Leave(ctx, identity, clean(boot, maxBoot))
	if err != nil || !left {
		return err
	}
	return n.members.Settle(ctx, identity.Environment)
}
