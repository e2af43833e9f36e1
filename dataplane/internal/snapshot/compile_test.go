package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

const orders = `{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}`

func route(name, rest string) string {
	return fmt.Sprintf(`{"name": %q, "service": "orders", "public": true, %s}`, name, rest)
}

func configured(t testing.TB, routes ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, policies.All()...)
	e.Configure(t, `{"services": [`+orders+`], "routes": [`+strings.Join(routes, ",")+`]}`)
	return e
}

func TestAMatchTellsRouteParametersAndPathToForward(t *testing.T) {
	e := configured(t,
		route("plain", `"paths": [{"prefix": "/plain"}]`),
		route("strip", `"paths": [{"prefix": "/strip"}, {"prefix": "/strip/more"}], "strip_prefix": true`),
		route("all", `"paths": [{"prefix": "/"}], "hosts": ["all.test"], "strip_prefix": true`),
		route("rewrite", `"paths": [{"template": "/v1/{id}/{b}/x"}, {"template": "/v0/{b}/{id}"}], "rewrite_path": "/v2/{id}/y/{b}"`),
		route("fixed", `"paths": [{"exact": "/old"}], "rewrite_path": "/new/"`),
		route("named", `"paths": [{"template": "/orders/{id}/lines/{line}"}]`),
	)
	for _, test := range []struct{ host, target, route, forward, params string }{
		{"", "/plain/a", "plain", "/plain/a", ""},
		{"", "/strip", "strip", "/", ""},
		{"", "/strip/", "strip", "/", ""},
		{"", "/strip/a/b?q", "strip", "/a/b", ""},
		{"", "/strip/more/a", "strip", "/a", ""},
		{"all.test", "/a", "all", "/a", ""},
		{"all.test", "/", "all", "/", ""},
		{"", "/v1/7/%2e%41/x", "", "", ""}, // a dot segment by half: refused by the path's rules or not, never rewritten
		{"", "/v1/7/seven%20/x", "rewrite", "/v2/7/y/seven%20", "id=7 b=seven%20"},
		{"", "/v0/b/7", "rewrite", "/v2/7/y/b", "b=b id=7"},
		{"", "/old", "fixed", "/new/", ""},
		{"", "/orders/4711/lines/3", "named", "/orders/4711/lines/3", "id=4711 line=3"},
	} {
		r := edgetest.Get(test.target)
		r.Host = test.host
		ex := e.Do(r)
		if test.route == "" {
			if strings.Contains(ex.Request.ForwardPath, "..") {
				t.Errorf("%s is forwarded as %s", test.target, ex.Request.ForwardPath)
			}
			continue
		}
		if ex.Route == nil || ex.Route.Name != test.route {
			t.Errorf("%s: %+v %+v", test.target, ex.Route, ex.Rejection)
			continue
		}
		var params []string
		for _, name := range ex.ParamNames {
			value, _ := ex.Param(name)
			params = append(params, name+"="+value)
		}
		if ex.Request.ForwardPath != test.forward || strings.Join(params, " ") != test.params || ex.Revision != 1 || ex.Route.ServiceName != "orders" {
			t.Errorf("%s: %s, %v", test.target, ex.Request.ForwardPath, params)
		}
	}
}

func TestNoRouteAndWrongMethodAreToldApart(t *testing.T) {
	e := configured(t, route("a", `"paths": [{"exact": "/a"}], "methods": ["GET", "DELETE"]`))
	r := edgetest.Get("/a")
	r.Method = "PUT"
	ex := e.Do(r)
	if ex.Verdict != "method_not_allowed" || ex.Response.Status != 405 || ex.Response.Header.Get("Allow") != "DELETE, GET" {
		t.Errorf("%s %v", ex.Verdict, ex.Response.Header.Fields())
	}
	if ex := e.Do(edgetest.Get("/b")); ex.Verdict != "route_not_found" || ex.Response.Status != 404 || ex.Route != nil || ex.Revision != 1 {
		t.Errorf("%s", ex.Verdict)
	}
}

