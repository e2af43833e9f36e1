package ruleset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// own composes one rule, in front of the Core Rule Set.
func own(t testing.TB, rule string) *ruleset.Rules {
	t.Helper()
	return compose(t, `{"rules_before": [`+rule+`]}`)
}

func TestConditionsHoldOfWhatTheySay(t *testing.T) {
	for _, tt := range []struct {
		condition string
		request   request
		blocked   bool
	}{
		{`{"target": "path", "equals": "/a.b"}`, request{uri: "/a.b?c=d"}, true},
		{`{"target": "path", "equals": "/a.b"}`, request{uri: "/axb"}, false},
		{`{"target": "path", "equals": "/a"}`, request{uri: "/A"}, false},
		{`{"target": "path", "equals": "/a", "ignore_case": true}`, request{uri: "/A"}, true},
		{`{"target": "path", "begins_with": "/a "}`, request{uri: "/a%20b"}, true},
		{`{"target": "path", "begins_with": "a"}`, request{uri: "/a"}, false},
		{`{"target": "query", "contains": "x=%41"}`, request{uri: "/?x=%41"}, true},
		{`{"target": "argument:q", "contains": "%{TX.1}\"'\\,:;#` + "`" + `"}`, request{uri: "/?q=a%25%7BTX.1%7D%22%27%5C%2C%3A%3B%23%60b"}, true},
		{`{"target": "argument:q", "contains": "%{REMOTE_ADDR}"}`, request{uri: "/?q=192.0.2.7"}, false},
		{`{"target": "argument:q", "equals": "größe"}`, request{uri: "/?q=gr%C3%B6%C3%9Fe"}, true},
		{`{"target": "argument:q", "matches": "^a.b$"}`, request{uri: "/?q=a%0Ab"}, true},
		{`{"target": "argument:q", "matches": "^[a-z]+$"}`, request{uri: "/?q=abc%0A%3Cscript"}, false},
		{`{"target": "argument:q", "matches": "\\Q\"'a\\E|[\"` + "`" + `#]$"}`, request{uri: "/?q=x%23"}, true},
		{`{"target": "argument:q", "matches": " a "}`, request{uri: "/?q=x%20a%20y"}, true},
		{`{"target": "argument:q", "matches": " a "}`, request{uri: "/?q=xay"}, false},
		{`{"target": "argument:q", "matches": "ABC", "ignore_case": true}`, request{uri: "/?q=xabcx"}, true},
		{`{"target": "argument:q", "longer_than": 3}`, request{uri: "/?q=abc"}, false},
		{`{"target": "argument:q", "longer_than": 3}`, request{uri: "/?q=abcd"}, true},
		{`{"target": "argument:q", "longer_than": 3, "not": true}`, request{uri: "/?q=abc"}, true},
		{`{"target": "body", "longer_than": 3}`, request{method: "POST", uri: "/", headers: form, body: "a=bc"}, true},
		{`{"target": "body", "longer_than": 4}`, request{method: "POST", uri: "/", headers: form, body: "a=bc"}, false},
		{`{"target": "body", "contains": "needle"}`, request{method: "POST", uri: "/", headers: json, body: `{"a":{"b":["hay","needle"]}}`}, true},
		{`{"target": "body", "contains": "needle"}`, request{method: "POST", uri: "/?needle=needle", headers: json, body: `{"a":{"b":["hay"]}}`}, false},
		{`{"target": "argument:json.a.*", "equals": "x"}`, request{method: "POST", uri: "/", headers: json, body: `{"a":["y","x"]}`}, true},
		{`{"target": "header:x-probe", "equals": "1"}`, request{uri: "/", headers: map[string]string{"X-Probe": "1"}}, true},
		{`{"target": "header:X-Token", "equals": "s", "not": true}`, request{uri: "/", headers: map[string]string{"X-Token": "s"}}, false},
		{`{"target": "header:X-Token", "equals": "s", "not": true}`, request{uri: "/", headers: map[string]string{"X-Token": "t"}}, true},
		{`{"target": "header:X-Token", "equals": "s", "not": true}`, request{uri: "/"}, true}, // not there at all
		{`{"target": "argument:*", "equals": "s", "not": true}`, request{uri: "/?a=s&b=t"}, false},
		{`{"target": "cookie:s", "equals": "1"}`, request{uri: "/", headers: map[string]string{"Cookie": "s=1"}}, true},
		{`{"target": "cookie-name:*", "equals": "s"}`, request{uri: "/", headers: map[string]string{"Cookie": "s=1"}}, true},
		{`{"target": "header-name:*", "equals": "x-probe", "ignore_case": true}`, request{uri: "/", headers: map[string]string{"X-Probe": "1"}}, true},
		{`{"target": "method", "equals": "PUT"}`, request{method: "PUT", uri: "/"}, true},
		{`{"target": "protocol", "equals": "HTTP/1.1"}`, request{uri: "/"}, true},
		{`{"target": "address", "within": {"ranges": ["192.0.2.0/24"]}}`, request{uri: "/"}, true},
		{`{"target": "address", "within": {"ranges": ["198.51.100.0/24", "2001:db8::/32"]}}`, request{uri: "/"}, false},
		{`{"target": "address", "within": {"ranges": ["198.51.100.0/24"]}, "not": true}`, request{uri: "/"}, true},
		{`{"target": "argument:q", "sql_injection": true}`, request{uri: "/?q=1%27%20or%20%271%27=%271"}, true},
		{`{"target": "argument:q", "cross_site_scripting": true}`, request{uri: "/?q=%3Cscript%3E"}, true},
		{`{"target": "argument:q", "cross_site_scripting": true}`, request{uri: "/?q=script"}, false},
	} {
		waf, _ := loadOwn(t, own(t, `{"message": "m", "conditions": [`+tt.condition+`]}`))
		if found, blocked := ask(t, waf, tt.request); blocked != tt.blocked || slices.Contains(found, 5_000_000) != tt.blocked {
			t.Errorf("%s, %+v: found %v, blocked: %t", tt.condition, tt.request, found, blocked)
		}
	}
}

