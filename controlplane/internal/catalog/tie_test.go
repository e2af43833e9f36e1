package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/path"
)

// request is what routes are matched with; each header is there once.
type request struct {
	host, path, method string
	headers            map[string]string
}

// precedence is how route.proto compares two routes that match a request: greater comes first.
type precedence [6]string

// rankOf is the precedence with which a route matches a request, by the words of route.proto and nothing of
// this package; false when it doesn't match.
func rankOf(r *configv1.Route, q request) (best precedence, matches bool) {
	if len(r.GetMethods()) > 0 && !slices.Contains(r.GetMethods(), q.method) {
		return best, false
	}
	for _, h := range r.GetHeaders() {
		value, there := q.headers[h.GetName()]
		switch m := h.GetMatch().(type) {
		case *configv1.ValueMatch_Exact:
			there = there && value == m.Exact
		case *configv1.ValueMatch_Prefix:
			there = there && strings.HasPrefix(value, m.Prefix)
		case *configv1.ValueMatch_Present:
			there = there == m.Present
		}
		if !there {
			return best, false
		}
	}
	host, ok := bestOf(r.GetHosts(), func(pattern string) (string, bool) { return hostRank(pattern, q.host) })
	if len(r.GetHosts()) == 0 {
		host, ok = "0", true
	}
	if !ok {
		return best, false
	}
	place, ok := bestOf(r.GetPaths(), func(p *configv1.PathMatch) (string, bool) { return pathRank(p, q.path) })
	methods := "0"
	if len(r.GetMethods()) > 0 {
		methods = "1"
	}
	return precedence{host, place, fmt.Sprint(len(r.GetHeaders())), fmt.Sprint(len(r.GetQuery())), methods}, ok
}

func bestOf[T any](all []T, rank func(T) (string, bool)) (best string, found bool) {
	for _, one := range all {
		if r, ok := rank(one); ok {
			best, found = max(best, r), true
		}
	}
	return best, found
}

func hostRank(pattern, host string) (string, bool) {
	if rest, wildcard := strings.CutPrefix(pattern, "*."); wildcard {
		return fmt.Sprintf("1%03d", len(rest)), strings.HasSuffix(host, "."+rest)
	}
	return "2", pattern == host
}

func pathRank(p *configv1.PathMatch, place string) (string, bool) {
	switch m := p.GetMatch().(type) {
	case *configv1.PathMatch_Exact:
		return "3", m.Exact == place
	case *configv1.PathMatch_Template:
		template, err := path.ParseTemplate(m.Template)
		_, ok := template.Match(place, nil)
		rank := "2"
		for segment := range strings.SplitSeq(m.Template, "/") {
			if strings.HasPrefix(segment, "{") {
				rank += "p"
			} else {
				rank += "z" // a literal comes first
			}
		}
		return rank, ok && err == nil
	case *configv1.PathMatch_Prefix:
		return fmt.Sprintf("1%03d", len(m.Prefix)), path.HasPrefix(place, m.Prefix)
	}
	return "", false
}

var (
	someHosts   = []string{`"a.b.c"`, `"*.b.c"`, `"*.c"`, `"x.c"`}
	somePaths   = []string{`{"exact":"/a/b"}`, `{"prefix":"/a"}`, `{"prefix":"/a/"}`, `{"prefix":"/"}`, `{"template":"/a/{x}"}`, `{"template":"/{y}/b"}`, `{"template":"/{x}/{y}"}`, `{"template":"/a/{z}"}`}
	someHeaders = []string{`{"name":"h","exact":"1"}`, `{"name":"h","exact":"2"}`, `{"name":"h","prefix":"1"}`, `{"name":"h","present":true}`, `{"name":"h","present":false}`, `{"name":"i","exact":"1"}`}
	someMethods = []string{`"GET"`, `"PUT"`}
)

func someOf(random *rand.Rand, from []string, least, most int) string {
	shuffled := slices.Clone(from)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	return "[" + strings.Join(shuffled[:least+random.IntN(most-least+1)], ",") + "]"
}

// TestRoutesThatAreLetPassNeverTie holds the check against the words of route.proto: of two routes that it
// lets pass, no request has an equal claim on both.
func TestRoutesThatAreLetPassNeverTie(t *testing.T) {
	var requests []request
	for _, host := range []string{"a.b.c", "z.b.c", "x.c", "y.c", "other"} {
		for _, p := range []string{"/", "/a", "/a/", "/a/b", "/a/q", "/q/b", "/q/q"} {
			for _, method := range []string{"GET", "PUT", "POST"} {
				for _, headers := range []map[string]string{nil, {"h": "1"}, {"h": "2"}, {"h": "12"}, {"h": "1", "i": "1"}, {"i": "1"}} {
					requests = append(requests, request{host, p, method, headers})
				}
			}
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	passed, refused := 0, 0
	for range 1200 {
		var pair [2]*configv1.Route
		hosts, paths := someOf(random, someHosts, 0, 2), someOf(random, somePaths, 1, 2)
		for i := range pair { // half of the pairs have hosts or paths in common
			if random.IntN(2) == 0 {
				hosts = someOf(random, someHosts, 0, 2)
			}
			if random.IntN(2) == 0 {
				paths = someOf(random, somePaths, 1, 2)
			}
			pair[i] = route(t, fmt.Sprintf(`{"hosts":%s,"paths":%s,"headers":%s,"methods":%s}`,
				hosts, paths, someOf(random, someHeaders, 0, 1), someOf(random, someMethods, 0, 1)))
		}
		if canTie(pair[0], pair[1]) {
			refused++
			continue
		}
		passed++
		for _, q := range requests {
			a, okA := rankOf(pair[0], q)
			b, okB := rankOf(pair[1], q)
			if okA && okB && a == b {
				t.Fatalf("%v and %v tie for %+v at %v", pair[0], pair[1], q, a)
			}
		}
	}
	if passed < 500 || refused < 50 {
		t.Errorf("%d pairs passed, %d were refused: the test says little", passed, refused)
	}
}
