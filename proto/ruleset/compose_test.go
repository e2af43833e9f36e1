package ruleset_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"google.golang.org/protobuf/proto"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/ruleset"
)

func TestTheSameRulesHaveTheSameDigest(t *testing.T) {
	digest := func(config string) [32]byte { return compose(t, config).Digest() }
	plain := digest(`{}`)
	for name, config := range map[string]string{
		"defaults said":       `{"paranoia_level": 1, "inbound_threshold": 5, "outbound_threshold": 4}`,
		"a budget":            `{"budget": {"per_address": "1s"}}`,
		"samples":             `{"samples": {}}`,
		"sizes of bodies":     `{"request_body": {"max_bytes": 1, "beyond": "pass"}}`,
		"bodies ignored":      `{"request_body": {"ignore": true}}`,
		"answers":             `{"answers": {"bodies": true, "content_types": ["text/html"]}}`,
		"exceptions on paths": `{"exceptions": [{"rules": ["942100"], "paths": ["/a"]}]}`,
		"a comment":           `{"seclang_before": "# ours\n"}`,
	} {
		if digest(config) != plain {
			t.Errorf("%s: other rules", name)
		}
	}
	for name, config := range map[string]string{
		"paranoia":      `{"paranoia_level": 2}`,
		"threshold":     `{"inbound_threshold": 6}`,
		"outbound":      `{"outbound_threshold": 6}`,
		"methods":       `{"protocol": {"methods": ["GET"]}}`,
		"content types": `{"protocol": {"content_types": ["text/plain"]}}`,
		"arguments":     `{"protocol": {"max_arguments": 10}}`,
		"an exception":  `{"exceptions": [{"rules": ["942100"]}]}`,
		"a rule":        `{"rules_before": [{"message": "m", "conditions": [{"target": "path", "equals": "/"}]}]}`,
		"a raw rule":    `{"seclang_after": "SecMarker A"}`,
	} {
		if digest(config) == plain {
			t.Errorf("%s: the same rules", name)
		}
	}
	for _, same := range [][2]string{
		{`{"exceptions": [{"rules": ["942100", "942120"]}]}`, `{"exceptions": [{"rules": ["942120"], "reason": "why"}, {"rules": ["942099-942100"]}, {"rules": ["942100"], "targets": ["body"]}]}`},
		{`{"exceptions": [{"rules": ["942100"], "targets": ["argument:a", "argument:b"]}]}`, `{"exceptions": [{"rules": ["942100"], "targets": ["argument:b"]}, {"rules": ["942100"], "targets": ["argument:a"]}]}`},
		{`{"exceptions": [{"rules": ["942100"], "targets": ["argument:a"]}]}`, `{"seclang_after": "SecRuleUpdateTargetById 942100 \"!ARGS:a|!ARGS_GET:a|!ARGS_POST:a\""}`},
		{`{"protocol": {"methods": ["PUT", "GET"]}}`, `{"protocol": {"methods": ["GET", "PUT"]}}`},
		{`{"seclang_before": "SecAction \"id:1,phase:1,pass\""}`, `{"seclang_before": "# x\nsecaction \\\n  \"ID:'1', phase:1, pass\""}`},
	} {
		if digest(same[0]) != digest(same[1]) {
			t.Errorf("other rules:\n%s\n%s", same[0], same[1])
		}
	}
}

func TestSectionsStandInTheirOrder(t *testing.T) {
	rules := compose(t, `{"rules_before": [{"message": "b", "conditions": [{"target": "path", "equals": "/b"}]}], "rules_after": [{"message": "a", "conditions": [{"target": "path", "equals": "/a"}]}],
		"seclang_before": "SecMarker B", "seclang_after": "SecMarker A", "exceptions": [{"rules": ["942100"]}]}`)
	var names []string
	var text strings.Builder
	for _, section := range rules.Sections() {
		names = append(names, section.Name)
		text.WriteString(section.Text)
	}
	want := []string{"engine", "setup", "rules_before", "seclang_before", "core_rules", "rules_after", "seclang_after", "evaluation", "exceptions"}
	if !slices.Equal(names, want) || text.String() != rules.SecLang() {
		t.Errorf("%q", names)
	}
	if own := rules.Own(); strings.Contains(own, "Include") || strings.Contains(own, "942100") || !strings.Contains(own, "SecMarker \"A\"") {
		t.Errorf("its own: %s", own)
	}
}

