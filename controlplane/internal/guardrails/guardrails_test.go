package guardrails

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/catalog/catalogtest"
)

// configuration is two services with two routes each, and what is given beside them.
func configuration(rest string) string {
	return `{"services":[{"name":"s0","upstream":{"targets":[{"address":"a:80"}]}},{"name":"s1","upstream":{"targets":[{"address":"a:80"}]}}],
		"routes":[` + route("r0", "s0") + `,` + route("r1", "s0") + `,` + route("r2", "s1") + `,` + route("r3", "s1") + `]` + rest + `}`
}

func route(name, service string) string {
	return fmt.Sprintf(`{"name":%q,"service":%q,"public":true,"paths":[{"prefix":"/%s"}]}`, name, service, name)
}

func rail(name, collection, rule string) string {
	return fmt.Sprintf(`{"name":%q,"applies_to":%q,"rule":%q,"message":"{name} is wrong"}`, name, collection, rule)
}

func limit(attached string, requests int) string {
	return fmt.Sprintf(`,"policies":[{"name":"limit","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":%d,"window":"1s"}]},"attached_to":[%s]}]`, requests, attached)
}

// changed returns what the change from one configuration to another breaks, as "guardrail object cause", sorted.
func changed(t *testing.T, before, after string) []string {
	t.Helper()
	base := catalogtest.Head(t, catalogtest.Parse(t, before))
	var found []string
	for _, f := range New().Check(t.Context(), catalogtest.Candidate(t, base, catalogtest.Parse(t, after))) {
		found = append(found, f.Guardrail.GetName()+" "+f.Object.Name+" "+f.Cause.Name)
	}
	slices.Sort(found)
	return found
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, not %q", what, got, want)
	}
}

// A rule that is never true tells what is evaluated.
func TestWhatAChangeTouchesIsEvaluatedAndNothingElse(t *testing.T) {
	never := `,"guardrails":[` + rail("plain", "routes", `object.name == "" && service.name != ""`) + `,` + rail("policies", "routes", "size(effective) > 99") + `,` +
		rail("services", "services", "false") + `]`
	before := configuration(never)
	same(t, "nothing", changed(t, before, configuration(never)))
	same(t, "a route", changed(t, before, strings.Replace(configuration(never), `"/r1"`, `"/other"`, 1)), "plain r1 r1", "policies r1 r1")
	same(t, "a service", changed(t, before, strings.Replace(configuration(never), `"a:80"`, `"b:80"`, 1)), "plain r0 s0", "plain r1 s0", "services s0 s0")
	same(t, "a policy of a service", changed(t, before, configuration(never+limit(`{"service":"s1"}`, 1))), "policies r2 limit", "policies r3 limit")
	same(t, "a policy of a route", changed(t, before, configuration(never+limit(`{"route":"r3"}`, 1))), "policies r3 limit")
	same(t, "a policy that moves", changed(t, configuration(never+limit(`{"route":"r3"}`, 1)), configuration(never+limit(`{"route":"r0"}`, 1))), "policies r0 limit", "policies r3 limit")
	same(t, "a policy that goes", changed(t, configuration(never+limit(`{"environment":true}`, 1)), before), "policies r0 limit", "policies r1 limit", "policies r2 limit", "policies r3 limit")
	same(t, "a policy of nothing", changed(t, before, configuration(never+limit("", 1))))
}

func TestAGuardrailThatComesOrDemandsOtherwiseIsHeldAgainstEverything(t *testing.T) {
	with := func(rule, message string) string {
		return configuration(`,"guardrails":[{"name":"g","applies_to":"routes","rule":"` + rule + `","message":"` + message + `"}]`)
	}
	all := []string{"g r0 g", "g r1 g", "g r2 g", "g r3 g"}
	same(t, "that comes", changed(t, configuration(""), with("false", "x")), all...)
	same(t, "of another rule", changed(t, with("true", "x"), with("false", "x")), all...)
	same(t, "of another message", changed(t, with("false", "x"), with("false", "y")))
	same(t, "that goes", changed(t, with("false", "x"), configuration("")))
}

func TestWhatARuleCanNotTellBreaksIt(t *testing.T) {
	found := check(t, configuration(limit(`{"environment":true}`, 1)), rail("g", "policies", `object.config.no_such_field == "x"`))
	if len(found) != 1 || !found[0].Refuses || !strings.Contains(found[0].Text, `guardrail "g", of the policy "limit"`) || !strings.Contains(found[0].Text, "no such key") {
		t.Fatalf("%+v", found)
	}
}

func TestOfVeryManyBrokenObjectsTheFirstAreTold(t *testing.T) {
	var routes strings.Builder
	for i := range 100 {
		routes.WriteString(route(fmt.Sprintf("x%d", i), "s0") + `,`)
	}
	found := check(t, strings.Replace(configuration(""), `"routes":[`, `"routes":[`+routes.String(), 1), rail("g", "routes", "false"))
	if len(found) != maxFindings || !strings.Contains(found[maxFindings-1].Text, "the first 20") {
		t.Fatalf("%d, %+v", len(found), found[len(found)-1])
	}
}

func TestRulesThatTakeTooLongAreBroken(t *testing.T) {
	g := New()
	g.time = time.Nanosecond
	c := catalogtest.Parse(t, configuration(`,"guardrails":[`+rail("a", "routes", "true")+`,`+rail("b", "services", "true")+`]`))
	found := g.Check(context.Background(), catalogtest.Candidate(t, catalog.Empty(), c))
	if len(found) != 2 || !found[0].Refuses || !strings.Contains(found[0].Text, "no time") {
		t.Fatalf("%+v", found)
	}
}

func TestExceptedObjectsNeedNotFollowARule(t *testing.T) {
	rule := func(except string) string {
		return `{"name":"g","applies_to":"routes","rule":"false","message":"x","except":` + except + `}`
	}
	text := strings.Replace(configuration(""), `"name":"r1",`, `"name":"r1","labels":{"a":"1","b":"2"},`, 1)
	for except, want := range map[string]int{
		`{"names":["r0","r3"]}`:               2,
		`{"labels":{"a":"1"}}`:                3,
		`{"labels":{"a":"1","b":"2"}}`:        3,
		`{"labels":{"a":"1","b":"3"}}`:        4,
		`{"labels":{"c":""}}`:                 4,
		`{}`:                                  4,
		`{"names":["r0"],"labels":{"a":"1"}}`: 2,
	} {
		if found := check(t, text, rule(except)); len(found) != want {
			t.Errorf("%s: %d break it, not %d", except, len(found), want)
		}
	}
}

func TestSettingsThatWereNeverWrittenAreHeldAgainstANewGuardrail(t *testing.T) {
	g := rail("g", "settings", "has(object.max_staleness)")
	if found := check(t, configuration(""), g); len(found) != 1 || !found[0].Untouched {
		t.Errorf("%+v", found)
	}
	if found := check(t, configuration(`,"settings":[{"max_staleness":"1m"}]`), g); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
