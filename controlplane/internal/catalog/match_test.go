package catalog

import (
	"strings"
	"testing"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

func route(t testing.TB, body string) *configv1.Route {
	t.Helper()
	r := new(configv1.Route)
	if v := resource.Decode([]byte(body), r); len(v) > 0 {
		t.Fatalf("%s: %v", body, v)
	}
	return r
}

// canTie is what checkMatches asks of two routes.
func canTie(a, b *configv1.Route) bool {
	for _, x := range matchesOf(a) {
		for _, y := range matchesOf(b) {
			if x.rank == y.rank && x.ties(y) {
				return true
			}
		}
	}
	return false
}

func TestRoutesTieOnlyWhenThePrecedenceCannotTellThemApart(t *testing.T) {
	tests := []struct {
		name, a, b string
		tie        bool
	}{
		{"same prefix", `{"paths":[{"prefix":"/a"}]}`, `{"paths":[{"prefix":"/a"}]}`, true},
		{"longer prefix", `{"paths":[{"prefix":"/a"}]}`, `{"paths":[{"prefix":"/a/b"}]}`, false},
		{"exact before prefix", `{"paths":[{"exact":"/a"}]}`, `{"paths":[{"prefix":"/a"}]}`, false},
		{"one of several paths", `{"paths":[{"prefix":"/x"},{"prefix":"/a"}]}`, `{"paths":[{"prefix":"/a"},{"prefix":"/y"}]}`, true},
		{"names of parameters", `{"paths":[{"template":"/a/{id}"}]}`, `{"paths":[{"template":"/a/{other}"}]}`, true},
		{"literal before parameter", `{"paths":[{"template":"/a/{id}/{x}"}]}`, `{"paths":[{"template":"/a/{id}/b"}]}`, false},
		{"other hosts", `{"hosts":["a.example"],"paths":[{"prefix":"/"}]}`, `{"hosts":["b.example"],"paths":[{"prefix":"/"}]}`, false},
		{"host before any", `{"hosts":["a.example"],"paths":[{"prefix":"/"}]}`, `{"paths":[{"prefix":"/"}]}`, false},
		{"host before wildcard", `{"hosts":["a.example"],"paths":[{"prefix":"/"}]}`, `{"hosts":["*.example"],"paths":[{"prefix":"/"}]}`, false},
		{"same wildcard", `{"hosts":["*.example","x.org"],"paths":[{"prefix":"/"}]}`, `{"hosts":["*.example"],"paths":[{"prefix":"/"}]}`, true},
		{"other methods", `{"methods":["GET"],"paths":[{"prefix":"/"}]}`, `{"methods":["PUT"],"paths":[{"prefix":"/"}]}`, false},
		{"a common method", `{"methods":["GET","PUT"],"paths":[{"prefix":"/"}]}`, `{"methods":["PUT"],"paths":[{"prefix":"/"}]}`, true},
		{"methods before any", `{"methods":["GET"],"paths":[{"prefix":"/"}]}`, `{"paths":[{"prefix":"/"}]}`, false},
		{"more headers", `{"headers":[{"name":"x","exact":"1"}],"paths":[{"prefix":"/"}]}`, `{"paths":[{"prefix":"/"}]}`, false},
		{"other values", `{"headers":[{"name":"x","exact":"1"}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"X","exact":"2"}],"paths":[{"prefix":"/"}]}`, false},
		{"other headers can both be there", `{"headers":[{"name":"x","exact":"1"}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"y","exact":"1"}],"paths":[{"prefix":"/"}]}`, true},
		{"value within prefix", `{"headers":[{"name":"x","exact":"12"}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"x","prefix":"1"}],"paths":[{"prefix":"/"}]}`, true},
		{"value outside prefix", `{"headers":[{"name":"x","exact":"2"}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"x","prefix":"1"}],"paths":[{"prefix":"/"}]}`, false},
		{"prefixes apart", `{"query":[{"name":"x","prefix":"a"}],"paths":[{"prefix":"/"}]}`, `{"query":[{"name":"x","prefix":"b"}],"paths":[{"prefix":"/"}]}`, false},
		{"prefix in prefix", `{"query":[{"name":"x","prefix":"a"}],"paths":[{"prefix":"/"}]}`, `{"query":[{"name":"x","prefix":"ab"}],"paths":[{"prefix":"/"}]}`, true},
		{"query names keep their case", `{"query":[{"name":"x","exact":"1"}],"paths":[{"prefix":"/"}]}`, `{"query":[{"name":"X","exact":"2"}],"paths":[{"prefix":"/"}]}`, true},
		{"there and absent", `{"headers":[{"name":"x","present":true}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"x","present":false}],"paths":[{"prefix":"/"}]}`, false},
		{"a value and absent", `{"headers":[{"name":"x","exact":"1"}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"x","present":false}],"paths":[{"prefix":"/"}]}`, false},
		{"a value and there", `{"headers":[{"name":"x","exact":"1"}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"x","present":true}],"paths":[{"prefix":"/"}]}`, true},
		{"both absent", `{"headers":[{"name":"x","present":false}],"paths":[{"prefix":"/"}]}`, `{"headers":[{"name":"x","present":false}],"paths":[{"prefix":"/"}]}`, true},
	}
	for _, tt := range tests {
		a, b := route(t, tt.a), route(t, tt.b)
		if canTie(a, b) != tt.tie || canTie(b, a) != tt.tie {
			t.Errorf("%s: %v and %v", tt.name, canTie(a, b), canTie(b, a))
		}
	}
}

func TestNamelessKeepsEverythingButNames(t *testing.T) {
	for template, want := range map[string]string{"/": "/", "/a/{id}/b/{x}": "/a/{}/b/{}", "/{a}{b}": "/{}", "/a{b}": "/a{b}", "/{id}/": "/{}/"} {
		if got := nameless(template); got != want {
			t.Errorf("%s: %s", template, got)
		}
	}
	if strings.Contains(nameless("/{secret}"), "secret") {
		t.Error("a name is left")
	}
}

func TestGuardsOfALevel(t *testing.T) {
	const enforce, shadow, off = configv1.Mode_MODE_ENFORCE, configv1.Mode_MODE_SHADOW, configv1.Mode_MODE_OFF
	g := func(mode configv1.Mode, final bool) guard {
		return guard{kind: policy.Kind{Name: "api-key"}, holds: mode == enforce, final: final}
	}
	other := guard{kind: policy.Kind{Name: "other"}, holds: true}
	merging := policy.Kind{Name: "m", Merges: true, Traits: policy.Traits{Decides: true}}
	tests := []struct {
		name                        string
		environment, service, route []guard
		want                        bool
	}{
		{"nothing", nil, nil, nil, false},
		{"on the environment", []guard{g(enforce, false)}, nil, nil, true},
		{"on the route", nil, nil, []guard{g(enforce, false)}, true},
		{"shadow only", []guard{g(shadow, false)}, nil, nil, false},
		{"displaced by a shadow", []guard{g(enforce, false)}, nil, []guard{g(shadow, false)}, false},
		{"final is not displaced", []guard{g(enforce, true)}, nil, []guard{g(shadow, false)}, true},
		{"a final shadow displaces", []guard{g(shadow, true)}, nil, []guard{g(enforce, false)}, false},
		{"displaced by one that is off", []guard{g(enforce, false)}, []guard{g(off, false)}, nil, false},
		{"a final one that is off displaces", []guard{g(off, true)}, nil, []guard{g(enforce, false)}, false},
		{"another kind stays", []guard{other}, nil, []guard{g(shadow, false)}, true},
		{"merging kinds all apply", []guard{{kind: merging, holds: true}}, nil, []guard{{kind: merging}}, true},
		{"two on one level", nil, []guard{g(shadow, false), g(enforce, false)}, nil, true},
	}
	for _, tt := range tests {
		h := newHead()
		h.guards.set(environment, tt.environment)
		h.guards.set(ref{Services, "s"}, tt.service)
		h.guards.set(ref{Routes, "r"}, tt.route)
		if got := h.protected(&Object{Collection: Routes, ID: "r", service: "s"}); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
