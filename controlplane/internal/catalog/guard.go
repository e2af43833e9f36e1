package catalog

import (
	"iter"
	"slices"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/resource"
)

// guard is one attachment of a policy whose kind can authenticate.
type guard struct {
	place  ref // environment, a service or a route
	policy string
	kind   policy.Kind
	holds  bool // it authenticates, and is enforced
	final  bool
}

// environment is the place of policies that are attached to every route.
var environment = ref{}

// guardsOf returns the attachments of a policy whose kind can authenticate. Those that are off, in shadow or
// configured to run in another phase are among them: they take the place of less specific ones all the same. Those on
// consumers aren't: they run once somebody else has authenticated.
func guardsOf(p *configv1.Policy) ([]guard, error) {
	kind, config, err := kinds.Unpack(p.GetConfig())
	if err != nil {
		return nil, err
	}
	if !slices.Contains(kind.Phases, policy.Authenticate) {
		return nil, nil
	}
	holds := kind.Phase(resource.Defaulted(config)) == policy.Authenticate && resource.Defaulted(p).GetMode() == configv1.Mode_MODE_ENFORCE
	guards := make([]guard, 0, len(p.GetAttachedTo()))
	for _, at := range p.GetAttachedTo() {
		if at.GetConsumer() == "" {
			guards = append(guards, guard{place: placeOf(at), policy: p.GetId(), kind: kind, holds: holds, final: p.GetFinal()})
		}
	}
	return guards, nil
}

func placeOf(at *configv1.Attachment) ref {
	switch {
	case at.GetService() != "":
		return ref{Services, at.GetService()}
	case at.GetRoute() != "":
		return ref{Routes, at.GetRoute()}
	default:
		return environment
	}
}

// protected tells whether a route authenticates whoever calls it: among the policies of some kind that a node
// would run on it, one authenticates and is enforced.
func (h *Head) protected(route *Object) bool {
	levels := h.levels(route)
	for i, level := range levels {
		for _, g := range level {
			if g.holds && g.kind.Applies(policy.Level(i), ofKind(levels, g.kind.Name)) {
				return true
			}
		}
	}
	return false
}

// routeLevels are the levels at or above a route: those of consumers protect nothing.
const routeLevels = int(policy.Route) + 1

// levels returns the guards of a route, the least specific level first.
func (h *Head) levels(route *Object) [routeLevels][]guard {
	var levels [routeLevels][]guard
	levels[policy.Environment], _ = h.guards.get(environment)
	levels[policy.Service], _ = h.guards.get(ref{Services, route.service})
	levels[policy.Route], _ = h.guards.get(route.ref())
	return levels
}

// ofKind yields the level of each guard of a kind, and whether it is final.
func ofKind(levels [routeLevels][]guard, kind string) iter.Seq2[policy.Level, bool] {
	return func(yield func(policy.Level, bool) bool) {
		for i, guards := range levels {
			for _, g := range guards {
				if g.kind.Name == kind && !yield(policy.Level(i), g.final) {
					return
				}
			}
		}
	}
}
