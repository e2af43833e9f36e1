package acl_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/acl"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// stageOf compiles a configuration as a node gets it.
func stageOf(t testing.TB, config string) pipeline.Stage {
	t.Helper()
	var given policyv1.Acl
	if violations := resource.Decode([]byte(config), &given); len(violations) > 0 {
		t.Fatalf("%s: %v", config, violations)
	}
	stage, err := acl.Binding.Compile(pipeline.Env{}, resource.Defaulted(&given))
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return stage
}

// bearer returns an exchange whose caller has shown a token that says this; "": a credential of the gateway's own.
func bearer(t testing.TB, method, path, said string, scopes ...string) *pipeline.Exchange {
	t.Helper()
	ex := new(pipeline.Exchange)
	ex.Request.Method, ex.Request.Path = method, path
	who := pipeline.Identity{Consumer: &directory.Consumer{ID: id.ID{1}, Name: "alice"}, Scopes: directory.NewScopeSet(scopes...)}
	if said != "" {
		var err error
		if who.Claims, err = claims.Parse([]byte(said)); err != nil {
			t.Fatal(err)
		}
	}
	ex.Identify(who)
	return ex
}

func TestRolesAndClaimsDecideAsTheTokenSaysThem(t *testing.T) {
	const pass, refused = true, false
	for config, tokens := range map[string]map[string]bool{
		`{"allow": [{"any_role": ["clerk", "admin"]}]}`: {
			`{"roles": ["x", "admin"]}`: pass, `{"roles": "clerk"}`: pass, `{"roles": "x clerk"}`: pass, `{"roles": ["Admin"]}`: refused,
			`{"roles": "clerks"}`: refused, `{"roles": ["x clerk"]}`: refused, `{"role": "clerk"}`: refused, `{"roles": {"clerk": true}}`: refused, `{"roles": [["clerk"]]}`: refused,
			`{"roles": ["clerk", {"name": "x"}]}`: refused, `{"roles": null}`: refused, "": refused, `{}`: refused,
		},
		`{"allow": [{"all_roles": ["a", "b"]}]}`: {`{"roles": ["b", "a"]}`: pass, `{"roles": ["a"]}`: refused, `{"roles": "b a"}`: pass, "": refused},
		`{"allow": [{"every_consumer": true, "no_role": ["trainee"]}]}`: {
			`{"roles": ["clerk"]}`: pass, `{}`: pass, "": pass, `{"roles": ["clerk", "trainee"]}`: refused, `{"roles": "clerk trainee"}`: refused,
			`{"roles": {"trainee": 1}}`: refused, `{"roles": [{"name": "trainee"}]}`: refused, `{"roles": null}`: pass, `{"roles": []}`: pass,
		},
		`{"role_claims": ["roles", "realm_access.roles"], "allow": [{"all_roles": ["a", "b"]}]}`: {
			`{"roles": ["a"], "realm_access": {"roles": ["b"]}}`: pass, `{"realm_access": {"roles": ["b", "a"]}}`: pass, `{"realm_access.roles": ["a", "b"]}`: pass,
			`{"realm_access": ["a", "b"]}`: refused, `{"roles": ["a", "b"], "realm_access": {"roles": {}}}`: refused,
		},
		`{"otherwise": "allow", "deny": [{"any_role": ["banned"]}]}`: {
			`{"roles": ["banned"]}`: refused, `{"roles": ["clerk"]}`: pass, "": pass, `{"roles": {"banned": true}}`: refused, `{"roles": {}}`: refused,
		},
		`{"otherwise": "allow", "deny": [{"every_consumer": true, "no_role": ["staff"]}]}`: {
			`{"roles": ["staff"]}`: pass, "": refused, `{"roles": {"staff": true}}`: refused,
		},
		`{"allow": [{"claims": [{"claim": "tenant", "any_of": ["a", "7", "true", ""]}]}]}`: {
			`{"tenant": "a"}`: pass, `{"tenant": ["x", "a"]}`: pass, `{"tenant": 7}`: pass, `{"tenant": true}`: pass, `{"tenant": ""}`: pass, `{"tenant": 7.0}`: refused,
			`{"tenant": "a b"}`: refused, `{"tenant": null}`: refused, `{"tenant": {"a": 1}}`: refused, `{}`: refused, "": refused, `{"Tenant": "a"}`: refused,
		},
		`{"allow": [{"claims": [{"claim": "groups", "all_of": ["a", "b"], "none_of": ["x"]}]}]}`: {
			`{"groups": ["a", "b", "c"]}`: pass, `{"groups": ["a", "b", "x"]}`: refused, `{"groups": ["a"]}`: refused, `{"groups": "a"}`: refused, `{"groups": ["a", "b", ["x"]]}`: refused,
		},
		`{"allow": [{"claims": [{"claim": "address.country", "any_of": ["DE"]}]}]}`: {
			`{"address": {"country": "DE"}}`: pass, `{"address.country": "DE"}`: pass, `{"address": {"country": "FR"}, "address.country": "DE"}`: pass,
			`{"address": {"country": "DE"}, "address.country": "FR"}`: refused, `{"address": "DE"}`: refused, `{"address": [{"country": "DE"}]}`: refused,
		},
		`{"allow": [{"claims": [{"claim": "mfa", "exists": true}]}]}`: {
			`{"mfa": {}}`: pass, `{"mfa": false}`: pass, `{"mfa": null}`: refused, `{}`: refused, "": refused,
		},
		`{"allow": [{"every_consumer": true, "claims": [{"claim": "act", "exists": false}]}]}`: {
			`{"act": {"sub": "x"}}`: refused, `{"act": null}`: pass, `{}`: pass, "": pass,
		},
		`{"allow": [{"every_consumer": true, "claims": [{"claim": "tenant", "none_of": ["test"]}]}]}`: {
			`{"tenant": "live"}`: pass, `{}`: pass, `{"tenant": ["live", "test"]}`: refused, `{"tenant": {"is": "test"}}`: refused,
		},
	} {
		stage := stageOf(t, config)
		for said, want := range tokens {
			if got := stage.Request(bearer(t, "GET", "/", said)) == nil; got != want {
				t.Errorf("%s lets %s pass: %v", config, said, got)
			}
		}
	}
}

