package catalog

import (
	"context"
	"slices"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// What a policy does before a route.
const (
	stateRunning  = "running"
	stateOff      = "off"
	stateReplaced = "replaced"
)

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
	all := h.attachedTo(route)
	policy.Sort(all)
	return shownOnce(all), nil
}

// shownOnce returns each policy as the API has it: where it runs, else where it is most general.
func shownOnce(all []Applied) []*adminv1.RoutePolicy {
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

// shown returns the policy as the API has it, among all of its route.
func (a Applied) shown(all []Applied) *adminv1.RoutePolicy {
	m := a.Object.Message
	mode, _ := form.EnumName(configv1.Mode(0).Descriptor(), a.Mode.Number())
	shown := &adminv1.RoutePolicy{
		Id: m.GetId(), Name: m.GetName(), Kind: a.Kind.Name, Phase: a.Phase.String(), Level: a.Level.String(),
		Mode: mode, Final: a.Final, Position: a.Position, State: stateRunning,
	}
	same := policy.OfKind(all, a.Kind.Name)
	switch {
	case !a.Kind.Applies(a.Level, same):
		winner, _ := policy.Winner(same)
		shown.State, shown.ReplacedBy = stateReplaced, winner.String()
	case a.Off():
		shown.State = stateOff
	}
	return shown
}
