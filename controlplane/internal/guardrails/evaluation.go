package guardrails

import (
	"iter"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/guardrail"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// evaluation is all that is evaluated for one change. What an object is to rules is made once for all of them.
type evaluation struct {
	head     *catalog.Head
	edits    []catalog.Edit
	policies catalog.Reach
	services catalog.Reach
	values   map[*catalog.Object]map[string]any
	running  map[string][]any // policies that run on the routes of a service which have none of their own
}

func newEvaluation(head *catalog.Head, edits []catalog.Edit) *evaluation {
	return &evaluation{
		head: head, edits: edits,
		policies: catalog.ReachOf(edits, catalog.Policies), services: catalog.ReachOf(edits, catalog.Services),
		values: make(map[*catalog.Object]map[string]any), running: make(map[string][]any),
	}
}

// subject is an object that a guardrail is held against.
type subject struct {
	object, cause *catalog.Object
	untouched     bool
}

// subjects yields each object that a guardrail is held against, once: what is edited, routes that edited policies and services reach
// where the rule looks at those, and then, of a guardrail that is new or demands something else, everything.
func (e *evaluation) subjects(rail *catalog.Object, m *configv1.Guardrail, rule *guardrail.Rule) iter.Seq[subject] {
	return func(yield func(subject) bool) {
		seen := make(map[*catalog.Object]bool)
		once := func(s subject) bool {
			if seen[s.object] {
				return true
			}
			seen[s.object] = true
			return yield(s)
		}
		for _, edit := range e.edits {
			if edit.After != nil && edit.After.Collection == m.GetAppliesTo() && !once(subject{object: edit.After, cause: edit.After}) {
				return
			}
		}
		if m.GetAppliesTo() == catalog.Routes {
			for s := range e.reached(rule) {
				if !once(s) {
					return
				}
			}
		}
		if e.demandsOtherwise(rail) {
			for o := range e.everything(m.GetAppliesTo()) {
				if !once(subject{object: o, cause: rail, untouched: true}) {
					return
				}
			}
		}
	}
}

// reached yields routes that a rule may see otherwise although they are what they were. A rule that can't be read sees everything.
func (e *evaluation) reached(rule *guardrail.Rule) iter.Seq[subject] {
	return func(yield func(subject) bool) {
		for _, by := range []struct {
			reach catalog.Reach
			looks bool
		}{
			{e.policies, rule == nil || rule.Uses(guardrail.Effective) || rule.Uses(guardrail.Public)},
			{e.services, rule == nil || rule.Uses(guardrail.Service)},
		} {
			if !by.looks {
				continue
			}
			for route := range by.reach.Routes(e.head) {
				cause, _ := by.reach.Cause(route)
				if !yield(subject{object: route, cause: cause.Object()}) {
					return
				}
			}
		}
	}
}

// demandsOtherwise tells whether a guardrail is new, or is changed in what it demands, of what, or how.
func (e *evaluation) demandsOtherwise(rail *catalog.Object) bool {
	i := slices.IndexFunc(e.edits, func(edit catalog.Edit) bool { return edit.After == rail })
	if i < 0 {
		return false
	}
	if e.edits[i].Before == nil {
		return true
	}
	before, after := demands(e.edits[i].Before), demands(rail)
	return !proto.Equal(before, after)
}

// demands returns a guardrail without what is for people to read.
func demands(rail *catalog.Object) *configv1.Guardrail {
	m := resource.Defaulted(rail.Message.(*configv1.Guardrail))
	return &configv1.Guardrail{AppliesTo: m.AppliesTo, Rule: m.Rule, Action: m.Action, Except: m.Except}
}

// everything yields a collection in the order of names. The settings are there, empty, before they are first written.
func (e *evaluation) everything(collection string) iter.Seq[*catalog.Object] {
	all := e.head.Objects(collection)
	if t, ok := resource.ByCollection(collection); ok && t.Singleton && len(all) == 0 {
		m := catalog.Unwritten(t)
		all = []*catalog.Object{{Collection: collection, Name: m.GetName(), Message: m}}
	}
	return slices.Values(all)
}

// variables returns what a rule sees of an object.
func (e *evaluation) variables(collection string, o *catalog.Object) map[string]any {
	all := map[string]any{guardrail.Object: func() any { return e.value(o) }}
	if collection != catalog.Routes {
		return all
	}
	all[guardrail.Public] = func() any { return !e.head.Protected(o) }
	all[guardrail.Effective] = func() any { return e.effective(o) }
	all[guardrail.Service] = func() any {
		service, ok := e.head.Object(catalog.Services, o.Service())
		if !ok {
			return map[string]any{}
		}
		return e.value(service)
	}
	return all
}

func (e *evaluation) value(o *catalog.Object) map[string]any {
	v, ok := e.values[o]
	if !ok {
		v = guardrail.Value(resource.Defaulted(o.Message))
		if len(e.values) < keptValues {
			e.values[o] = v
		}
	}
	return v
}

// keptValues bounds what is remembered of one change: a guardrail over everything doesn't hold everything twice.
const keptValues = 2000

// levels are what places of attachment are called in a rule.
var levels = map[policy.Level]string{policy.Environment: "environment", policy.Service: "service", policy.Route: "route"}

// effective returns the policies that run on a route.
func (e *evaluation) effective(route *catalog.Object) []any {
	if e.head.HasPolicies(route) {
		return shown(e.head.Effective(route))
	}
	all, ok := e.running[route.Service()]
	if !ok {
		all = shown(e.head.Effective(route))
		e.running[route.Service()] = all
	}
	return all
}

// shown is what policies are in a rule.
func shown(running []catalog.Applied) []any {
	all := make([]any, len(running))
	for i, a := range running {
		all[i] = map[string]any{
			"id": a.Object.ID, "name": a.Object.Name, "kind": a.Kind.Name, "phase": a.Phase.String(), "level": levels[a.Level],
			"mode": guardrail.Word(a.Mode.Descriptor(), a.Mode.Number()), "final": a.Final, "position": int64(a.Position),
			"config": guardrail.Value(a.Config),
		}
	}
	return all
}
