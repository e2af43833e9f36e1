package effects

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

// pair is a route that comes before another for requests that both match, by their ids.
type pair struct{ first, second string }

// compareMatches says which routes take requests from others that answered them, and which no longer do.
//
// A route takes what it answers after the change, where it didn't come first before it; so the change the other way round
// releases the same. Routes that are what they were take nothing.
func (c *comparison) compareMatches() {
	before, after := new(trie), new(trie)
	changed := false
	for _, e := range c.edits {
		if e.Object().Collection != catalog.Routes || !matchesDiffer(e) {
			continue
		}
		changed = true
		before.add(e.Before)
		after.add(e.After)
	}
	if !changed {
		return
	}
	was, is, same := c.sides()
	wonBefore, lostBefore := c.wins(slices.Values(was), after, before)
	wonAfter, lostAfter := c.wins(slices.Values(is), before, after)
	won, lost := c.wins(same, after, before)
	maps.Copy(wonBefore, won)
	maps.Copy(lostBefore, lost)
	maps.Copy(wonAfter, lost)
	maps.Copy(lostAfter, won)
	if c.steps <= 0 {
		c.say(said{
			Effect{Code: "matches_not_compared", Severity: policy.Attention},
			"So many routes match alike that not all were compared: which take requests from others is said in part.",
		})
	}
	sayPairs(c, said{Effect{Code: "requests_taken", Opposite: "requests_released", Severity: policy.Attention}, "takes requests from %s: it comes first for what both match."},
		c.after, c.before, without(wonBefore, lostBefore))
	sayPairs(c, said{Effect{Code: "requests_released", Opposite: "requests_taken", Severity: policy.Attention}, "no longer takes requests from %s."},
		c.before, c.after, without(wonAfter, lostAfter))
}

// sides returns the edited routes as they were and as they are, and all others, which are the same on both sides and so are looked at
// once.
func (c *comparison) sides() (was, is []*catalog.Object, same iter.Seq[*catalog.Object]) {
	edited := make(map[string]bool)
	for _, e := range c.edits {
		if e.Object().Collection != catalog.Routes {
			continue
		}
		edited[e.Object().ID] = true
		if e.Before != nil {
			was = append(was, e.Before)
		}
		if e.After != nil {
			is = append(is, e.After)
		}
	}
	same = func(yield func(*catalog.Object) bool) {
		for route := range c.after.Each(catalog.Routes) {
			if !edited[route.ID] && !yield(route) {
				return
			}
		}
	}
	return was, is, same
}

// matchesDiffer tells whether an edit of a route changes what it matches.
func matchesDiffer(e catalog.Edit) bool {
	if e.Before == nil || e.After == nil {
		return true
	}
	before, after := e.Before.Message.(*configv1.Route), e.After.Message.(*configv1.Route)
	return len(beside(notMatching, resource.Differences(before, after))) > 0
}

// notMatching are the fields of a route that have no part in which requests it matches.
var notMatching = []string{"/id", "/name", "/labels", "/team", "/description", "/service", "/public", "/strip_prefix", "/rewrite_path"}

// sayPairs says for each first route of pairs which second ones it takes requests from.
func sayPairs(c *comparison, s said, firsts, seconds *catalog.Head, pairs map[pair]bool) {
	ordered := make([]pair, 0, len(pairs))
	for p := range pairs {
		ordered = append(ordered, p)
	}
	slices.SortFunc(ordered, func(a, b pair) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.second, b.second)) })
	for _, p := range ordered {
		first, _ := firsts.Object(catalog.Routes, p.first)
		second, _ := seconds.Object(catalog.Routes, p.second)
		effect := of(s.effect.Code, s.effect.Opposite, s.effect.Severity, first)
		c.say(said{effect, fmt.Sprintf("The route %q ", first.Name) + s.text}, second)
	}
}

func without(pairs, those map[pair]bool) map[pair]bool {
	for p := range those {
		delete(pairs, p)
	}
	return pairs
}

// trie finds the paths of changed routes that some request could match together with another path.
type trie struct {
	literals    map[string]*trie
	parameter   *trie
	here, below []ending // paths that end here; prefixes
}

// ending is one path of a route.
type ending struct {
	route *catalog.Object
	kind  pathKind
	path  []string
}

// add adds the paths of a route; none when it isn't there.
func (t *trie) add(route *catalog.Object) {
	if route == nil {
		return
	}
	for _, p := range route.Message.(*configv1.Route).GetPaths() {
		kind, path := segments(p)
		at := t
		for _, s := range path {
			at = at.child(s)
		}
		if e := (ending{route, kind, path}); kind == prefix {
			at.below = append(at.below, e)
		} else {
			at.here = append(at.here, e)
		}
	}
}

