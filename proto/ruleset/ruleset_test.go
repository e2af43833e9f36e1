package ruleset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/types"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// read returns a configuration with its defaults.
func read(t testing.TB, text string) *policyv1.Waf {
	t.Helper()
	var given policyv1.Waf
	if violations := resource.Decode([]byte(text), &given); len(violations) > 0 {
		t.Fatalf("%s: %v", text, violations)
	}
	return resource.Defaulted(&given)
}

func compose(t testing.TB, text string) *ruleset.Rules {
	t.Helper()
	rules, err := ruleset.Compose(read(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return rules
}

// load has Coraza load rules, and returns what it loaded.
func load(t testing.TB, rules *ruleset.Rules) (coraza.WAF, []types.RuleMetadata) {
	t.Helper()
	var loaded []types.RuleMetadata
	config := experimental.WAFConfigWithRuleObserver(coraza.NewWAFConfig().WithRootFS(rules.FS()), func(r types.RuleMetadata) { loaded = append(loaded, r) })
	waf, err := coraza.NewWAF(config.WithDirectives(rules.SecLang()))
	if err != nil {
		t.Fatalf("%v\n%s", err, rules.SecLang())
	}
	t.Cleanup(func() { waf.(experimental.WAFCloser).Close() })
	return waf, loaded
}

// request is one as engines are told of it.
type request struct {
	method, uri string
	headers     map[string]string
	body        string
}

// ask returns the rules that found something, and whether the request is to be refused.
func ask(t testing.TB, waf coraza.WAF, r request) (found []int, blocked bool) {
	t.Helper()
	tx := waf.NewTransaction()
	defer tx.Close()
	tx.ProcessConnection("192.0.2.7", 40000, "", 0)
	method := r.method
	if method == "" {
		method = "GET"
	}
	tx.ProcessURI(r.uri, method, "HTTP/1.1")
	headers := map[string]string{"Host": "shop.example.com", "User-Agent": "Mozilla/5.0", "Accept": "*/*"}
	for name, value := range r.headers {
		headers[name] = value
	}
	for name, value := range headers {
		if value != "" {
			tx.AddRequestHeader(name, value)
		}
	}
	interruption := tx.ProcessRequestHeaders()
	if interruption == nil && r.body != "" {
		if _, _, err := tx.WriteRequestBody([]byte(r.body)); err != nil {
			t.Fatal(err)
		}
	}
	if interruption == nil {
		var err error
		if interruption, err = tx.ProcessRequestBody(); err != nil {
			t.Fatal(err)
		}
	}
	for _, matched := range tx.MatchedRules() {
		if rule, known := know(matched.Rule().ID()); matched.Message() != "" && !(known && rule.Bookkeeping) {
			found = append(found, matched.Rule().ID())
		}
	}
	slices.Sort(found)
	return slices.Compact(found), interruption != nil
}

func know(id int) (ruleset.Rule, bool) {
	i := slices.IndexFunc(ruleset.Known(), func(r ruleset.Rule) bool { return r.ID == id })
	if i < 0 {
		return ruleset.Rule{}, false
	}
	return ruleset.Known()[i], true
}

func TestAnInjectionIsRefusedAndAnOrdinaryRequestIsNot(t *testing.T) {
	waf, _ := load(t, compose(t, `{}`))
	if found, blocked := ask(t, waf, request{uri: "/orders?id=1%27%20OR%20%271%27%3D%271"}); !blocked || !slices.Contains(found, 942100) {
		t.Errorf("found %v, blocked: %t", found, blocked)
	}
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		if found, blocked := ask(t, waf, request{method: method, uri: "/orders?id=1", headers: map[string]string{"Content-Length": "0"}}); blocked || len(found) > 0 {
			t.Errorf("%s: found %v, blocked: %t", method, found, blocked)
		}
	}
}

func TestWhatIsKnownOfTheCoreRuleSetIsWhatTheEngineLoads(t *testing.T) {
	_, loaded := load(t, compose(t, `{}`))
	byID := map[int]types.RuleMetadata{}
	for _, rule := range loaded {
		if rule.ID() >= 901000 && rule.ID() < 1_000_000 {
			byID[rule.ID()] = rule
		}
	}
	known := ruleset.Known()
	if len(known) != len(byID) || len(known) < 500 {
		t.Fatalf("%d rules are known, %d were loaded", len(known), len(byID))
	}
	for _, rule := range known {
		loaded, ok := byID[rule.ID]
		if !ok {
			t.Errorf("%d isn't loaded", rule.ID)
			continue
		}
		if int(loaded.Phase()) != rule.Phase || !slices.Equal(loaded.Tags(), rule.Tags) ||
			rule.Severity != "" && !strings.EqualFold(rule.Severity, loaded.Severity().String()) {
			t.Errorf("%+v, but loaded as phase %d, %v, %s", rule, loaded.Phase(), loaded.Tags(), loaded.Severity())
		}
		if !rule.Bookkeeping && (rule.Message == "" || rule.Paranoia < 1 || rule.Paranoia > 4) {
			t.Errorf("%+v finds something, and says nothing", rule)
		}
	}
	if !slices.IsSortedFunc(known, func(a, b ruleset.Rule) int { return a.ID - b.ID }) {
		t.Error("they aren't sorted")
	}
}