func TestExceptionsKeepRulesFromWhatTheyNameAndFromNothingElse(t *testing.T) {
	const attack = "1%27%20OR%20%271%27%3D%271"
	inQuery := func(name string) request { return request{uri: "/a?" + name + "=" + attack} }
	for _, tt := range []struct {
		exceptions string
		request    request
		finds      bool // 942100
	}{
		{``, inQuery("comment"), true},
		{`{"rules": ["942100"], "targets": ["argument:comment"]}`, inQuery("comment"), false},
		{`{"rules": ["942100"], "targets": ["argument:comment"]}`, inQuery("Comment"), false},
		{`{"rules": ["942100"], "targets": ["argument:comment"]}`, inQuery("comments"), true},
		{`{"rules": ["942100"], "targets": ["argument:*"]}`, inQuery("comments"), false},
		{`{"rules": ["942100"], "targets": ["argument-name:comment", "cookie:comment", "header:comment"]}`, inQuery("comment"), true},
		{`{"rules": ["942100"], "targets": ["argument:a b"]}`, inQuery("a%20b"), false},
		{`{"rules": ["942100"], "targets": ["argument:a|b'\"/c$"]}`, inQuery("a%7Cb%27%22%2Fc%24"), false},
		{`{"rules": ["942100"], "targets": ["argument:a|b'\"/c$"]}`, inQuery("a"), true},
		{`{"rules": ["942100"], "targets": ["argument:größe"]}`, inQuery("gr%C3%B6%C3%9Fe"), false},
		{`{"rules": ["942100"], "targets": ["argument:X.Y"]}`, inQuery("x.y"), false},
		{`{"rules": ["942100"], "targets": ["argument:x.y"]}`, inQuery("xzy"), true},
		{`{"rules": ["942100"], "targets": ["argument:item.*.note"]}`, inQuery("item.12.note"), false},
		{`{"rules": ["942100"], "targets": ["argument:item.*.note"]}`, inQuery("item.1.2.note"), true},
		{`{"rules": ["942100"], "targets": ["argument:item.*"]}`, inQuery("xitem.1"), true},
		{`{"rules": ["942000-942999"], "targets": ["cookie:s"]}`, request{uri: "/", headers: map[string]string{"Cookie": "s=1' OR '1'='1"}}, false},
		{`{"rules": ["942000-942999"], "targets": ["cookie:t"]}`, request{uri: "/", headers: map[string]string{"Cookie": "s=1' OR '1'='1"}}, true},
		{`{"tags": ["attack-sqli"]}`, inQuery("comment"), false},
		{`{"tags": ["attack-sqli"], "rules": ["942120-942999"]}`, inQuery("comment"), true},
		{`{"rules": ["942100"], "paths": ["/a"]}`, inQuery("comment"), true}, // the stage's to apply
	} {
		waf, _ := load(t, compose(t, `{"exceptions": [`+tt.exceptions+`]}`))
		if found, _ := ask(t, waf, tt.request); slices.Contains(found, 942100) != tt.finds {
			t.Errorf("%s, %+v: found %v", tt.exceptions, tt.request, found)
		}
	}
}

