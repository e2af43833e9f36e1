package acl_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/acl"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// edge returns an edge whose requests need a key and pass an acl, if they have a mode.
func edge(t testing.TB, keys, mode, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, acl.Binding, apikey.Binding)
	for name, labels := range map[string]map[string]string{
		"alice": {"tier": "gold", "region": "eu"}, "bob": {"tier": "silver"}, "carol": nil,
	} {
		e.Describe(t, &directoryv1.Consumer{Name: name, Labels: labels})
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		config = strings.ReplaceAll(config, `"`+name+`"`, `"`+e.ID("consumers", name)+`"`)
	}
	e.Configure(t, fmt.Sprintf(`{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [
			{"name": "keys", "kind": "api-key", "mode": %q, "config": {}, "attached_to": [{"environment": true}]},
			{"name": "acl", "kind": "acl", "mode": %q, "config": %s, "attached_to": [{"environment": true}]}]
	}`, keys, mode, config))
	return e
}

func ask(t testing.TB, e *edgetest.Edge, method, consumer string, scopes ...string) *pipeline.Exchange {
	t.Helper()
	r := edgetest.Get("/", "X-Api-Key: "+e.Key(t, consumer, edgetest.Key{Scopes: scopes}))
	r.Method = method
	return e.Do(r)
}

func TestWhoMayDoWhat(t *testing.T) {
	const pass, refused = "allowed", "access_denied"
	type request struct {
		method, consumer string
		scopes           []string
		want             problem.Code
	}
	for name, test := range map[string]struct {
		config   string
		requests []request
	}{
		"no rule":                    {`{}`, []request{{"GET", "alice", nil, refused}}},
		"no rule, otherwise allowed": {`{"otherwise": "allow"}`, []request{{"GET", "alice", nil, pass}}},
		"consumers": {`{"allow": [{"consumers": ["alice", "bob"]}]}`, []request{
			{"GET", "alice", nil, pass}, {"DELETE", "bob", nil, pass}, {"GET", "carol", nil, refused},
		}},
		"methods": {`{"allow": [{"every_consumer": true, "methods": ["GET", "HEAD"]}, {"consumers": ["alice"], "methods": ["POST"]}]}`, []request{
			{"GET", "carol", nil, pass},
			{"POST", "alice", nil, pass},
			{"POST", "bob", nil, refused},
			{"PUT", "alice", nil, refused},
			{"get", "carol", nil, refused},
			{"GETX", "carol", nil, refused},
		}},
		"otherwise is about methods that no allow rule speaks of": {`{"allow": [{"consumers": ["alice"], "methods": ["POST"]}], "otherwise": "allow"}`, []request{
			{"POST", "alice", nil, pass}, {"POST", "bob", nil, refused}, {"GET", "bob", nil, pass},
		}},
		"a rule of every method leaves nothing to otherwise": {`{"allow": [{"consumers": ["alice"]}], "otherwise": "allow"}`, []request{
			{"GET", "alice", nil, pass}, {"GET", "bob", nil, refused},
		}},
		"deny wins": {`{"allow": [{"every_consumer": true}], "deny": [{"consumers": ["bob"]}, {"every_consumer": true, "methods": ["DELETE"]}]}`, []request{
			{"GET", "alice", nil, pass}, {"GET", "bob", nil, refused}, {"DELETE", "alice", nil, refused},
		}},
		"deny wins over otherwise": {`{"deny": [{"labels": [{"key": "tier", "values": ["silver"]}]}], "otherwise": "allow"}`, []request{
			{"GET", "alice", nil, pass}, {"GET", "bob", nil, refused}, {"GET", "carol", nil, pass},
		}},
		"labels, all of them": {`{"allow": [{"labels": [{"key": "tier", "values": ["gold", "silver"]}, {"key": "region", "values": ["eu"]}]}]}`, []request{
			{"GET", "alice", nil, pass}, {"GET", "bob", nil, refused}, {"GET", "carol", nil, refused},
		}},
		"a label that is missing isn't one that is empty": {`{"allow": [{"labels": [{"key": "tier", "values": [""]}]}]}`, []request{{"GET", "carol", nil, refused}}},
		"any scope": {`{"allow": [{"any_scope": ["a", "b"]}]}`, []request{
			{"GET", "carol", []string{"b", "c"}, pass}, {"GET", "carol", []string{"c"}, refused}, {"GET", "carol", nil, refused},
		}},
		"all scopes": {`{"allow": [{"all_scopes": ["a", "b"]}]}`, []request{
			{"GET", "carol", []string{"b", "a", "c"}, pass}, {"GET", "carol", []string{"a"}, refused},
		}},
		"all conditions of a rule": {`{"allow": [{"consumers": ["alice", "bob"], "labels": [{"key": "tier", "values": ["gold"]}], "any_scope": ["a"]}]}`, []request{
			{"GET", "alice", []string{"a"}, pass}, {"GET", "alice", nil, refused}, {"GET", "bob", []string{"a"}, refused},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := edge(t, "enforce", "enforce", test.config)
			for _, r := range test.requests {
				if ex := ask(t, e, r.method, r.consumer, r.scopes...); ex.Verdict != r.want {
					t.Errorf("%s by %s with %v: %s", r.method, r.consumer, r.scopes, ex.Verdict)
				}
			}
		})
	}
}

