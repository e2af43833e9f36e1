package effects

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/catalog/catalogtest"
)

// world is a small configuration as its author sees it; the reference below reads it, and nothing of this package.
type world struct {
	services  map[string]aService
	routes    map[string]aRoute
	policies  map[string]aPolicy
	staleness int
	percent   int // callers don't notice
}

type aService struct{ address, words string }

type aRoute struct {
	service, host, path, method, words string // path: "=exact", "{template", or a prefix
	strip                              bool
}

type aPolicy struct {
	kind, mode, words string
	number            int // scope, or requests
	final             bool
	position          int
	on                []string // "", "service", "route:x"
}

func randomWorld(r *rand.Rand) world {
	w := world{services: map[string]aService{}, routes: map[string]aRoute{}, policies: map[string]aPolicy{}}
	for _, name := range []string{"s0", "s1"} {
		w.services[name] = aService{address: "a" + name + ":80"}
	}
	for range 5 + r.IntN(4) {
		w.step(r)
	}
	return w
}

func (w world) clone() world {
	c := w
	c.services, c.routes, c.policies = map[string]aService{}, map[string]aRoute{}, map[string]aPolicy{}
	for k, v := range w.services {
		c.services[k] = v
	}
	for k, v := range w.routes {
		c.routes[k] = v
	}
	for k, v := range w.policies {
		c.policies[k] = v
	}
	return c
}

var (
	somePaths = []string{"/", "/a", "/a/b", "=/a", "=/a/b", "{/a/{x}", "{/{x}/b"}
	someHosts = []string{"", "x.test", "*.test"}
)

// step makes one random change.
func (w *world) step(r *rand.Rand) {
	switch n := r.IntN(12); {
	case n < 4:
		route := aRoute{service: pick(r, "s0", "s1"), host: pick(r, someHosts...), path: pick(r, somePaths...), method: pick(r, "", "", "GET", "POST")}
		for _, other := range w.routes {
			if other.host == route.host && other.path == route.path {
				return // they would tie, or be told apart by methods: left out
			}
		}
		w.routes["r"+fmt.Sprint(r.IntN(4))] = route
		w.detach()
	case n < 5:
		delete(w.routes, "r"+fmt.Sprint(r.IntN(4)))
		w.detach()
	case n < 6:
		name := pick(r, "s0", "s1")
		s := w.services[name]
		s.address, s.words = pick(r, s.address, "b:80", "c:80"), pick(r, "", "words")
		w.services[name] = s
	case n < 7:
		name := "r" + fmt.Sprint(r.IntN(4))
		if route, ok := w.routes[name]; ok {
			route.words, route.service = pick(r, "", "words"), pick(r, "s0", "s1")
			route.strip = r.IntN(2) == 0 && !strings.ContainsAny(route.path, "={")
			w.routes[name] = route
		}
	case n < 8:
		w.staleness, w.percent = 10*r.IntN(2), 30*r.IntN(3)
	case n < 9:
		delete(w.policies, "p"+fmt.Sprint(r.IntN(4)))
	default:
		w.setPolicy(r)
	}
}

func (w *world) setPolicy(r *rand.Rand) {
	name := "p" + fmt.Sprint(r.IntN(4))
	p, ok := w.policies[name]
	if !ok {
		p = aPolicy{kind: pick(r, "api-key", "rate-limit")}
	}
	p.mode, p.number, p.final = pick(r, "off", "shadow", "enforce", "enforce"), r.IntN(3), r.IntN(3) == 0
	p.words, p.position, p.on = pick(r, "", "words"), r.IntN(3), nil
	for _, place := range append([]string{"", "s0", "s1"}, w.places()...) {
		if r.IntN(4) == 0 {
			p.on = append(p.on, place)
		}
	}
	w.policies[name] = p
}

func (w *world) places() []string {
	var all []string
	for name := range w.routes {
		all = append(all, "route:"+name)
	}
	slices.Sort(all)
	return all
}

