package acl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/policy/acl"
	"github.com/sallyport/sallyport/proto/resource"
)

// read returns a configuration as the kind's functions get it.
func read(t *testing.T, text string) *policyv1.Acl {
	t.Helper()
	var given policyv1.Acl
	if violations := resource.Decode([]byte(text), &given); len(violations) > 0 {
		t.Fatalf("%s: %v", text, violations)
	}
	return resource.Defaulted(&given)
}

func plain(id string) string { return strings.TrimPrefix(id, "con_") }

func TestTheRulesAreToldInWords(t *testing.T) {
	config := read(t, `{
		"allow": [
			{"methods": ["GET", "HEAD"], "paths": ["/orders", "/orders/{id}"], "consumers": ["con_shop", "con_app"]},
			{"labels": [{"key": "tier", "values": ["gold", "silver"]}], "any_scope": ["a", "b"], "all_scopes": ["c"], "no_scope": ["d"]},
			{"methods": ["POST"], "any_role": ["clerk"], "all_roles": ["x", "y", "z"], "no_role": ["t"]},
			{"claims": [{"claim": "a", "exists": true}, {"claim": "b", "any_of": ["1", "2"]}, {"claim": "c", "all_of": ["3"], "none_of": ["4"]}, {"claim": "d", "exists": false}]},
			{"any_scope": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]}],
		"deny": [{"every_consumer": true, "paths": ["/admin/{action}"], "no_role": ["admin"]}]}`)
	var said []string
	for _, s := range acl.Kind.Access(config, plain) {
		said = append(said, s.Part.String()+" "+s.Code+": "+s.Text)
	}
	want := []string{
		`demand rule_denies: Requests for "/admin/{action}" are refused to every consumer, without the role "admin".`,
		`demand rule_allows: GET and HEAD requests for "/orders" or "/orders/{id}" pass for consumers who are "shop" or "app".`,
		`demand rule_allows: Requests pass for consumers whose label "tier" is "gold" or "silver" and with the scope "a" or "b" and with the scope "c" and without the scope "d".`,
		`demand rule_allows: POST requests pass for consumers with the role "clerk" and with the roles "x", "y" and "z" and without the role "t".`,
		`demand rule_allows: Requests pass for consumers with the claim "a" and whose claim "b" is or has "1" or "2" and whose claim "c" has "3" and whose claim "c" neither is nor has "4" and without the claim "d".`,
		`demand rule_allows: Requests pass for consumers with the scope "1", "2", "3", "4", "5", "6", "7", "8" or 2 more.`,
		`demand otherwise_refused: What no rule allows is refused.`,
		`demand roles: Roles are those of the token's claims "roles".`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	if all := acl.Kind.Access(read(t, `{}`), plain); len(all) != 1 || all[0].Text != "No request passes, since no rule allows one." {
		t.Errorf("of no rule: %+v", all)
	}
}

func TestEffectsNameTheRulesThatComeAndGo(t *testing.T) {
	before := read(t, `{"allow": [{"every_consumer": true, "methods": ["GET"]}, {"any_scope": ["write"]}], "deny": [{"any_role": ["banned"]}]}`)
	after := read(t, `{"role_claims": ["groups"], "otherwise": "allow", "allow": [{"any_scope": ["write"]}, {"every_consumer": true, "methods": ["GET"], "no_role": ["trainee"]}]}`)
	if got, want := tell(acl.Kind.Effects(before, after)), `danger rule_allows: GET requests pass for every consumer, without the role "trainee"
danger rule_allowed: GET requests no longer pass for every consumer
danger rule_denied: requests no longer are refused to consumers with the role "banned"
danger otherwise_allowed: requests of which no rule speaks pass for every consumer
danger roles_elsewhere: roles are read from "groups"
`; got != want {
		t.Errorf("said\n%s", got)
	}
	if got, want := tell(acl.Kind.Effects(nil, before)), `attention rule_allows: GET requests pass for every consumer
attention rule_allows: requests pass for consumers with the scope "write"
attention rule_denies: requests are refused to consumers with the role "banned"
`; got != want {
		t.Errorf("of a policy that comes:\n%s", got)
	}
	if n := len(acl.Kind.Effects(before, before)) + len(acl.Kind.Effects(nil, nil)); n != 0 {
		t.Errorf("%d effects of nothing", n)
	}
}

func tell(effects []policy.Effect) string {
	var said strings.Builder
	for _, e := range effects {
		fmt.Fprintf(&said, "%s %s: %s\n", e.Severity, e.Code, e.Text)
	}
	return said.String()
}

func TestWhoPassesIsToldWhereItDoesNotDependOnTheRequest(t *testing.T) {
	key := func(method, consumer string, scopes ...string) policy.Caller {
		return policy.Caller{Consumer: consumer, Labels: map[string]string{"tier": "gold"}, Method: method, Scopes: scopes}
	}
	token := policy.Caller{Consumer: "con_a", Method: "GET", Token: true}
	const never, depends, admits = policy.Never, policy.Depends, policy.Admits
	for config, callers := range map[string][]struct {
		caller policy.Caller
		want   policy.Admission
	}{
		`{}`:                     {{key("GET", "con_a"), never}, {token, never}},
		`{"otherwise": "allow"}`: {{key("GET", "con_a"), admits}, {token, admits}},
		`{"allow": [{"consumers": ["con_a"], "methods": ["GET"]}]}`: {{key("GET", "con_a"), admits}, {key("PUT", "con_a"), never}, {key("GET", "con_b"), never}, {token, admits}},
		`{"allow": [{"labels": [{"key": "tier", "values": ["gold"]}], "any_scope": ["a", "b"], "no_scope": ["c"]}]}`: {
			{key("GET", "con_a", "b"), admits}, {key("GET", "con_a"), never}, {key("GET", "con_a", "a", "c"), never}, {token, never},
		},
		`{"allow": [{"any_scope": ["a"]}]}`:                                                                     {{token, depends}, {key("GET", "con_a", "x"), never}},
		`{"allow": [{"any_role": ["a"]}]}`:                                                                      {{token, depends}, {key("GET", "con_a"), never}},
		`{"allow": [{"claims": [{"claim": "a", "any_of": ["b"]}]}]}`:                                            {{token, depends}, {key("GET", "con_a"), never}},
		`{"allow": [{"every_consumer": true, "claims": [{"claim": "a", "none_of": ["b"]}], "no_role": ["c"]}]}`: {{token, depends}, {key("GET", "con_a"), admits}},
		`{"allow": [{"every_consumer": true, "paths": ["/a"]}]}`:                                                {{key("GET", "con_a"), depends}, {token, depends}},
		`{"otherwise": "allow", "allow": [{"consumers": ["con_b"], "paths": ["/a"]}]}`:                          {{key("GET", "con_a"), depends}},
		`{"otherwise": "allow", "allow": [{"consumers": ["con_b"], "methods": ["GET"]}]}`:                       {{key("GET", "con_a"), never}, {key("PUT", "con_a"), admits}},
		`{"otherwise": "allow", "deny": [{"consumers": ["con_a"]}]}`:                                            {{key("GET", "con_a"), never}, {key("GET", "con_b"), admits}, {token, never}},
		`{"otherwise": "allow", "deny": [{"every_consumer": true, "paths": ["/a"]}]}`:                           {{key("GET", "con_a"), depends}},
		`{"deny": [{"any_role": ["a"]}]}`:                                                                       {{token, never}},
		`{"otherwise": "allow", "deny": [{"any_role": ["a"]}]}`:                                                 {{token, depends}, {key("GET", "con_a"), admits}},
	} {
		for _, c := range callers {
			if got := acl.Kind.Admits(read(t, config))(c.caller); got != c.want {
				t.Errorf("%s, %+v: %s, not %s", config, c.caller, got, c.want)
			}
		}
	}
}
