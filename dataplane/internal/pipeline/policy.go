package pipeline

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
)

// Mode is what happens with a policy's verdict.
type Mode uint8

// The modes.
const (
	Off     Mode = iota // it doesn't run
	Shadow              // it runs and is counted, but refuses nobody
	Enforce             // its verdict holds
)

// String returns the mode as metrics and logs show it.
func (m Mode) String() string {
	switch m {
	case Off:
		return "off"
	case Shadow:
		return "shadow"
	case Enforce:
		return "enforce"
	}
	return ""
}

// Policy is a policy compiled. It is immutable and shared by all routes that it applies to.
type Policy struct {
	ID       id.ID
	Name     string
	Kind     policy.Kind
	Phase    policy.Phase
	Mode     Mode
	Final    bool
	Position int32
	// Stage is nil when the mode is off.
	Stage Stage
}

// Attached is a policy at one level above or on a route.
type Attached struct {
	*Policy
	Level policy.Level
}

// Effective returns those of a route's policies that run, in the order in which they run. The package's documentation
// says how they are merged and ordered. A policy that is attached on several levels of a route runs once, on the most
// general of those that count.
func Effective(all []Attached) []Attached {
	running := make([]Attached, 0, len(all))
	for _, a := range all {
		if a.Mode != Off && a.Kind.Applies(a.Level, ofKind(all, a.Kind.Name)) {
			running = append(running, a)
		}
	}
	slices.SortFunc(running, order)
	return once(running)
}

// ofKind yields the level of each policy of a kind, and whether it is final.
func ofKind(all []Attached, kind string) iter.Seq2[policy.Level, bool] {
	return func(yield func(policy.Level, bool) bool) {
		for _, a := range all {
			if a.Kind.Name == kind && !yield(a.Level, a.Final) {
				return
			}
		}
	}
}

func order(a, b Attached) int {
	return cmp.Or(
		cmp.Compare(a.Phase, b.Phase),
		compareFirst(b.Kind.Traits.Preflights, a.Kind.Traits.Preflights),
		cmp.Compare(a.Level, b.Level),
		cmp.Compare(a.Position, b.Position),
		cmp.Compare(a.Name, b.Name),
		slices.Compare(a.ID[:], b.ID[:]),
	)
}

// compareFirst orders false before true.
func compareFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// once keeps the first of each policy.
func once(list []Attached) []Attached {
	kept := list[:0]
	for _, a := range list {
		if !slices.ContainsFunc(kept, func(k Attached) bool { return k.Policy == a.Policy }) {
			kept = append(kept, a)
		}
	}
	return kept
}