func TestWhoWasNotAuthenticatedIsRefusedWhateverTheRulesSay(t *testing.T) {
	for _, config := range []string{`{"otherwise": "allow"}`, `{"allow": [{"every_consumer": true}]}`, `{}`} {
		for _, keys := range []string{"off", "shadow"} {
			ex := ask(t, edge(t, keys, "enforce", config), "GET", "alice")
			if ex.Verdict != problem.AccessDenied || ex.Response.Status != 403 {
				t.Errorf("%s with keys in %s: %s", config, keys, ex.Verdict)
			}
		}
	}
}

func TestTheCallerIsNotToldWhichRuleRefused(t *testing.T) {
	ex := ask(t, edge(t, "enforce", "enforce", `{"deny": [{"consumers": ["alice"]}]}`), "GET", "alice")
	if ex.Rejection.Detail != "" || ex.Rejection.Reason != "a deny rule matches" || ex.Rejection.Policy != "acl" || ex.Response.Header.Has("WWW-Authenticate") {
		t.Errorf("%+v", ex.Rejection)
	}
}

func TestAnAclInShadowSeesTheConsumerThatShadowStagesFound(t *testing.T) {
	e := edge(t, "shadow", "shadow", `{"allow": [{"consumers": ["alice"]}]}`)
	if ex := ask(t, e, "GET", "alice"); ex.ShadowVerdict != "" || ex.Verdict != pipeline.Allowed {
		t.Errorf("%s, in shadow %s", ex.Verdict, ex.ShadowVerdict)
	}
	if ex := ask(t, e, "GET", "bob"); ex.ShadowVerdict != problem.AccessDenied || ex.Verdict != pipeline.Allowed {
		t.Errorf("%s, in shadow %s", ex.Verdict, ex.ShadowVerdict)
	}
	if e.Count("acl", pipeline.Shadow, problem.AccessDenied) != 1 || e.Count("acl", pipeline.Shadow, pipeline.Passed) != 1 {
		t.Error("verdicts aren't counted")
	}
}

func TestLabelsAreThoseOfTheMoment(t *testing.T) {
	e := edge(t, "enforce", "enforce", `{"allow": [{"labels": [{"key": "tier", "values": ["gold"]}]}]}`)
	r := edgetest.Get("/", "X-Api-Key: "+e.Key(t, "alice", edgetest.Key{}))
	if ex := e.Do(r); ex.Verdict != pipeline.Allowed {
		t.Fatal(ex.Verdict)
	}
	e.Describe(t, &directoryv1.Consumer{Name: "alice", Labels: map[string]string{"tier": "bronze"}})
	if ex := e.Do(r); ex.Verdict != problem.AccessDenied {
		t.Fatal(ex.Verdict)
	}
}

func TestAclsOfAllLevelsMustLetPass(t *testing.T) {
	e := edge(t, "enforce", "enforce", `{"allow": [{"consumers": ["alice", "bob"]}]}`)
	e.Configure(t, `{"policies": [
		{"name": "on-route", "kind": "acl", "config": {"allow": [{"every_consumer": true}], "deny": [{"consumers": ["`+e.ID("consumers", "bob")+`"]}]}, "attached_to": [{"route": "r"}]},
		{"name": "on-alice", "kind": "acl", "config": {"allow": [{"every_consumer": true, "methods": ["GET"]}]}, "attached_to": [{"consumer": "alice"}]}]}`)
	for _, test := range []struct {
		method, consumer string
		want             problem.Code
	}{
		{"GET", "alice", pipeline.Allowed}, {"POST", "alice", problem.AccessDenied}, {"GET", "bob", problem.AccessDenied}, {"GET", "carol", problem.AccessDenied},
	} {
		if ex := ask(t, e, test.method, test.consumer); ex.Verdict != test.want {
			t.Errorf("%s by %s: %s", test.method, test.consumer, ex.Verdict)
		}
	}
}

