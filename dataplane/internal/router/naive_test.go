package router

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// naive is the precedence as it is documented, and a linear scan: what Table must agree with.
type naive []*Rule

type rank struct {
	host     int    // 2: exact, 1: wildcard, 0: any
	suffix   int    // length of the wildcard
	path     int    // 2: exact, 1: template, 0: prefix
	template string // per segment '1' literal, '0' parameter
	prefix   int    // length of the prefix
	headers  int
	query    int
	methods  int
}

func (a rank) compare(b rank) int {
	for _, c := range []int{
		a.host - b.host, a.suffix - b.suffix, a.path - b.path, strings.Compare(a.template, b.template),
		a.prefix - b.prefix, a.headers - b.headers, a.query - b.query, a.methods - b.methods,
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

type hit struct {
	rank   rank
	rule   *Rule
	path   int
	params []string
}

func (n naive) match(req *pipeline.Request) (best *hit, methods []string) {
	for _, h := range n.all(req) {
		if !slices.Contains(h.rule.Methods, req.Method) && len(h.rule.Methods) > 0 {
			methods = append(methods, h.rule.Methods...)
			continue
		}
		c := 1
		if best != nil {
			c = h.rank.compare(best.rank)
			if c == 0 {
				c = slices.Compare(best.rule.ID[:], h.rule.ID[:])
			}
			if c == 0 {
				c = best.path - h.path
			}
		}
		if c > 0 {
			best = &h
		}
	}
	return best, methods
}

// all returns everything that matches but for the method.
func (n naive) all(req *pipeline.Request) (hits []hit) {
	for _, r := range n {
		if !naiveConditions(r, req) {
			continue
		}
		hosts := r.Hosts
		if len(hosts) == 0 {
			hosts = []string{""}
		}
		for _, host := range hosts {
			for i, p := range r.Paths {
				k := rank{headers: len(r.Headers), query: len(r.Query), methods: min(len(r.Methods), 1)}
				if !naiveHost(host, req.Authority, &k) {
					continue
				}
				if params, ok := naivePath(p, req.Path, &k); ok {
					hits = append(hits, hit{rank: k, rule: r, path: i, params: params})
				}
			}
		}
	}
	return hits
}

func naiveHost(pattern, authority string, k *rank) bool {
	suffix, wildcard := strings.CutPrefix(pattern, "*")
	switch {
	case pattern == "":
		return true
	case wildcard:
		k.host, k.suffix = 1, len(suffix)
		label, ok := strings.CutSuffix(authority, suffix)
		return ok && label != "" && !strings.HasSuffix(label, ".")
	}
	k.host = 2
	return pattern == authority
}

func naivePath(p Path, path string, k *rank) (params []string, ok bool) {
	switch p.By {
	case Exact:
		k.path = 2
		return nil, p.Text == path
	case Prefix:
		k.prefix = len(p.Text)
		border := strings.TrimSuffix(p.Text, "/") + "/"
		return nil, p.Text == path || strings.HasPrefix(path, border)
	default:
	}
	k.path = 1
	want, have := strings.Split(p.Text, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	for i := range want {
		if strings.HasPrefix(want[i], "{") {
			if have[i] == "" {
				return nil, false
			}
			params = append(params, have[i])
			k.template += "0"
			continue
		}
		if want[i] != have[i] {
			return nil, false
		}
		k.template += "1"
	}
	return params, true
}

func naiveConditions(r *Rule, req *pipeline.Request) bool {
	for _, c := range r.Headers {
		var values []string
		for _, f := range req.Header.Fields() {
			if strings.EqualFold(f.Name, c.Name) {
				values = append(values, f.Value)
			}
		}
		if !naiveCondition(c, values) {
			return false
		}
	}
	for _, c := range r.Query {
		var values []string
		for pair := range strings.SplitSeq(req.Query, "&") {
			if name, value, _ := strings.Cut(pair, "="); name == c.Name {
				values = append(values, value)
			}
		}
		if !naiveCondition(c, values) {
			return false
		}
	}
	return true
}

func naiveCondition(c Condition, values []string) bool {
	switch c.By {
	case Present:
		return len(values) > 0
	case Absent:
		return len(values) == 0
	case Prefix:
		return slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, c.Value) })
	default:
	}
	return slices.Contains(values, c.Value)
}
