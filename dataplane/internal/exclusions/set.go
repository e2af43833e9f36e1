package exclusions

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

// Target is a part of a request that rules look at. The text form is that of policies: "argument:comment".
type Target struct {
	// Part is "argument", "argument-name", "cookie", "cookie-name", "header", "header-name", "body", "path"; "": none.
	Part string
	// Name within it; "" or "*": all.
	Name string
}

// Covers tells whether another target lies within this one. The zero target covers everything. Names are compared as the engine does: without
// regard to case.
func (t Target) Covers(other Target) bool {
	switch {
	case t.Part == "":
		return true
	case t.Part != other.Part:
		return false
	}
	return t.Name == "" || t.Name == "*" || strings.EqualFold(t.Name, other.Name)
}

// Skip keeps rules from something.
type Skip struct {
	// Rules by number, sorted.
	Rules []int
	// Target that they don't look at; the zero one: anything.
	Target Target
}

// covers tells whether a rule that found something at a target would have been kept from it.
func (s *Skip) covers(rule int, at Target) bool {
	_, found := slices.BinarySearch(s.Rules, rule)
	return found && s.Target.Covers(at)
}

// Exclusion is one exclusion compiled. It is immutable.
type Exclusion struct {
	ID    id.ID
	Route id.ID
	// Skip is what it keeps from what.
	Skip Skip
	// Enforced says that it lets pass; the others are in shadow.
	Enforced bool
	// Ends is when it ceases to hold, by the node's clock.
	Ends time.Time
}

// Counters count what exclusions in shadow would have done, on the whole node. They are safe for concurrent use; nil counts nothing.
type Counters struct{ noted, opened atomic.Uint64 }

// Noted returns how many findings exclusions in shadow would have kept rules from.
func (c *Counters) Noted() uint64 { return c.noted.Load() }

// Opened returns how many refused requests would have passed by exclusions in shadow.
func (c *Counters) Opened() uint64 { return c.opened.Load() }

// Set are the exclusions of a configuration, by route. It is immutable and safe for concurrent use; nil has none.
type Set struct{ routes map[id.ID]*Route }

// NewSet returns the set of these exclusions; nil when there are none.
func NewSet(all []*Exclusion, counters *Counters) *Set {
	if len(all) == 0 {
		return nil
	}
	s := &Set{routes: make(map[id.ID]*Route)}
	for _, e := range all {
		r := s.routes[e.Route]
		if r == nil {
			r = &Route{counters: counters}
			s.routes[e.Route] = r
		}
		if e.Enforced {
			r.enforced = append(r.enforced, e)
		} else {
			r.shadow = append(r.shadow, e)
		}
	}
	for _, r := range s.routes {
		r.settle()
	}
	return s
}

// On returns the exclusions of a route; nil: there are none.
func (s *Set) On(route id.ID) *Route {
	if s == nil {
		return nil
	}
	return s.routes[route]
}

// Route are the exclusions of one route. It is immutable and safe for concurrent use; nil has none.
type Route struct {
	enforced []*Exclusion // those that hold longest first
	skips    []Skip       // of enforced, in its order
	shadow   []*Exclusion // in the order of their ids
	counters *Counters
}

func (r *Route) settle() {
	slices.SortFunc(r.enforced, func(a, b *Exclusion) int {
		return cmp.Or(b.Ends.Compare(a.Ends), slices.Compare(a.ID[:], b.ID[:]))
	})
	for _, e := range r.enforced {
		r.skips = append(r.skips, e.Skip)
	}
	slices.SortFunc(r.shadow, func(a, b *Exclusion) int { return slices.Compare(a.ID[:], b.ID[:]) })
}

// Skipped returns what rules don't look at now. The slice is the route's own: it is read only. Nothing is allocated.
func (r *Route) Skipped(now time.Time) []Skip {
	if r == nil {
		return nil
	}
	n := len(r.skips)
	for n > 0 && !now.Before(r.enforced[n-1].Ends) {
		n--
	}
	return r.skips[:n:n]
}

// Find returns the exclusion in shadow that would keep a rule from a target now, and counts nothing: for dry runs.
func (r *Route) Find(now time.Time, rule int, at Target) (id.ID, bool) {
	if r == nil {
		return id.ID{}, false
	}
	for _, e := range r.shadow {
		if now.Before(e.Ends) && e.Skip.covers(rule, at) {
			return e.ID, true
		}
	}
	return id.ID{}, false
}

// Noted returns the exclusion in shadow that would have kept a rule from what it found, and counts it.
func (r *Route) Noted(now time.Time, rule int, at Target) (id.ID, bool) {
	found, ok := r.Find(now, rule, at)
	if ok && r.counters != nil {
		r.counters.noted.Add(1)
	}
	return found, ok
}

// Opened counts a request that was refused and would have passed, were the exclusions in shadow enforced.
func (r *Route) Opened() {
	if r != nil && r.counters != nil {
		r.counters.opened.Add(1)
	}
}
