package effects

import (
	"fmt"
	"slices"
	"strings"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// pattern is one way in which a route matches: a host, a path, a method, and conditions.
type pattern struct {
	host       string // "": any
	path       *configv1.PathMatch
	method     string // "": any
	conditions []string
}

// patterns are all ways in which a route matches: each host with each path and each method. There can be 65,536 of them, so they are
// never all written down.
type patterns struct {
	hosts, methods []string
	paths          []*configv1.PathMatch
	conditions     []string
}

func patternsOf(r *configv1.Route) patterns {
	return patterns{hosts: orAny(r.GetHosts()), methods: orAny(r.GetMethods()), paths: r.GetPaths(), conditions: conditionsOf(r)}
}

func (p patterns) count() int { return len(p.hosts) * len(p.paths) * len(p.methods) }

// all yields each pattern.
func (p patterns) all(yield func(pattern) bool) {
	for _, host := range p.hosts {
		for _, path := range p.paths {
			for _, method := range p.methods {
				if !yield(pattern{host, path, method, p.conditions}) {
					return
				}
			}
		}
	}
}

func orAny(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

// conditionsOf says a route's conditions, each once.
func conditionsOf(r *configv1.Route) []string {
	var all []string
	for _, h := range r.GetHeaders() {
		all = append(all, "header "+strings.ToLower(h.GetName())+condition(h))
	}
	for _, q := range r.GetQuery() {
		all = append(all, "query "+q.GetName()+condition(q))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func condition(v *configv1.ValueMatch) string {
	switch m := v.GetMatch().(type) {
	case *configv1.ValueMatch_Exact:
		return fmt.Sprintf(" = %q", m.Exact)
	case *configv1.ValueMatch_Prefix:
		return fmt.Sprintf(" = %q…", m.Prefix)
	case *configv1.ValueMatch_Present:
		if !m.Present {
			return " absent"
		}
	}
	return " present"
}

// String shows a pattern: "GET api.example.com/orders/**".
func (p pattern) String() string {
	var b strings.Builder
	if p.method != "" {
		b.WriteString(p.method + " ")
	}
	if p.host == "" {
		b.WriteByte('*')
	}
	b.WriteString(p.host)
	switch m := p.path.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		b.WriteString(m.Exact)
	case *configv1.PathMatch_Template:
		b.WriteString(m.Template)
	case *configv1.PathMatch_Prefix:
		b.WriteString(strings.TrimSuffix(m.Prefix, "/") + "/**")
	}
	if len(p.conditions) > 0 {
		b.WriteString(" if " + strings.Join(p.conditions, ", "))
	}
	return b.String()
}

// uncovered returns those patterns which others don't match all requests of, as far as can be told by their form: in parts that share
// no pattern. A host, a path and a method are covered each by itself, since every host goes with every path and method.
func (p patterns) uncovered(by patterns) []patterns {
	if slices.ContainsFunc(by.conditions, func(c string) bool { return !slices.Contains(p.conditions, c) }) {
		return []patterns{p}
	}
	hosts, newHosts := split(p.hosts, by.hosts, hostCovers)
	paths, newPaths := split(p.paths, by.paths, pathCovers)
	_, newMethods := split(p.methods, by.methods, func(a, b string) bool { return a == "" || a == b })
	parts := []patterns{
		{newHosts, p.methods, p.paths, p.conditions},
		{hosts, p.methods, newPaths, p.conditions},
		{hosts, newMethods, paths, p.conditions},
	}
	return slices.DeleteFunc(parts, func(part patterns) bool { return part.count() == 0 })
}

// split tells what is covered by one of others from what isn't.
func split[T any](all, by []T, covers func(a, b T) bool) (covered, rest []T) {
	for _, one := range all {
		if slices.ContainsFunc(by, func(other T) bool { return covers(other, one) }) {
			covered = append(covered, one)
		} else {
			rest = append(rest, one)
		}
	}
	return covered, rest
}

func hostCovers(a, b string) bool {
	if a == "" || a == b {
		return true
	}
	suffix, wild := strings.CutPrefix(a, "*")
	return wild && strings.HasSuffix(strings.TrimPrefix(b, "*"), suffix) && b != "" && len(b) > len(suffix)
}

func pathCovers(a, b *configv1.PathMatch) bool {
	kind, path := segments(a)
	other, theirs := segments(b)
	switch kind {
	case exact:
		if other != exact || len(path) != len(theirs) {
			return false
		}
	case template:
		if other == prefix || len(path) != len(theirs) {
			return false
		}
	case prefix:
		if len(path) > len(theirs) {
			return false
		}
	}
	for i, s := range path {
		if s != parameter && s != theirs[i] {
			return false
		}
	}
	return true
}

type pathKind uint8

// Kinds of paths, in the order of their precedence.
const (
	exact pathKind = iota
	template
	prefix
)

// parameter stands for a template's parameter, whatever its name. No path holds it.
const parameter = "{}"

func isParameter(segment string) bool {
	return strings.HasPrefix(segment, "{") && strings.HasSuffix(segment, "}")
}

// segments takes a path apart. A prefix ends on a segment's border.
func segments(p *configv1.PathMatch) (pathKind, []string) {
	split := func(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }
	switch m := p.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		return exact, split(m.Exact)
	case *configv1.PathMatch_Template:
		list := split(m.Template)
		for i, s := range list {
			if isParameter(s) {
				list[i] = parameter
			}
		}
		return template, list
	default:
		trimmed := strings.Trim(p.GetPrefix(), "/")
		if trimmed == "" {
			return prefix, nil
		}
		return prefix, strings.Split(trimmed, "/")
	}
}