func TestARuleSpeaksOfItsPathsAlone(t *testing.T) {
	stage := stageOf(t, `{
		"allow": [
			{"every_consumer": true, "methods": ["GET"], "paths": ["/orders", "/orders/{id}"]},
			{"any_scope": ["write"], "methods": ["POST", "PUT"], "paths": ["/orders/{id}/lines/{line}"]},
			{"every_consumer": true, "no_scope": ["sandbox"], "paths": ["/live"]}],
		"deny": [{"every_consumer": true, "paths": ["/orders/{id}/secret"]}]}`)
	for request, want := range map[string]bool{
		"GET /orders": true, "GET /orders/5": true, "GET /orders/": false, "GET /orders/5/": false, "GET /orders/5/6": false, "POST /orders/5": false,
		"PUT /orders/5/lines/1": true, "GET /orders/5/lines/1": false, "GET /orders/5/secret": false, "GET /orders/secret": true, "GET /live": true, "DELETE /live": true,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := stage.Request(bearer(t, method, path, "", "write")) == nil; got != want {
			t.Errorf("%s passes: %v", request, got)
		}
	}
	if stage.Request(bearer(t, "GET", "/live", "", "sandbox")) == nil {
		t.Error("a scope that callers must not have is let pass")
	}
	open := stageOf(t, `{"otherwise": "allow", "allow": [{"any_scope": ["write"], "methods": ["GET"], "paths": ["/orders/{id}"]}]}`)
	for request, want := range map[string]bool{"GET /orders/5": false, "GET /orders": true, "PUT /orders/5": true} {
		method, path, _ := strings.Cut(request, " ")
		if got := open.Request(bearer(t, method, path, "")) == nil; got != want {
			t.Errorf("%s, of which no rule speaks, passes: %v", request, got)
		}
	}
}