func TestAConfigurationIsRefusedWholeWithEveryError(t *testing.T) {
	const limit = `"kind": "rate-limit", "config": {"by": [{"address": true}], "windows": [{"requests": 1, "window": "1s"}]}`
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"no such service": {
			`{"routes": [{"name": "x", "service": "none", "public": true, "paths": [{"prefix": "/"}]}]}`,
			[]string{"routes/service unknown_reference"},
		},
		"attached to nothing there": {
			`{"policies": [{"name": "p", ` + limit + `, "attached_to": [{"route": "a"}, {"route": "none"}, {"service": "none"}]}]}`,
			[]string{"policies/attached_to/1/route unknown_reference", "policies/attached_to/2/service unknown_reference"},
		},
		"a service that is still needed": {
			`{"services": [{"name": "orders", "gone": true}]}`,
			[]string{"policies/attached_to/0/service unknown_reference", "routes/service unknown_reference"},
		},
		"a route that a policy is attached to": {
			`{"routes": [{"name": "a", "gone": true}]}`,
			[]string{"policies/attached_to/0/route unknown_reference"},
		},
		"no authentication": {
			`{"routes": [{"name": "a", "service": "orders", "paths": [{"prefix": "/"}]}]}`,
			[]string{"routes/public unprotected"},
		},
		"authentication in shadow": {
			`{"routes": [{"name": "a", "service": "orders", "paths": [{"prefix": "/"}]}],
			"policies": [{"name": "k", "kind": "api-key", "mode": "shadow", "config": {}, "attached_to": [{"route": "a"}]}]}`,
			[]string{"routes/public unprotected"},
		},
		"several at once": {
			`{"routes": [
				{"name": "x", "service": "none", "public": true, "paths": [{"prefix": "/"}]},
				{"name": "y", "service": "orders", "public": true, "paths": [{"exact": "/a/../b"}], "hosts": ["UPPER", "ok.test"]}],
			"policies": [{"name": "p", "kind": "rate-limit", "config": {"by": [{"address": true}], "windows": [{"requests": 1, "window": "1s"}, {"requests": 2, "window": "1s"}]}}],
			"settings": [{"name": "settings", "trusted_proxies": ["nonsense"]}]}`,
			[]string{"policies/config/windows/1/window not_unique", "routes/hosts/0 invalid_format", "routes/paths/0/exact invalid_format", "routes/service unknown_reference", "settings/trusted_proxies/0 invalid_format"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := configured(t, route("a", `"paths": [{"prefix": "/"}]`))
			e.Configure(t, `{"policies": [
				{"name": "on-route", `+limit+`, "attached_to": [{"route": "a"}]}, {"name": "on-service", `+limit+`, "attached_to": [{"service": "orders"}]}]}`)
			before := e.Holder.Load()
			if got := edgetest.Codes(e.Try(t, test.text)); !slices.Equal(got, test.want) {
				t.Fatalf("\n%q, not\n%q", got, test.want)
			}
			if e.Holder.Load() != before {
				t.Fatal("something was put in force")
			}
			if ex := e.Do(edgetest.Get("/")); ex.Verdict != pipeline.Allowed || ex.Revision != before.Revision {
				t.Fatalf("what was in force decides otherwise: %s", ex.Verdict)
			}
		})
	}
}