func TestExceptionsNeverTakeOutWhatKeepsTheBooks(t *testing.T) {
	rules := compose(t, `{"paranoia_level": 1, "exceptions": [{"tags": ["OWASP_CRS"]}]}`)
	waf, loaded := load(t, rules)
	text := rules.SecLang()
	for _, rule := range ruleset.Known() {
		if removed := strings.Contains(text, fmt.Sprintf("SecRuleRemoveById %d\n", rule.ID)); removed == rule.Bookkeeping && rule.ID != 920539 {
			t.Errorf("%d (bookkeeping: %t) is removed: %t", rule.ID, rule.Bookkeeping, removed)
		}
	}
	if len(loaded) < 500 {
		t.Errorf("%d rules were read", len(loaded))
	}
	if found, blocked := ask(t, waf, request{uri: "/?a=1%27%20OR%20%271%27%3D%271"}); blocked || len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// 920539 skips the rule behind it on every JSON body. Without 920540 it would skip the next one.
func TestARuleThatSkipsGoesWithTheOneThatItSkips(t *testing.T) {
	rules := compose(t, `{"exceptions": [{"rules": ["920540"]}]}`)
	if text := rules.SecLang(); !strings.Contains(text, "SecRuleRemoveById 920539\nSecRuleRemoveById 920540\n") {
		t.Errorf("%d stays without %d: %s", 920539, 920540, text[len(text)-200:])
	}
	conditional := compose(t, `{"exceptions": [{"rules": ["920540"], "paths": ["/a"]}, {"rules": ["920540"], "paths": ["/b"], "targets": ["argument:x"]}]}`).Exceptions()
	if !slices.Equal(conditional[0].Rules, []int{920539, 920540}) || !slices.Equal(conditional[1].Rules, []int{920540}) {
		t.Errorf("%+v", conditional)
	}
}

func TestExceptionsOnPathsHoldForThosePaths(t *testing.T) {
	exception := compose(t, `{"exceptions": [{"rules": ["942100"], "targets": ["argument:x", "body"], "paths": ["/a", "/b/*", "/c*"]}]}`).Exceptions()[0]
	if want := []ruleset.Target{{Part: "argument", Name: "x"}, {Part: "body"}}; !slices.Equal(exception.Targets, want) {
		t.Errorf("%+v", exception)
	}
	for path, want := range map[string]bool{"/a": true, "/a/": false, "/ab": false, "/b": false, "/b/": true, "/b/x/y": true, "/c": true, "/cd": true, "/": false} {
		if exception.Holds(path) != want {
			t.Errorf("%s: %t", path, !want)
		}
	}
}

// 920370 is a chain whose second link measures arguments.
func TestExceptionsFromWhatLaterLinksLookAtAreAppliedByRequest(t *testing.T) {
	all := compose(t, `{"exceptions": [{"rules": ["920370", "942100"], "targets": ["argument:long"]}, {"rules": ["920370"], "targets": ["cookie:c"]}]}`).Exceptions()
	if len(all) != 1 || !slices.Equal(all[0].Rules, []int{920370}) || !slices.Equal(all[0].Targets, []ruleset.Target{{Part: "argument", Name: "long"}}) || !all[0].Holds("/anywhere") {
		t.Errorf("%+v", all)
	}
}

// FuzzTargets: a name becomes one word of SecLang that means that name, whatever it is.
func FuzzTargets(f *testing.F) {
	for _, name := range []string{"a", "a b", "a|b", "/a/", "a/b", "'a'", "\"a\"", "a,b", "\\", "a\\/", "*", "a*", "ä", "!a", "&a", "a:b", "$", "(?i)a", "[", "a\u0085", "a\u00a0b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, given string) {
		part, name, err := ruleset.ParseTarget("argument:" + given)
		if err != nil || name == "" {
			return
		}
		for _, variable := range ruleset.Variables(part, name) {
			if strings.ContainsFunc(variable, unicode.IsSpace) || strings.ContainsAny(variable, "\"'|,`") {
				t.Fatalf("%q is written %q", given, variable)
			}
			_, key, _ := strings.Cut(variable, ":")
			pattern, isPattern := strings.CutPrefix(key, "/")
			if !isPattern {
				if key != name {
					t.Fatalf("%q is written %q", given, variable)
				}
				continue
			}
			compiled, err := regexp.Compile(strings.TrimSuffix(pattern, "/"))
			if err != nil || strings.Contains(strings.TrimSuffix(pattern, "/"), "/") {
				t.Fatalf("%q is written %q: %v", given, variable, err)
			}
			if literal := !strings.Contains(name, "*"); !compiled.MatchString(name) || literal && (compiled.MatchString(name+"x") || compiled.MatchString("x"+name)) {
				t.Fatalf("%q is written %q, which matches another", given, variable)
			}
		}
	})
}