func (t *trie) child(segment string) *trie {
	if segment == parameter {
		if t.parameter == nil {
			t.parameter = new(trie)
		}
		return t.parameter
	}
	if t.literals == nil {
		t.literals = make(map[string]*trie)
	}
	if t.literals[segment] == nil {
		t.literals[segment] = new(trie)
	}
	return t.literals[segment]
}

// rest is what is left of a path while a trie is walked: its segments are cut off one by one, since every route's are.
type rest struct {
	text string
	done bool
}

// restOf returns a whole path.
func restOf(p *configv1.PathMatch) (pathKind, rest) {
	switch m := p.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		return exact, rest{text: strings.TrimPrefix(m.Exact, "/")}
	case *configv1.PathMatch_Template:
		return template, rest{text: strings.TrimPrefix(m.Template, "/")}
	default:
		trimmed := strings.Trim(p.GetPrefix(), "/")
		return prefix, rest{text: trimmed, done: trimmed == ""}
	}
}

// cut returns the first segment, and what is left then.
func (r rest) cut(kind pathKind) (string, rest) {
	segment, left, more := strings.Cut(r.text, "/")
	if kind == template && isParameter(segment) {
		segment = parameter
	}
	return segment, rest{text: left, done: !more}
}

// meet calls f with every path that some path could match together with.
func (t *trie) meet(kind pathKind, path rest, f func(ending)) {
	if t == nil {
		return
	}
	for _, e := range t.below {
		f(e)
	}
	if path.done {
		if kind == prefix {
			t.whole(f)
			return
		}
		for _, e := range t.here {
			f(e)
		}
		return
	}
	segment, left := path.cut(kind)
	if segment != parameter {
		t.literals[segment].meet(kind, left, f)
	} else {
		for _, child := range t.literals {
			child.meet(kind, left, f)
		}
	}
	t.parameter.meet(kind, left, f)
}

// whole calls f with every path that ends here or deeper, save prefixes that end here.
func (t *trie) whole(f func(ending)) {
	for _, e := range t.here {
		f(e)
	}
	children := make([]*trie, 0, len(t.literals)+1)
	for _, child := range t.literals {
		children = append(children, child)
	}
	if t.parameter != nil {
		children = append(children, t.parameter)
	}
	for _, child := range children {
		for _, e := range child.below {
			f(e)
		}
		child.whole(f)
	}
}

// wins returns, of each of two tries, the pairs of a route of it and another before which it comes for some request.
func (c *comparison) wins(others iter.Seq[*catalog.Object], a, b *trie) (ofA, ofB map[pair]bool) {
	ofA, ofB = make(map[pair]bool), make(map[pair]bool)
	for other := range others {
		if c.steps <= 0 {
			break
		}
		for _, p := range other.Message.(*configv1.Route).GetPaths() {
			kind, path := restOf(p)
			for _, side := range [...]struct {
				paths *trie
				pairs map[pair]bool
			}{{a, ofA}, {b, ofB}} {
				side.paths.meet(kind, path, func(e ending) {
					is := pair{e.route.ID, other.ID}
					if c.steps <= 0 || e.route.ID == other.ID || side.pairs[is] {
						return
					}
					c.steps -= 1 + len(e.route.Message.(*configv1.Route).GetHosts())*len(other.Message.(*configv1.Route).GetHosts())
					if e.before(other, p) {
						side.pairs[is] = true
					}
				})
			}
		}
	}
	return ofA, ofB
}

// before tells whether a path of a route comes before one of another for some request that both match, given that their
// paths meet. The order is route.proto's.
func (e ending) before(other *catalog.Object, at *configv1.PathMatch) bool {
	ours, theirs := e.route.Message.(*configv1.Route), other.Message.(*configv1.Route)
	if !catalog.Meet(ours, theirs) {
		return false
	}
	kind, path := segments(at)
	rest := cmp.Or(
		cmp.Compare(kind, e.kind), comparePaths(e.kind, e.path, path),
		cmp.Compare(len(ours.GetHeaders()), len(theirs.GetHeaders())), cmp.Compare(len(ours.GetQuery()), len(theirs.GetQuery())),
		cmp.Compare(min(len(ours.GetMethods()), 1), min(len(theirs.GetMethods()), 1)),
	)
	for _, a := range orAny(ours.GetHosts()) {
		for _, b := range orAny(theirs.GetHosts()) {
			switch {
			case a == b:
				if rest > 0 {
					return true
				}
			case hostCovers(b, a): // a is the more specific one
				return true
			}
		}
	}
	return false
}

// comparePaths compares two paths of one kind that meet: greater comes first.
func comparePaths(kind pathKind, a, b []string) int {
	if kind == prefix {
		return cmp.Compare(len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		switch x, y := a[i] == parameter, b[i] == parameter; {
		case x == y:
		case y:
			return 1
		default:
			return -1
		}
	}
	return 0
}
