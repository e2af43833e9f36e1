package catalog

import (
	"cmp"
	"context"
	"slices"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// What a policy does before a route.
const (
	stateRunning  = "running"
	stateOff      = "off"
	stateReplaced = "replaced"
)

// levelNames are the levels as the API shows them.
var levelNames = [...]string{policy.Environment: "environment", policy.Service: "service", policy.Route: "route"}

// attached is a policy at one level above or on a route.
type attached struct {
	message *configv1.Policy
	kind    policy.Kind
	phase   policy.Phase
	level   policy.Level
	off     bool
}

// RoutePolicies returns the policies of a route in the order in which a node runs them, and those that don't run where they would. A
// policy that is attached on several levels is listed once: where it runs, else where it is most general.
func (c *Catalog) RoutePolicies(ctx context.Context, environment, key string) ([]*adminv1.RoutePolicy, error) {
	h, err := c.Head(ctx, environment)
	if err != nil {
		return nil, err
	}
	route, ok := h.Object(Routes, key)
	if !ok {
		return nil, problem.Errorf(problem.NotFound, "there is no route %q", key)
	}
	all, err := h.attachedTo(route)
	if err != nil {
		return nil, err
	}
	return shownOnce(all), nil
}

// shownOnce returns each policy as the API has it: where it runs, else where it is most general.
func shownOnce(all []attached) []*adminv1.RoutePolicy {
	runs, seen := make(map[string]bool), make(map[string]bool) // by id
	every := make([]*adminv1.RoutePolicy, len(all))
	for i, a := range all {
		every[i] = a.shown(all)
		runs[every[i].GetId()] = runs[every[i].GetId()] || every[i].GetState() == stateRunning
	}
	return slices.DeleteFunc(every, func(m *adminv1.RoutePolicy) bool {
		if seen[m.GetId()] || runs[m.GetId()] && m.GetState() != stateRunning {
			return true
		}
		seen[m.GetId()] = true
		return false
	})
}

// attachedTo returns what is attached to a route, on every level of it, in the order of a node.
func (h *Head) attachedTo(route *Object) ([]attached, error) {
	var all []attached
	for _, o := range h.Objects(Policies) {
		m := o.Message.(*configv1.Policy)
		for _, at := range m.GetAttachedTo() {
			level, ok := levelOn(route, at)
			if !ok {
				continue
			}
			kind, config, err := kinds.Unpack(m.GetConfig())
			if err != nil {
				return nil, err
			}
			all = append(all, attached{
				message: m, kind: kind, level: level, phase: kind.Phase(resource.Defaulted(config)),
				off: m.GetMode() == configv1.Mode_MODE_OFF,
			})
		}
	}
	slices.SortFunc(all, func(a, b attached) int {
		return cmp.Or(
			cmp.Compare(a.phase, b.phase), cmp.Compare(a.level, b.level),
			cmp.Compare(a.message.GetPosition(), b.message.GetPosition()),
			cmp.Compare(a.message.GetName(), b.message.GetName()), cmp.Compare(a.message.GetId(), b.message.GetId()),
		)
	})
	return all, nil
}

// levelOn returns the level on which an attachment is one of the route; false: it is none.
func levelOn(route *Object, at *configv1.Attachment) (policy.Level, bool) {
	switch at.GetLevel().(type) {
	case *configv1.Attachment_Environment:
		return policy.Environment, true
	case *configv1.Attachment_Service:
		return policy.Service, at.GetService() == route.service
	case *configv1.Attachment_Route:
		return policy.Route, at.GetRoute() == route.ID
	}
	return 0, false
}

// shown returns the policy as the API has it, among all of its route.
func (a attached) shown(all []attached) *adminv1.RoutePolicy {
	m := a.message
	mode, _ := form.EnumName(configv1.Mode(0).Descriptor(), resource.Defaulted(m).GetMode().Number())
	shown := &adminv1.RoutePolicy{
		Id: m.GetId(), Name: m.GetName(), Kind: a.kind.Name, Phase: a.phase.String(), Level: levelNames[a.level],
		Mode: mode, Final: m.GetFinal(), Position: m.GetPosition(), State: stateRunning,
	}
	level, _ := policy.Winner(func(yield func(policy.Level, bool) bool) {
		for _, other := range all {
			if other.kind.Name == a.kind.Name && !yield(other.level, other.message.GetFinal()) {
				return
			}
		}
	})
	switch {
	case !a.kind.Merges && level != a.level:
		shown.State, shown.ReplacedBy = stateReplaced, levelNames[level]
	case a.off:
		shown.State = stateOff
	}
	return shown
}
