package effects

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// comparePolicies says what applies to routes that are there before and after. Routes of one service without policies of
// their own are compared once.
func (c *comparison) comparePolicies() {
	known := make(map[[2]string][]said)
	for route := range c.concerned() {
		was, ok := c.before.Object(catalog.Routes, route.ID)
		if !ok {
			continue
		}
		services := [2]string{was.Service(), route.Service()}
		alone := c.before.HasPolicies(was) || c.after.HasPolicies(route)
		all, found := known[services]
		if alone || !found {
			all = compareApplied(c.before.Effective(was), c.after.Effective(route))
			if !alone {
				known[services] = all
			}
		}
		for _, s := range all {
			c.say(s, route)
		}
	}
}

// concerned yields the routes on which policies may differ: those that edited policies reach, and those of another service.
func (c *comparison) concerned() func(yield func(*catalog.Object) bool) {
	reach := catalog.ReachOf(c.edits, catalog.Policies)
	return func(yield func(*catalog.Object) bool) {
		for route := range reach.Routes(c.after) {
			if !yield(route) {
				return
			}
		}
		for _, e := range c.edits {
			if e.Before == nil || e.After == nil || e.After.Collection != catalog.Routes || e.Before.Service() == e.After.Service() {
				continue
			}
			if _, reached := reach.Cause(e.After); !reached && !yield(e.After) {
				return
			}
		}
	}
}

// compareApplied says what it means that these policies run instead of those.
func compareApplied(before, after []catalog.Applied) []said {
	var all []said
	var gone, come []catalog.Applied
	for _, b := range before {
		if i := indexOf(after, b.Object.ID); i >= 0 {
			all = append(all, compareOne(b, after[i])...)
			continue
		}
		gone = append(gone, b)
		severity := weight(b)
		if slices.ContainsFunc(after, func(a catalog.Applied) bool { return a.Enforced() && a.Kind.Name == b.Kind.Name }) {
			severity = min(severity, policy.Attention) // another of its kind holds
		}
		all = append(all, sayOf("policy_removed", "policy_applied", severity, b, "no longer applies to %s"+shadow(b)))
	}
	for _, a := range after {
		if indexOf(before, a.Object.ID) < 0 {
			come = append(come, a)
			all = append(all, sayOf("policy_applied", "policy_removed", min(weight(a), policy.Attention), a, "applies to %s"+shadow(a)))
		}
	}
	all = append(all, compareReplaced(gone, come)...)
	all = append(all, compareAuthentication(before, after)...)
	if reordered(before, after) {
		all = append(all, said{Effect{Code: "policies_reordered", Severity: policy.Attention}, "The policies of %s run in another order."})
	}
	return all
}

// compareOne says what it means that a policy which runs before and after is changed.
func compareOne(b, a catalog.Applied) []said {
	var all []said
	switch {
	case !b.Enforced() && a.Enforced():
		all = append(all, sayOf("policy_enforced", "policy_shadowed", policy.Attention, a, "is enforced on %s: its verdict holds"))
	case b.Enforced() && !a.Enforced():
		all = append(all, sayOf("policy_shadowed", "policy_enforced", weight(b), a, "is in shadow on %s: its verdict is only counted"))
	}
	if b.Policy == a.Policy {
		return all
	}
	words := inWords(a.Kind, b, a)
	fields := resource.Differences(b.Config, a.Config)
	if len(fields) > 0 {
		for i, f := range fields {
			fields[i] = "/config" + f
		}
		s := sayOf("policy_changed", "", policy.Attention, a, "changes on %s: "+literal(strings.Join(fields, ", ")))
		s.effect.Fields = fields
		if len(words) > 0 {
			s.effect.Severity = policy.Info // said better below
		}
		all = append(all, s)
	}
	return append(all, words...)
}

// compareReplaced lets kinds say what policies that come and go mean. One that takes the place of one is compared with it.
func compareReplaced(gone, come []catalog.Applied) []said {
	var all []said
	none := catalog.Applied{}
	for _, kind := range kindsOf(gone, come) {
		ofKind := func(list []catalog.Applied) []catalog.Applied {
			return slices.DeleteFunc(slices.Clone(list), func(a catalog.Applied) bool { return a.Kind.Name != kind.Name || !a.Enforced() })
		}
		went, came := ofKind(gone), ofKind(come)
		if len(went) == 1 && len(came) == 1 {
			all = append(all, inWords(kind, went[0], came[0])...)
			continue
		}
		for _, b := range went {
			all = append(all, inWords(kind, b, none)...)
		}
		for _, a := range came {
			all = append(all, inWords(kind, none, a)...)
		}
	}
	return all
}