// What no stored configuration can hold, but a node may be handed, is refused and never read as something wider.
func TestWhatCanNotBeEnforcedIsRefused(t *testing.T) {
	refuse := policyv1.Otherwise_OTHERWISE_REFUSE
	future := policyv1.Otherwise(9)
	for name, config := range map[string]*policyv1.Acl{
		"no otherwise":      {},
		"unknown otherwise": {Otherwise: &future},
		"rule about nobody": {Otherwise: &refuse, Allow: []*policyv1.AclRule{{Methods: []string{"GET"}}}},
		"nil rule":          {Otherwise: &refuse, Deny: []*policyv1.AclRule{nil}},
		"a consumer's name": {Otherwise: &refuse, Allow: []*policyv1.AclRule{{Consumers: []string{"alice"}}}},
		"another's id":      {Otherwise: &refuse, Deny: []*policyv1.AclRule{{Consumers: []string{"key_01kas2gz4pe6xb10b0wd3m1gcx"}}}},
	} {
		if _, err := acl.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}

// Random rules and callers: the verdict is the one that the documentation's sentences give, one after the other.
func TestVerdictsAreThoseOfTheSentences(t *testing.T) {
	methods, people := []string{"GET", "POST", "PUT"}, []string{"alice", "bob", "carol"}
	labels := map[string]string{"alice": "gold", "bob": "silver"}
	type rule struct {
		methods, consumers, tiers, any []string
	}
	pick := func(r *rand.Rand, from []string) []string {
		return slices.DeleteFunc(slices.Clone(from), func(string) bool { return r.IntN(3) > 0 })
	}
	list := func(texts []string) string {
		return `["` + strings.Join(texts, `","`) + `"]`
	}
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		random := func() (rules []rule, text string) {
			var texts []string
			for range r.IntN(4) {
				one := rule{methods: pick(r, methods), consumers: pick(r, people), tiers: pick(r, []string{"gold", "silver"}), any: pick(r, []string{"a", "b"})}
				rules = append(rules, one)
				parts := []string{}
				for name, values := range map[string][]string{"consumers": one.consumers, "any_scope": one.any, "methods": one.methods} {
					if len(values) > 0 {
						parts = append(parts, `"`+name+`":`+list(values))
					}
				}
				if len(one.tiers) > 0 {
					parts = append(parts, `"labels":[{"key":"tier","values":`+list(one.tiers)+`}]`)
				}
				if len(one.consumers)+len(one.tiers)+len(one.any) == 0 {
					parts = append(parts, `"every_consumer":true`)
				}
				texts = append(texts, "{"+strings.Join(parts, ",")+"}")
			}
			return rules, "[" + strings.Join(texts, ",") + "]"
		}
		allow, allowText := random()
		deny, denyText := random()
		otherwise := []string{"refuse", "allow"}[r.IntN(2)]
		e := edge(t, "enforce", "enforce", `{"allow":`+allowText+`,"deny":`+denyText+`,"otherwise":"`+otherwise+`"}`)
		for _, method := range methods {
			for _, who := range people {
				for _, scopes := range [][]string{nil, {"a"}} {
					speaks := func(one rule) bool { return len(one.methods) == 0 || slices.Contains(one.methods, method) }
					matches := func(one rule) bool {
						return speaks(one) && (len(one.consumers) == 0 || slices.Contains(one.consumers, who)) &&
							(len(one.tiers) == 0 || slices.Contains(one.tiers, labels[who])) &&
							(len(one.any) == 0 || slices.ContainsFunc(one.any, func(s string) bool { return slices.Contains(scopes, s) }))
					}
					pass := otherwise == "allow"
					if slices.ContainsFunc(allow, speaks) {
						pass = slices.ContainsFunc(allow, matches)
					}
					pass = pass && !slices.ContainsFunc(deny, matches)
					if got := ask(t, e, method, who, scopes...).Verdict == pipeline.Allowed; got != pass {
						t.Fatalf("seed %d: %s by %s with %v: %v\nallow %s\ndeny %s\notherwise %s", seed, method, who, scopes, got, allowText, denyText, otherwise)
					}
				}
			}
		}
	}
}

func TestAVerdictAllocatesNothing(t *testing.T) {
	e := edge(t, "enforce", "enforce", `{"allow": [{"consumers": ["bob"], "methods": ["GET"]}, {"labels": [{"key": "tier", "values": ["gold"]}], "all_scopes": ["a"]}], "deny": [{"any_scope": ["z"]}]}`)
	ex := e.Exchange(edgetest.Get("/", "X-Api-Key: "+e.Key(t, "alice", edgetest.Key{Scopes: []string{"a", "b"}})))
	in := ex.Request
	fields := slices.Clone(in.Header.Fields())
	if n := testing.AllocsPerRun(200, func() {
		ex.Reset()
		ex.Request.Path, ex.Request.Method, ex.Request.Authority = in.Path, in.Method, in.Authority
		for _, f := range fields {
			ex.Request.Header.Add(f.Name, f.Value)
		}
		route, err := e.Holder.Load().Route(ex)
		if err != nil || route.Stages.Run(ex) != nil {
			t.Fatal(err, ex.Rejection)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
