package policy

import (
	"cmp"
	"iter"
	"slices"
)

// Placed is a policy at one level of a route, as far as its place among the others goes.
type Placed interface {
	// Place returns it.
	Place() Place
}

// Place is what decides whether and when a policy runs on a route.
type Place struct {
	Kind     Kind
	Phase    Phase
	Level    Level
	Position int32
	Name     string // unique in the environment
	Off      bool
	Final    bool
}

// Running returns those of a route's policies that run, in the order in which they do: by phase; in it kinds that answer preflights first,
// fallbacks and dear ones last; by level, position, name. Which ones run says [Kind.Applies]; those that are off don't, and keep others from it all the same. The edge
// runs policies by this order, and the control plane shows it.
//
// A policy that is attached on several levels of a route is in it once for each that counts; see [Once].
func Running[P Placed](all []P) []P {
	running := make([]P, 0, len(all))
	for _, p := range all {
		if place := p.Place(); !place.Off && place.Kind.Applies(place.Level, OfKind(all, place.Kind.Name)) {
			running = append(running, p)
		}
	}
	Sort(running)
	return running
}

// Once keeps the first of each policy, which is its place on the most general level: a policy that is attached on several levels of a
// route runs there, and no second time. The list is changed.
func Once[P Placed](running []P, same func(a, b P) bool) []P {
	kept := running[:0]
	for _, p := range running {
		if !slices.ContainsFunc(kept, func(k P) bool { return same(k, p) }) {
			kept = append(kept, p)
		}
	}
	return kept
}

// Sort puts policies into the order in which they run.
func Sort[P Placed](all []P) {
	slices.SortFunc(all, func(a, b P) int { return compare(a.Place(), b.Place()) })
}

// OfKind yields the level of each policy of a kind, and whether it is final.
func OfKind[P Placed](all []P, kind string) iter.Seq2[Level, bool] {
	return func(yield func(Level, bool) bool) {
		for _, p := range all {
			if place := p.Place(); place.Kind.Name == kind && !yield(place.Level, place.Final) {
				return
			}
		}
	}
}

func compare(a, b Place) int {
	return cmp.Or(
		cmp.Compare(a.Phase, b.Phase),
		compareFirst(a.Kind.Traits.Preflights, b.Kind.Traits.Preflights),
		compareFirst(b.Kind.Traits.Fallback, a.Kind.Traits.Fallback),
		compareFirst(b.Kind.Traits.Dear, a.Kind.Traits.Dear),
		cmp.Compare(a.Level, b.Level),
		cmp.Compare(a.Position, b.Position),
		cmp.Compare(a.Name, b.Name),
	)
}

// compareFirst orders true before false.
func compareFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