// detach takes policies off routes that are gone.
func (w *world) detach() {
	for name, p := range w.policies {
		p.on = slices.DeleteFunc(slices.Clone(p.on), func(place string) bool {
			route, ok := strings.CutPrefix(place, "route:")
			_, there := w.routes[route]
			return ok && !there
		})
		w.policies[name] = p
	}
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

type object = map[string]any

// configuration writes a world down.
func (w world) configuration(t *testing.T) catalogtest.Configuration {
	t.Helper()
	c := catalogtest.Configuration{}
	add := func(collection string, o object) {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		c[collection] = append(c[collection], text)
	}
	for name, s := range w.services {
		add("services", object{"name": name, "description": s.words, "upstream": object{"targets": []object{{"address": s.address}}}})
	}
	for name, r := range w.routes {
		o := object{"name": name, "service": r.service, "description": r.words, "public": true, "strip_prefix": r.strip, "paths": []object{pathOf(r.path)}}
		if r.host != "" {
			o["hosts"] = []string{r.host}
		}
		if r.method != "" {
			o["methods"] = []string{r.method}
		}
		add("routes", o)
	}
	for name, p := range w.policies {
		add("policies", p.object(name))
	}
	if w.staleness > 0 || w.percent > 0 {
		o := object{}
		if w.staleness > 0 {
			o["max_staleness"] = fmt.Sprintf("%ds", w.staleness)
		}
		if w.percent > 0 {
			o["removal_percent"] = w.percent
		}
		add("settings", o)
	}
	return c
}

func pathOf(path string) object {
	switch path[0] {
	case '=':
		return object{"exact": path[1:]}
	case '{':
		return object{"template": path[1:]}
	}
	return object{"prefix": path}
}

func (p aPolicy) object(name string) object {
	config := object{}
	switch {
	case p.kind == "rate-limit":
		config = object{"by": []object{{"address": true}}, "windows": []object{{"requests": p.number + 1, "window": "1s"}}}
	case p.number > 0:
		config = object{"required_scopes": []string{fmt.Sprint(p.number)}}
	}
	attached := []object{}
	for _, place := range p.on {
		route, onRoute := strings.CutPrefix(place, "route:")
		switch {
		case onRoute:
			attached = append(attached, object{"route": route})
		case place == "":
			attached = append(attached, object{"environment": true})
		default:
			attached = append(attached, object{"service": place})
		}
	}
	return object{"name": name, "kind": p.kind, "mode": p.mode, "final": p.final, "position": p.position, "description": p.words, "config": config, "attached_to": attached}
}

// runs says which policies run on a route: on each of the levels in turn, the winner of each kind that doesn't merge.
func (w world) runs(name string) []string {
	places := []string{"", w.routes[name].service, "route:" + name}
	type running struct {
		phase, level, position int
		name, text             string
	}
	var all []running
	for policyName, p := range w.policies {
		for level, place := range places {
			if p.mode == "off" || !slices.Contains(p.on, place) || p.kind == "api-key" && level != w.levelOfKeys(places) {
				continue
			}
			phase := 1 // a limit by address is a guard
			if p.kind == "api-key" {
				phase = 2
			}
			all = append(all, running{phase, level, p.position, policyName, fmt.Sprint(policyName, p.kind, p.mode, p.number)})
			break // once, on the most general level
		}
	}
	slices.SortFunc(all, func(a, b running) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.level, b.level), cmp.Compare(a.position, b.position), cmp.Compare(a.name, b.name))
	})
	var texts []string
	for _, r := range all {
		texts = append(texts, r.text)
	}
	return texts
}

// levelOfKeys is the most general level with a final api-key policy, else the most specific with any.
func (w world) levelOfKeys(places []string) int {
	level := -1
	for i, place := range places {
		for _, p := range w.policies {
			if p.kind != "api-key" || !slices.Contains(p.on, place) {
				continue
			}
			if p.final {
				return i
			}
			level = i
		}
	}
	return level
}

// facts are all that a route is to those who call it.
func (w world) facts(name string) string {
	r := w.routes[name]
	return fmt.Sprint(name, "|", w.services[r.service].address, "|", r.service, "|", r.strip, "|", w.runs(name))
}