func TestWhatCantBeComposedNamesItsField(t *testing.T) {
	for config, says := range map[string]string{
		`{"exceptions": [{"rules": ["942100"]}, {"rules": ["1"]}]}`:                                                      "exceptions[1]: there is no rule 1",
		`{"exceptions": [{"rules": ["949110"]}]}`:                                                                        "exceptions[0]: rule 949110 finds nothing",
		`{"exceptions": [{}]}`:                                                                                           "exceptions[0]: neither rules nor tags",
		`{"exceptions": [{"rules": ["942100"], "targets": ["method"]}]}`:                                                 `exceptions[0]: target "method"`,
		`{"rules_after": [{"message": "m", "conditions": [{"target": "path", "matches": "("}]}]}`:                        "rules_after[0]: conditions[0]: matches: missing closing )",
		`{"rules_before": [{"message": "m", "conditions": [{"target": "path", "within": {"ranges": ["10.0.0.0/8"]}}]}]}`: "rules_before[0]: conditions[0]: within",
		`{"seclang_before": "\nSecRuleEngine Off"}`:                                                                      "seclang_before: line 2",
	} {
		if _, err := ruleset.Compose(read(t, config)); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%s: %v", config, err)
		}
	}
	if _, err := ruleset.Compose(&policyv1.Waf{RulesBefore: []*policyv1.WafRule{{Message: "m"}}}); err == nil {
		t.Error("a rule without conditions")
	}
}

func TestComposingChangesNothing(t *testing.T) {
	config := read(t, `{"protocol": {"methods": ["PUT", "GET"], "content_types": ["text/plain", "application/json"]}, "exceptions": [{"rules": ["942120", "942100"], "targets": ["path", "body"]}]}`)
	before := proto.Clone(config)
	if _, err := ruleset.Compose(config); err != nil || !proto.Equal(before, config) {
		t.Errorf("%v: %v", err, config)
	}
}

func TestTargetsAreReadAndWrittenAsSecLangReadsThem(t *testing.T) {
	for text, want := range map[string][]string{
		"argument:comment":          {"ARGS:comment", "ARGS_GET:comment", "ARGS_POST:comment"},
		"argument":                  {"ARGS", "ARGS_GET", "ARGS_POST"},
		"argument:*":                {"ARGS", "ARGS_GET", "ARGS_POST"},
		"cookie:session":            {"REQUEST_COOKIES:session"},
		"cookie-name:*":             {"REQUEST_COOKIES_NAMES"},
		"header:X-Query":            {"REQUEST_HEADERS:X-Query"},
		"header-name:X-Query":       {"REQUEST_HEADERS_NAMES:X-Query"},
		"argument:json.items.*.q x": {`ARGS:/(?i)^json\x2eitems\x2e[^.]*\x2eq\x20x$/`, `ARGS_GET:/(?i)^json\x2eitems\x2e[^.]*\x2eq\x20x$/`, `ARGS_POST:/(?i)^json\x2eitems\x2e[^.]*\x2eq\x20x$/`},
		"query":                     {"QUERY_STRING"},
	} {
		part, name, err := ruleset.ParseTarget(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got := ruleset.Variables(part, name); !slices.Equal(got, want) {
			t.Errorf("%s: %q", text, got)
		}
		for _, variable := range want {
			variable, _, _ = strings.Cut(variable, ":")
			if ruleset.PartOf(variable) != part {
				t.Errorf("%s is of %q", variable, ruleset.PartOf(variable))
			}
		}
	}
	for _, text := range []string{"", ":", "argument:", "nothing", "path:x", "body:*", "Argument:x", "argument:a\nb", "argument:\xff", "argument:" + strings.Repeat("x", 300)} {
		if part, name, err := ruleset.ParseTarget(text); err == nil {
			t.Errorf("%q is read as %q, %q", text, part, name)
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	config := read(b, `{"exceptions": [{"tags": ["attack-sqli"], "targets": ["argument:q"]}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ruleset.Compose(config); err != nil {
			b.Fatal(err)
		}
	}
}