func TestARuleThatOnlyExcludesIsRefused(t *testing.T) {
	refuse := policyv1.Otherwise_OTHERWISE_REFUSE
	absent := false
	for name, config := range map[string]*policyv1.Acl{
		"no_scope":    {Allow: []*policyv1.AclRule{{NoScope: []string{"a"}}}},
		"no_role":     {RoleClaims: []string{"roles"}, Allow: []*policyv1.AclRule{{NoRole: []string{"a"}}}},
		"none_of":     {Deny: []*policyv1.AclRule{{Claims: []*policyv1.ClaimMatch{{Claim: "a", NoneOf: []string{"b"}}}}}},
		"absent":      {Deny: []*policyv1.AclRule{{Claims: []*policyv1.ClaimMatch{{Claim: "a", Exists: &absent}}}}},
		"no claim":    {Allow: []*policyv1.AclRule{{EveryConsumer: true, Claims: []*policyv1.ClaimMatch{{Claim: "a"}}}}},
		"both":        {Allow: []*policyv1.AclRule{{EveryConsumer: true, Claims: []*policyv1.ClaimMatch{{Claim: "a", Exists: &absent, NoneOf: []string{"b"}}}}}},
		"nil claim":   {Allow: []*policyv1.AclRule{{EveryConsumer: true, Claims: []*policyv1.ClaimMatch{nil}}}},
		"no template": {Allow: []*policyv1.AclRule{{EveryConsumer: true, Paths: []string{"/a/{"}}}},
		"roles where": {Allow: []*policyv1.AclRule{{AnyRole: []string{"a"}}}},
	} {
		config.Otherwise = &refuse
		if _, err := acl.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}

// Random rules and tokens: the verdict is the one that the documentation's sentences give, told by encoding/json's view of the token.
func TestVerdictsOnClaimsAreThoseOfTheSentences(t *testing.T) {
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 7))
		config := &policyv1.Acl{Otherwise: []policyv1.Otherwise{1, 2}[r.IntN(2)].Enum(), RoleClaims: [][]string{{"roles"}, {"roles", "realm.roles"}}[r.IntN(2)]}
		for range r.IntN(3) {
			config.Allow = append(config.Allow, randomRule(r))
		}
		for range r.IntN(2) {
			config.Deny = append(config.Deny, randomRule(r))
		}
		stage, err := acl.Binding.Compile(pipeline.Env{}, config)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range 4 {
			token := randomClaims(r)
			said, err := json.Marshal(token)
			if err != nil {
				t.Fatal(err)
			}
			method, path := []string{"GET", "PUT"}[r.IntN(2)], []string{"/a", "/a/b", "/c"}[r.IntN(3)]
			want := reference{token, config.GetRoleClaims(), method, path}.passes(config)
			if got := stage.Request(bearer(t, method, path, string(said), "s")) == nil; got != want {
				t.Fatalf("seed %d: %s %s with %s passes: %v\n%v", seed, method, path, said, got, config)
			}
		}
	}
}

func some(r *rand.Rand, from ...string) []string {
	return slices.DeleteFunc(from, func(string) bool { return r.IntN(3) > 0 })
}

func randomRule(r *rand.Rand) *policyv1.AclRule {
	rule := &policyv1.AclRule{
		Methods: some(r, "GET"), Paths: some(r, "/a", "/a/{x}"),
		AnyScope: some(r, "s", "u"), NoScope: some(r, "s"), AnyRole: some(r, "a", "b"), AllRoles: some(r, "a", "c"), NoRole: some(r, "c"),
	}
	if r.IntN(2) == 0 {
		match := &policyv1.ClaimMatch{Claim: []string{"t", "realm.t"}[r.IntN(2)], AnyOf: some(r, "a", "1"), AllOf: some(r, "a", "b"), NoneOf: some(r, "c", "true")}
		if len(match.AnyOf)+len(match.AllOf)+len(match.NoneOf) == 0 {
			exists := r.IntN(2) == 0
			match.Exists = &exists
		}
		rule.Claims = append(rule.Claims, match)
	}
	rule.EveryConsumer = true // beside anything, which only the contract forbids
	return rule
}

func randomValue(r *rand.Rand) any {
	one := func() any { return []any{"a", "b", "c", "a c", 1, true, nil}[r.IntN(7)] }
	switch r.IntN(6) {
	case 0:
		return map[string]any{"a": 1}
	case 1, 2:
		list := make([]any, r.IntN(4))
		for i := range list {
			list[i] = one()
		}
		return list
	default:
		return one()
	}
}

func randomClaims(r *rand.Rand) map[string]any {
	all, realm := map[string]any{}, map[string]any{}
	for _, name := range some(r, "roles", "t", "x") {
		all[name] = randomValue(r)
	}
	for _, name := range some(r, "roles", "t") {
		realm[name] = randomValue(r)
	}
	all["realm"] = realm
	return all
}

// reference says what becomes of a request, in the simplest words.
type reference struct {
	token        map[string]any
	roleClaims   []string
	method, path string
}

func (f reference) passes(config *policyv1.Acl) bool {
	spoken, allowed := false, false
	for _, rule := range config.GetDeny() {
		if f.speaks(rule) && f.matches(rule, true) {
			return false
		}
	}
	for _, rule := range config.GetAllow() {
		spoken = spoken || f.speaks(rule)
		allowed = allowed || f.speaks(rule) && f.matches(rule, false)
	}
	return allowed || !spoken && config.GetOtherwise() == policyv1.Otherwise_OTHERWISE_ALLOW
}