// seen is everything that callers could notice, by its form.
func (w world) seen() string {
	lines := []string{fmt.Sprint(w.staleness)}
	for name, r := range w.routes {
		lines = append(lines, w.facts(name)+r.host+" "+r.path+" "+r.method)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// answers asks every request of a small universe.
func (w world) answers() string {
	lines := []string{fmt.Sprint(w.staleness)}
	for _, host := range []string{"x.test", "y.test", "other"} {
		for _, path := range []string{"/", "/a", "/a/b", "/a/c", "/c/b", "/c"} {
			for _, method := range []string{"GET", "POST"} {
				best, rank := "", [4]int{}
				for name, r := range w.routes {
					if is, ok := r.rank(host, path, method); ok && (best == "" || slices.Compare(is[:], rank[:]) > 0) {
						best, rank = name, is
					}
				}
				if best != "" {
					best = w.facts(best)
				}
				lines = append(lines, host+path+method+best)
			}
		}
	}
	return strings.Join(lines, "\n")
}

// rank is the precedence with which a route matches a request; greater comes first.
func (r aRoute) rank(host, path, method string) (rank [4]int, ok bool) {
	switch {
	case r.host == host:
		rank[0] = 2
	case r.host == "*.test" && strings.HasSuffix(host, ".test"):
		rank[0] = 1
	case r.host != "":
		return rank, false
	}
	if r.method != "" {
		if r.method != method {
			return rank, false
		}
		rank[3] = 1
	}
	rank[1], rank[2], ok = rankOfPath(r.path, path)
	return rank, ok
}

func rankOfPath(pattern, path string) (kind, within int, ok bool) {
	switch pattern[0] {
	case '=':
		return 2, 0, pattern[1:] == path
	case '{':
		segments, theirs := strings.Split(pattern[2:], "/"), strings.Split(path[1:], "/")
		if len(segments) != len(theirs) {
			return 0, 0, false
		}
		for i, s := range segments {
			within *= 2
			if s != "{x}" {
				if s != theirs[i] {
					return 0, 0, false
				}
				within++
			}
		}
		return 1, within, true
	}
	return 0, len(pattern), pattern == "/" || path == pattern || strings.HasPrefix(path, pattern+"/")
}

// The change the other way round means the opposite; what callers can't notice means nothing, and what they can is said.
func TestEffectsMirrorAndAreSaidExactlyWhenCallersCanNotice(t *testing.T) {
	changed, quiet := 0, 0
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 5))
		a := randomWorld(r)
		b := a.clone()
		for range 1 + r.IntN(3) {
			b.step(r)
		}
		before := catalogtest.Head(t, a.configuration(t))
		there := catalogtest.Candidate(t, before, b.configuration(t))
		forth := Of(before, there.Head(), there.Edits())
		back := catalogtest.Candidate(t, there.Head(), a.configuration(t))
		home := Of(there.Head(), back.Head(), back.Edits())

		got, want := mirrored(forth, func(e Effect) string { return e.Code }), mirrored(home, func(e Effect) string { return e.Opposite })
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: forth\n%s\nback\n%s", seed, told(forth), told(home))
		}
		if a.answers() != b.answers() && len(forth) == 0 {
			t.Fatalf("seed %d: requests are answered otherwise, and nothing is said:\n%s\n\n%s", seed, a.seen(), b.seen())
		}
		if a.seen() == b.seen() && len(forth) > 0 {
			t.Fatalf("seed %d: nobody can notice anything, and this is said:\n%s", seed, told(forth))
		}
		if len(forth) > 0 {
			changed++
		} else {
			quiet++
		}
	}
	if changed < 200 || quiet < 50 {
		t.Errorf("%d changes and %d of nothing: the worlds are too much alike", changed, quiet)
	}
}

func mirrored(all []Effect, code func(Effect) string) []string {
	list := make([]string, 0, len(all))
	for _, e := range all {
		list = append(list, fmt.Sprint(code(e), e.Routes, e.Fields))
	}
	slices.Sort(list)
	return list
}

// What a head says runs on a route is what the reference says.
func TestEffectivePoliciesAreThoseThatTheRulesOfMergingLeave(t *testing.T) {
	for seed := range uint64(300) {
		w := randomWorld(rand.New(rand.NewPCG(seed, 6)))
		h := catalogtest.Head(t, w.configuration(t))
		for route := range h.Each(catalog.Routes) {
			var got []string
			protected := false
			for _, a := range h.Effective(route) {
				p := w.policies[a.Object.Name]
				got = append(got, fmt.Sprint(a.Object.Name, a.Kind.Name, p.mode, p.number))
				protected = protected || a.Enforced() && a.Kind.Name == "api-key"
			}
			if want := w.runs(route.Name); !slices.Equal(got, want) || protected != h.Protected(route) {
				t.Fatalf("seed %d, %s: %v, not %v; protected %v", seed, route.Name, got, want, protected)
			}
		}
	}
}
