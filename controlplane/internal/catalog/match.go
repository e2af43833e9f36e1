package catalog

import (
	"slices"
	"strings"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// match is one way in which a route can match: one of its hosts with one of its paths. Two matches of
// the same rank can tie, and do unless their conditions exclude each other.
type match struct {
	rank  rank
	path  int // index into the route's paths
	route *configv1.Route
}

// rank is everything that the precedence in route.proto tells matches apart by. Of two matches that
// differ in it, one comes first for every request that both match: hosts and prefixes that differ but
// match the same request differ in length, templates in a literal against a parameter.
type rank struct {
	host    string // "": any
	kind    pathKind
	path    string // parameters' names taken out
	headers int
	query   int
	methods bool
}

type pathKind uint8

const (
	pathExact pathKind = iota + 1
	pathTemplate
	pathPrefix
)

func matchesOf(r *configv1.Route) []match {
	hosts := r.GetHosts()
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	matches := make([]match, 0, len(hosts)*len(r.GetPaths()))
	for i, p := range r.GetPaths() {
		kind, path := shape(p)
		for _, host := range hosts {
			matches = append(matches, match{path: i, route: r, rank: rank{
				host: host, kind: kind, path: path,
				headers: len(r.GetHeaders()), query: len(r.GetQuery()), methods: len(r.GetMethods()) > 0,
			}})
		}
	}
	return matches
}

// shape returns what of a path tells matches apart.
func shape(p *configv1.PathMatch) (pathKind, string) {
	switch p := p.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		return pathExact, p.Exact
	case *configv1.PathMatch_Prefix:
		return pathPrefix, p.Prefix
	case *configv1.PathMatch_Template:
		return pathTemplate, nameless(p.Template)
	}
	return 0, "" // refused by the field rules
}

// nameless takes the names out of a template's parameters.
func nameless(template string) string {
	segments := strings.Split(template, "/")
	for i, s := range segments {
		if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// ties tells whether some request could match both, given that their ranks are equal.
func (m match) ties(other match) bool {
	a, b := m.route, other.route
	return methodsMeet(a.GetMethods(), b.GetMethods()) &&
		valuesMeet(a.GetHeaders(), b.GetHeaders(), strings.ToLower) &&
		valuesMeet(a.GetQuery(), b.GetQuery(), func(s string) string { return s })
}

// methodsMeet compares the methods of routes that both state some, or both none.
func methodsMeet(a, b []string) bool {
	if len(a) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}

// valuesMeet tells whether one request can fulfil both lists of conditions. A name that a request gives
// several times could fulfil any two conditions on it; such requests are left out of account, since
// routes told apart by a header's value are what these conditions are for.
func valuesMeet(a, b []*configv1.ValueMatch, fold func(string) string) bool {
	for _, x := range a {
		for _, y := range b {
			if fold(x.GetName()) == fold(y.GetName()) && excludes(x, y) {
				return false
			}
		}
	}
	return true
}

// excludes tells whether no single value fulfils both conditions.
func excludes(x, y *configv1.ValueMatch) bool {
	return excludesOneWay(x, y) || excludesOneWay(y, x)
}

func excludesOneWay(x, y *configv1.ValueMatch) bool {
	switch x := x.GetMatch().(type) {
	case *configv1.ValueMatch_Exact:
		switch y := y.GetMatch().(type) {
		case *configv1.ValueMatch_Exact:
			return x.Exact != y.Exact
		case *configv1.ValueMatch_Prefix:
			return !strings.HasPrefix(x.Exact, y.Prefix)
		}
	case *configv1.ValueMatch_Prefix:
		if y, ok := y.GetMatch().(*configv1.ValueMatch_Prefix); ok {
			return !strings.HasPrefix(x.Prefix, y.Prefix) && !strings.HasPrefix(y.Prefix, x.Prefix)
		}
	case *configv1.ValueMatch_Present:
		if x.Present {
			return false
		}
		absent, ok := y.GetMatch().(*configv1.ValueMatch_Present)
		return !ok || absent.Present
	}
	return false
}

// Meet tells whether one request could fulfil what two routes ask of methods, headers and query.
func Meet(a, b *configv1.Route) bool {
	return (len(a.GetMethods()) == 0 || len(b.GetMethods()) == 0 || methodsMeet(a.GetMethods(), b.GetMethods())) &&
		valuesMeet(a.GetHeaders(), b.GetHeaders(), strings.ToLower) &&
		valuesMeet(a.GetQuery(), b.GetQuery(), func(s string) string { return s })
}