func (f reference) speaks(rule *policyv1.AclRule) bool {
	fits := func(p string) bool { return p == f.path || p == "/a/{x}" && f.path == "/a/b" }
	return (len(rule.GetMethods()) == 0 || slices.Contains(rule.GetMethods(), f.method)) && (len(rule.GetPaths()) == 0 || slices.ContainsFunc(rule.GetPaths(), fits))
}

func (f reference) matches(rule *policyv1.AclRule, doubt bool) bool {
	scopes := []string{"s"}
	if !between(scopes, rule.GetAnyScope(), rule.GetAllScopes(), rule.GetNoScope()) {
		return false
	}
	if len(rule.GetAnyRole())+len(rule.GetAllRoles())+len(rule.GetNoRole()) > 0 {
		var roles []string
		readable := true
		for _, name := range f.roleClaims {
			texts, ok := f.texts(name)
			readable = readable && ok
			if text, one := f.at(name).(string); one {
				texts = append(texts, strings.Split(text, " ")...)
			}
			roles = append(roles, texts...)
		}
		if holds := between(roles, rule.GetAnyRole(), rule.GetAllRoles(), rule.GetNoRole()); readable && !holds || !readable && !doubt {
			return false
		}
	}
	for _, match := range rule.GetClaims() {
		values, readable := f.texts(match.GetClaim())
		there := f.at(match.GetClaim()) != nil
		switch {
		case match.Exists != nil:
			if match.GetExists() != there {
				return false
			}
		case !readable:
			if !doubt {
				return false
			}
		case !between(values, match.GetAnyOf(), match.GetAllOf(), match.GetNoneOf()):
			return false
		}
	}
	return true
}

func (f reference) at(name string) any {
	if last, nested := strings.CutPrefix(name, "realm."); nested {
		return f.token["realm"].(map[string]any)[last]
	}
	return f.token[name]
}

// texts returns what a claim is or has; false: it has a form that nobody reads.
func (f reference) texts(name string) ([]string, bool) {
	switch v := f.at(name).(type) {
	case nil:
		return nil, true
	case map[string]any:
		return nil, false
	case []any:
		var all []string
		for _, item := range v {
			if item == nil {
				return nil, false
			}
			all = append(all, fmt.Sprint(item))
		}
		return all, true
	default:
		return []string{fmt.Sprint(v)}, true
	}
}

func between(has, some, all, none []string) bool {
	in := func(text string) bool { return slices.Contains(has, text) }
	return (len(some) == 0 || slices.ContainsFunc(some, in)) && !slices.ContainsFunc(all, func(text string) bool { return !in(text) }) && !slices.ContainsFunc(none, in)
}

// usual is a configuration as one would write it, and a token of 1 KB that only its last rule lets pass.
const usual = `{
	"role_claims": ["roles", "realm_access.roles"],
	"allow": [
		{"every_consumer": true, "methods": ["GET", "HEAD"], "paths": ["/orders/{id}"], "no_role": ["trainee"]},
		{"any_scope": ["orders:admin"], "methods": ["POST", "PUT"]},
		{"any_role": ["clerk", "manager"], "claims": [{"claim": "tenant", "any_of": ["acme", "umbrella"]}], "methods": ["POST"], "paths": ["/orders/{id}/lines"]}],
	"deny": [{"claims": [{"claim": "acr", "any_of": ["none"]}]}]}`

func usualRequest(t testing.TB) *pipeline.Exchange {
	t.Helper()
	return bearer(t, "POST", "/orders/5/lines", `{"iss": "https://id.example.com", "sub": "u-1", "aud": "orders", "exp": 1, "tenant": "umbrella", "acr": "mfa",
		"realm_access": {"roles": ["a", "b", "c", "manager"]}, "padding": "`+strings.Repeat("x", 700)+`"}`, "orders:read", "orders:write")
}

func TestADecisionByClaimsAllocatesNothing(t *testing.T) {
	stage, ex := stageOf(t, usual), usualRequest(t)
	if n := testing.AllocsPerRun(100, func() {
		if err := stage.Request(ex); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecisionByClaims(b *testing.B) {
	stage, ex := stageOf(b, usual), usualRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := stage.Request(ex); err != nil {
			b.Fatal(err)
		}
	}
}
