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

func patternsOf(r *configv1.Route) []pattern {
	hosts, methods := orAny(r.GetHosts()), orAny(r.GetMethods())
	conditions := conditionsOf(r)
	patterns := make([]pattern, 0, len(hosts)*len(r.GetPaths())*len(methods))
	for _, host := range hosts {
		for _, path := range r.GetPaths() {
			for _, method := range methods {
				patterns = append(patterns, pattern{host, path, method, conditions})
			}
		}
	}
	return patterns
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

// uncovered returns those patterns of a list that no single one of another matches all requests of.
func uncovered(patterns, by []pattern) []pattern {
	var rest []pattern
	for _, p := range patterns {
		if !slices.ContainsFunc(by, func(q pattern) bool { return q.covers(p) }) {
			rest = append(rest, p)
		}
	}
	return rest
}

// covers tells whether a pattern matches all requests that another matches, as far as can be told by their form.
func (p pattern) covers(other pattern) bool {
	return hostCovers(p.host, other.host) && pathCovers(p.path, other.path) && (p.method == "" || p.method == other.method) &&
		!slices.ContainsFunc(p.conditions, func(c string) bool { return !slices.Contains(other.conditions, c) })
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