func kindsOf(lists ...[]catalog.Applied) []policy.Kind {
	var kinds []policy.Kind
	for _, list := range lists {
		for _, a := range list {
			if !slices.ContainsFunc(kinds, func(k policy.Kind) bool { return k.Name == a.Kind.Name }) {
				kinds = append(kinds, a.Kind)
			}
		}
	}
	return kinds
}

// inWords returns what a kind says of a change. A policy in shadow is in force for nobody.
func inWords(kind policy.Kind, before, after catalog.Applied) []said {
	shown := after
	if inForce(after) == nil {
		shown = before
	}
	if shown.Policy == nil {
		return nil
	}
	var all []said
	for _, e := range kind.Effects(inForce(before), inForce(after)) {
		effect := of(e.Code, e.Opposite, e.Severity, shown.Object)
		effect.Kind = kind.Name
		all = append(all, said{effect, "On %s, " + literal(e.Text) + fmt.Sprintf(" (policy %q).", shown.Object.Name)})
	}
	return all
}

func inForce(a catalog.Applied) proto.Message {
	if a.Policy == nil || !a.Enforced() {
		return nil
	}
	return a.Config
}

// compareAuthentication says whether routes become public or protected, or ask in another way who calls.
func compareAuthentication(before, after []catalog.Applied) []said {
	was, is := authenticating(before), authenticating(after)
	switch {
	case was == is:
		return nil
	case is == "":
		return []said{{
			Effect{Code: "route_public", Opposite: "route_protected", Severity: policy.Danger}, "Nobody is asked any more who calls %s: public from now on.",
		}}
	case was == "":
		return []said{{
			Effect{Code: "route_protected", Opposite: "route_public", Severity: policy.Attention}, "Callers must prove who they are (" + is + ") on %s.",
		}}
	default:
		return []said{{
			Effect{Code: "authentication_changed", Severity: policy.Attention}, "Callers must prove who they are by " + is + " instead of " + was + " on %s.",
		}}
	}
}

// authenticating names the kinds that ask who calls; "": nobody does. One that takes whoever shows nothing asks nobody.
func authenticating(applied []catalog.Applied) string {
	var kinds []string
	for _, a := range applied {
		if a.Phase == policy.Authenticate && a.Enforced() && !a.Kind.Traits.Fallback {
			kinds = append(kinds, a.Kind.Name)
		}
	}
	slices.Sort(kinds)
	return strings.Join(slices.Compact(kinds), ", ")
}

// reordered tells whether two policies that run before and after change places.
func reordered(before, after []catalog.Applied) bool {
	last := -1
	for _, b := range before {
		i := indexOf(after, b.Object.ID)
		if i < 0 {
			continue
		}
		if i < last {
			return true
		}
		last = i
	}
	return false
}

// compareElsewhere says what of a policy concerns no route: consumers that it is attached to, for one.
func (c *comparison) compareElsewhere(e catalog.Edit) {
	was, is := elsewhereOf(e.Before), elsewhereOf(e.After)
	for _, place := range was {
		if !slices.Contains(is, place) {
			c.say(sayOf("policy_removed", "policy_applied", policy.Attention, applied(e.Before), "no longer applies to "+literal(place)))
		}
	}
	for _, place := range is {
		if !slices.Contains(was, place) {
			c.say(sayOf("policy_applied", "policy_removed", policy.Attention, applied(e.After), "applies to "+literal(place)))
			continue
		}
		for _, s := range compareOne(applied(e.Before), applied(e.After)) {
			s.text = strings.Replace(s.text, "%s", literal(place), 1)
			c.say(s)
		}
	}
}

func elsewhereOf(o *catalog.Object) []string {
	if o == nil || applied(o).Off() {
		return nil
	}
	return o.Elsewhere()
}

func applied(o *catalog.Object) catalog.Applied {
	return catalog.Applied{Policy: o.Policy(), Object: o}
}

func indexOf(list []catalog.Applied, id string) int {
	return slices.IndexFunc(list, func(a catalog.Applied) bool { return a.Object.ID == id })
}

// sayOf makes an effect of a policy.
func sayOf(code, opposite string, severity policy.Severity, a catalog.Applied, text string) said {
	effect := of(code, opposite, severity, a.Object)
	effect.Kind = a.Kind.Name
	return said{effect, fmt.Sprintf("The policy %q (%s) ", a.Object.Name, a.Kind.Name) + text + "."}
}

// weight is how grave it is that a policy no longer refuses anybody.
func weight(a catalog.Applied) policy.Severity {
	switch {
	case !a.Enforced():
		return policy.Info
	case a.Kind.Traits.Decides && a.Phase <= policy.Authorize:
		return policy.Danger
	default:
		return policy.Attention
	}
}

func shadow(a catalog.Applied) string {
	if a.Enforced() {
		return ""
	}
	return " (in shadow)"
}