func TestWhatThisBuildDoesNotUnderstandIsRefused(t *testing.T) {
	e := configured(t, route("a", `"paths": [{"prefix": "/"}]`))
	e.Configure(t, `{"policies": [{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}]}`)
	unknown := func(data []byte) []byte {
		return append(slices.Clone(data), protowire.AppendTag(nil, 1999, protowire.VarintType)...)
	}
	for name, change := range map[string]func([]snapshot.Source) []snapshot.Source{
		"unknown collection": func(all []snapshot.Source) []snapshot.Source {
			return append(all, snapshot.Source{Collection: "issuers", ID: "iss_x", Data: []byte{1}})
		},
		"unknown field": func(all []snapshot.Source) []snapshot.Source {
			all[0].Data = append(unknown(all[0].Data), 1)
			return all
		},
		"cut": func(all []snapshot.Source) []snapshot.Source {
			all[0].Data = all[0].Data[:len(all[0].Data)-1]
			return all
		},
		"no id": func(all []snapshot.Source) []snapshot.Source { all[0].ID = "nonsense"; return all },
		"twice": func(all []snapshot.Source) []snapshot.Source { return append(all, all[0]) },
		"empty": func(all []snapshot.Source) []snapshot.Source { all[0].Data = nil; return all },
		"others": func(all []snapshot.Source) []snapshot.Source {
			all[0].ID = e.ID(all[0].Collection, "other")
			return all
		},
	} {
		if s, errs := snapshot.Compile(e.Env, 9, change(e.Sources()), nil); s != nil || len(errs) == 0 {
			t.Errorf("%s: compiled", name)
		}
	}
	others := slices.DeleteFunc(policies.All(), func(b pipeline.Binding) bool { return b.Kind.Name == "api-key" })
	missing := snapshot.NewEnv(snapshot.Config{Directory: e.Directory, Kinds: others, Metrics: e.Metrics})
	if s, errs := snapshot.Compile(missing, 9, e.Sources(), nil); s != nil || !slices.ContainsFunc(errs, func(e *edgev1.ObjectError) bool { return e.GetCollection() == "policies" }) {
		t.Errorf("a kind that isn't enforced: %v", errs)
	}
}

func TestEveryTypeOfResourceIsCompiledOrIgnoredOnPurpose(t *testing.T) {
	e := configured(t)
	for _, kind := range resource.Types() {
		change := snapshot.Source{Collection: kind.Collection, ID: "not an id", Data: []byte{0xff}}
		next, errs := snapshot.Update(e.Env, 2, []snapshot.Source{change}, e.Holder.Load())
		if ignored := len(errs) == 0; ignored != (kind.Collection == "guardrails") {
			t.Errorf("%s: ignored %v, %v", kind.Collection, ignored, errs)
		} else if ignored && (next.Routes() != e.Holder.Load().Routes() || next.Revision != 2) {
			t.Errorf("%s changed the snapshot", kind.Collection)
		}
	}
}