var (
	form = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	json = map[string]string{"Content-Type": "application/json"}
)

func TestAllConditionsMustHold(t *testing.T) {
	waf, _ := loadOwn(t, own(t, `{"message": "m", "conditions": [{"target": "method", "equals": "GET"}, {"target": "argument:a", "equals": "1", "not": true}, {"target": "argument:b", "equals": "2"}]}`))
	for query, want := range map[string]bool{"b=2": true, "a=1&b=2": false, "a=2&b=2": true, "b=3": false, "": false} {
		if _, blocked := ask(t, waf, request{uri: "/?" + query}); blocked != want {
			t.Errorf("%s: %t", query, blocked)
		}
	}
}

func TestWhatFollowsFromARule(t *testing.T) {
	const attack = "&x=1%27%20OR%20%271%27%3D%271"
	rule := func(field, action string) string {
		return fmt.Sprintf(`{%q: [{"message": "it's \"mine\", 100%% \\ sure", %s, "conditions": [{"target": "argument:q", "equals": "1"}]}]}`, field, action)
	}
	for _, tt := range []struct {
		field, action, query string
		found, blocked       bool
	}{
		{"rules_before", `"action": "block"`, "q=1", true, true},
		{"rules_after", `"action": "block"`, "q=1", true, true},
		{"rules_before", `"action": "note"`, "q=1", true, false},
		{"rules_after", `"action": "note"`, "q=1", true, false},
		{"rules_before", `"action": "score", "score": 4`, "q=1", true, false},
		{"rules_before", `"action": "score"`, "q=1", true, true},
		{"rules_after", `"action": "score"`, "q=1", true, true}, // counts, although it runs behind
		{"rules_after", `"action": "score"`, "q=2", false, false},
		{"rules_before", `"action": "pass"`, "q=1" + attack, true, false},
		{"rules_before", `"action": "pass"`, "q=2" + attack, false, true},
		{"rules_after", `"action": "pass"`, "q=1" + attack, true, false},
	} {
		rules := compose(t, rule(tt.field, tt.action))
		waf, _ := load(t, rules)
		id := 5_000_000
		if tt.field == "rules_after" {
			id = 5_100_000
		}
		if found, blocked := ask(t, waf, request{uri: "/?" + tt.query}); slices.Contains(found, id) != tt.found || blocked != tt.blocked {
			t.Errorf("%s %s, %s: found %v, blocked: %t", tt.field, tt.action, tt.query, found, blocked)
		}
		if behind, index, ok := ruleset.Own(id); !ok || behind != (tt.field == "rules_after") || index != 0 || ruleset.Bookkeeping(id) || !ruleset.Bookkeeping(id+1) {
			t.Errorf("%d isn't told to be a rule of its own", id)
		}
	}
	if rules := compose(t, rule("rules_before", `"action": "score", "score": 7`)); rules.Score(5_000_000) != 7 || rules.Score(942100) != 0 {
		t.Errorf("scores %d", rules.Score(5_000_000))
	}
	waf, _ := load(t, compose(t, rule("rules_before", `"action": "block"`)))
	tx := waf.NewTransaction()
	defer tx.Close()
	tx.ProcessURI("/?q=1", "GET", "HTTP/1.1")
	tx.ProcessRequestHeaders()
	if _, err := tx.ProcessRequestBody(); err != nil {
		t.Fatal(err)
	}
	if matched := tx.MatchedRules(); !strings.Contains(matched[len(matched)-1].Message(), "it’s ”mine”, 100％ ⧵ sure") {
		t.Errorf("it says %q", matched[len(matched)-1].Message())
	}
}