func TestAChangeSharesWhatItDoesNotTouch(t *testing.T) {
	e := configured(t, route("a", `"paths": [{"prefix": "/a"}]`), route("b", `"paths": [{"prefix": "/b"}]`))
	find := func(target string) *snapshot.Route {
		r, err := e.Holder.Load().Route(e.Exchange(edgetest.Get(target)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	a, b := find("/a"), find("/b")
	e.Configure(t, `{"routes": [`+route("a", `"paths": [{"prefix": "/a"}], "methods": ["GET"]`)+`]}`)
	if find("/b") != b || find("/a") == a {
		t.Error("a change of one route changed another, or nothing")
	}
	if find("/a").Info != a.Info {
		t.Error("the info of a route that is called the same was made anew")
	}
	e.Configure(t, `{"services": [{"name": "orders", "description": "x", "upstream": {"targets": [{"address": "other.test:80"}]}}]}`)
	if find("/b").Service.Spec.Targets[0].Address != "other.test:80" {
		t.Error("a route still has the service as it was")
	}
}

// sender sends nothing.
type sender struct{ spec snapshot.Spec }

func (*sender) Send(*pipeline.Exchange) error { return nil }

func TestServicesOfEqualSpecsShareASenderThroughRevisions(t *testing.T) {
	made := 0
	e := edgetest.New(t, policies.All()...)
	e.Env = snapshot.NewEnv(snapshot.Config{Directory: e.Directory, Kinds: policies.All(), Metrics: e.Metrics, NewSender: func(s snapshot.Spec) snapshot.Sender {
		made++
		return &sender{s}
	}})
	senders := func() map[string]snapshot.Sender {
		all := map[string]snapshot.Sender{}
		e.Holder.Load().Services(func(s *snapshot.Service) bool { all[s.Name] = s.Sender; return true })
		return all
	}
	e.Configure(t, `{"services": [`+orders+`, {"name": "twin", "upstream": {"targets": [{"address": "orders.test:80"}], "timeouts": {"connect": "2s"}}}, {"name": "other", "upstream": {"targets": [{"address": "o:80"}]}}]}`)
	first := senders()
	if made != 2 || first["orders"] != first["twin"] || first["orders"] == first["other"] {
		t.Fatalf("%d senders made", made)
	}
	e.Configure(t, `{"services": [{"name": "orders", "description": "new words", "upstream": {"targets": [{"address": "orders.test:80"}]}}]}`)
	if made != 2 || senders()["orders"] != first["orders"] {
		t.Fatalf("%d senders made", made)
	}
	e.Configure(t, `{"settings": [{"name": "settings", "allowed_target_ranges": ["127.0.0.0/8"]}]}`)
	if made != 4 || senders()["orders"] == first["orders"] {
		t.Fatalf("%d senders made: other ranges need others", made)
	}
	e.Configure(t, `{"settings": [{"name": "settings", "gone": true}]}`)
	if senders()["orders"] != first["orders"] && made != 6 {
		t.Fatalf("%d senders made", made)
	}
}

// randomObject takes a random object into, or out of, the configuration.
func randomObject(t *testing.T, e *edgetest.Edge, r *rand.Rand) {
	t.Helper()
	services, routes := []string{"s0", "s1", "s2"}, 12
	on := []string{`{"environment": true}`, `{"service": "s0"}`, `{"service": "s1"}`, `{"service": "s2"}`, `{"route": "r0"}`, `{"route": "r1"}`, `{"route": "r2"}`}
	consumers := []string{`{"consumer": "c0"}`, `{"consumer": "c1"}`, `{"consumer": "c2"}`}
	var text string
	switch n := r.IntN(10); {
	case n < 2:
		text = fmt.Sprintf(`"services": [{"name": %q, "upstream": {"targets": [{"address": "h%d:80"}]}}]`, services[r.IntN(3)], r.IntN(5))
	case n < 6:
		text = fmt.Sprintf(`"routes": [{"name": "r%d", "service": %q, "public": %v, "paths": [{"prefix": "/p%d"}], "hosts": ["h%d.test"]}]`,
			r.IntN(routes), services[r.IntN(3)], r.IntN(4) > 0, r.IntN(3), r.IntN(4))
	case n < 7:
		text = fmt.Sprintf(`"routes": [{"name": "r%d", "gone": true}]`, r.IntN(routes))
	case n < 8:
		text = fmt.Sprintf(`"policies": [{"name": "p%d", "gone": true}]`, r.IntN(6))
	default:
		config := `"kind": "rate-limit", "config": {"by": [{"address": true}], "windows": [{"requests": 1, "window": "1s"}]}`
		switch r.IntN(4) {
		case 0:
			config = `"kind": "api-key", "config": {}`
		case 1:
			config, on = `"kind": "acl", "config": {}`, append(on, consumers...)
		case 2:
			config, on = `"kind": "headers", "config": {}`, append(on, consumers...)
		}
		r.Shuffle(len(on), func(i, j int) { on[i], on[j] = on[j], on[i] })
		text = fmt.Sprintf(`"policies": [{"name": "p%d", %s, "final": %v, "mode": %q, "attached_to": [%s]}]`,
			r.IntN(6), config, r.IntN(3) == 0, []string{"off", "shadow", "enforce", "enforce"}[r.IntN(4)], strings.Join(on[:r.IntN(3)], ","))
	}
	e.Try(t, "{"+text+"}") // what is refused changes nothing
}

// describe says all that a snapshot decides by, without pointers.
func describe(e *edgetest.Edge, s *snapshot.Snapshot) string {
	var b strings.Builder
	for host := range 4 {
		for p := range 3 {
			r := edgetest.Get(fmt.Sprintf("/p%d", p))
			r.Host = fmt.Sprintf("h%d.test", host)
			ex := e.Exchange(r)
			route, err := s.Route(ex)
			if err != nil {
				fmt.Fprintf(&b, "%s%s: %v\n", r.Host, r.Target, err)
				continue
			}
			fmt.Fprintf(&b, "%s%s: %+v %+v %v", r.Host, r.Target, *route.Info, *route.Service, route.Public)
			for _, p := range route.Stages.Policies() {
				fmt.Fprintf(&b, " %s %s %s", p.Name, p.Kind.Name, p.Mode)
			}
			for c := range 3 {
				consumer, _ := id.Parse(id.Consumer, e.ID("consumers", fmt.Sprintf("c%d", c)))
				fmt.Fprintf(&b, " c%d:", c)
				for _, p := range route.Stages.Under(ex.Overlays, consumer).Policies() {
					fmt.Fprintf(&b, " %s %s %s", p.Name, p.Kind.Name, p.Mode)
				}
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String()
}

// However a configuration came about, it decides the same: by deltas, one after the other, or read as a whole.
func TestUpdatesLeadWhereACompileLeads(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		e := edgetest.New(t, policies.All()...)
		e.Configure(t, `{"services": [{"name": "s0", "upstream": {"targets": [{"address": "h:80"}]}}, {"name": "s1", "upstream": {"targets": [{"address": "h:80"}]}}, {"name": "s2", "upstream": {"targets": [{"address": "h:80"}]}}]}`)
		for range 60 {
			randomObject(t, e, r)
			current := e.Holder.Load()
			fresh, errs := snapshot.Compile(e.Env, current.Revision, e.Sources(), nil)
			if len(errs) > 0 {
				t.Fatalf("seed %d: what was accepted in steps is refused as a whole: %v", seed, errs)
			}
			if got, want := describe(e, current), describe(e, fresh); got != want || current.Routes() != fresh.Routes() {
				t.Fatalf("seed %d: by steps\n%s\nas a whole\n%s", seed, got, want)
			}
		}
	}
}

func TestUpdateRefusesTwoChangesOfOneObject(t *testing.T) {
	e := configured(t, route("a", `"paths": [{"prefix": "/"}]`))
	change := e.Sources()[0]
	if _, errs := snapshot.Update(e.Env, 2, []snapshot.Source{change, change}, e.Holder.Load()); len(errs) != 1 {
		t.Fatal(errs)
	}
	gone := snapshot.Source{Collection: "routes", ID: e.ID("routes", "never there")}
	if _, errs := snapshot.Update(e.Env, 2, []snapshot.Source{gone}, e.Holder.Load()); len(errs) != 0 {
		t.Fatal(errs)
	}
}

func TestSettingsAreReadAndThereAreOne(t *testing.T) {
	e := configured(t)
	e.Configure(t, `{"settings": [{"name": "settings", "trusted_proxies": ["10.0.0.0/8", "fd00::/8"]}]}`)
	trusted := e.Holder.Load().Settings.TrustedProxies
	if !trusted.Contains(netip.MustParseAddr("10.1.2.3")) || !trusted.Contains(netip.MustParseAddr("fd12::1")) || trusted.Contains(netip.MustParseAddr("11.0.0.0")) {
		t.Error(trusted.Prefixes())
	}
	second := &configv1.EnvironmentSettings{Name: "second"}
	kind, _ := resource.ByCollection("settings")
	e.Put(t, kind, second)
	if errs := e.Try(t, `{}`); len(errs) != 1 {
		t.Errorf("two settings objects: %v", errs)
	}
}