// FuzzTypedRules: whatever people write into a rule, the engine loads the rules that are meant, and no other.
func FuzzTypedRules(f *testing.F) {
	for _, text := range []string{
		"plain", `"`, `'`, `\`, `\"`, `\'`, "`", "a\nSecRuleEngine Off", "',deny,exec:/bin/sh,msg:'", `" "id:1,phase:1,exec:/bin/sh"`, "%{ENV.PATH}", "%{", "#", " ", "\\\n", "\u0085", "\u2028",
		"é", "\u00a0x\u00a0", "|!ARGS", "/x/", "x:y", "*", "a*b", "(?i)a", "[\"']", `\Q"\E`, "a\x00b", "x\\", ",", "setvar:tx.a=1", "1-2", "|", "&", "XML:/*", "\ufeff",
	} {
		f.Add(text, text, text, uint8(0))
		f.Add("m", text, "n", uint8(3))
	}
	f.Fuzz(func(t *testing.T, message, name, text string, how uint8) {
		if len(message)+len(name)+len(text) > 1000 || !utf8.ValidString(message+name+text) {
			return // no message of the contract's holds it
		}
		condition := &policyv1.WafCondition{Target: "argument:" + name, Not: how&16 != 0, IgnoreCase: how&32 != 0}
		switch how % 4 {
		case 0:
			condition.Compare = &policyv1.WafCondition_Equals{Equals: text}
		case 1:
			condition.Compare = &policyv1.WafCondition_Contains{Contains: text}
		case 2:
			condition.Compare = &policyv1.WafCondition_BeginsWith{BeginsWith: text}
		case 3:
			condition.Compare = &policyv1.WafCondition_Matches{Matches: text}
		}
		rule := &policyv1.WafRule{Message: message, Conditions: []*policyv1.WafCondition{condition, {Target: "method", Compare: &policyv1.WafCondition_Equals{Equals: "PUT"}}}}
		rules, err := ruleset.Compose(&policyv1.Waf{RulesBefore: []*policyv1.WafRule{rule}})
		if err != nil || message == "" {
			return // refused, with a reason
		}
		var ids []int
		_, loaded := loadOwn(t, rules)
		for _, one := range loaded {
			if one.ID() >= 5_000_000 && one.ID() < 5_900_000 {
				ids = append(ids, one.ID())
			}
		}
		want := []int{5_000_000}
		if condition.GetNot() {
			want = []int{5_000_001, 5_000_000}
		}
		if !slices.Equal(ids, want) || len(loaded) != plainRules(t)+len(want) {
			t.Errorf("loaded %v of %d\n%s", ids, len(loaded), rules.Own())
		}
	})
}
