package guardrail

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport/sallyport/proto/expression"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
)

func route() *configv1.Route {
	return &configv1.Route{
		Id: "rt_x", Name: "orders", Labels: map[string]string{"owner": "payments"}, Service: "svc_x", Hosts: []string{"api.test"},
		Paths: []*configv1.PathMatch{{Match: &configv1.PathMatch_Prefix{Prefix: "/orders"}}}, Methods: []string{"GET"},
	}
}

func service() *configv1.Service {
	return &configv1.Service{Name: "orders", Upstream: &configv1.Upstream{
		Targets:  []*configv1.Target{{Address: "orders.test:443", Weight: proto.Uint32(3)}, {Address: "b.test:80"}},
		Timeouts: &configv1.Timeouts{ResponseHead: durationpb.New(5 * time.Second)},
	}}
}

func variables() map[string]any {
	return map[string]any{
		Object: Value(route()), Service: Value(service()), Public: true,
		Effective: []any{map[string]any{
			"id": "pol_x", "name": "limit", "kind": "rate-limit", "phase": "guard", "level": "service", "mode": "enforce", "final": true, "position": int64(1),
			"config": map[string]any{"windows": []any{map[string]any{"requests": int64(10)}}},
		}},
	}
}

func TestARuleSeesFieldsByTheirNamesAndTypes(t *testing.T) {
	for rule, want := range map[string]bool{
		`object.name == "orders"`:                                            true,
		`object.public`:                                                      false,
		`object.labels.owner == "payments"`:                                  true,
		`"owner" in object.labels && !("team" in object.labels)`:             true,
		`has(object.labels.owner) && !has(object.labels.team)`:               true,
		`has(object.rewrite_path) || has(object.query)`:                      false,
		`has(object.hosts) && has(object.labels)`:                            true,
		`object.rewrite_path == "" && size(object.query) == 0`:               true,
		`object.hosts.all(h, !h.startsWith("*"))`:                            true,
		`object.paths.exists(p, has(p.prefix) && p.prefix == "/orders")`:     true,
		`object.paths.exists(p, has(p.exact))`:                               false,
		`service.upstream.targets.all(t, t.address.endsWith(":443"))`:        false,
		`service.upstream.targets.exists(t, has(t.weight) && t.weight == 3)`: true,
		`service.upstream.timeouts.response_head <= duration("30s")`:         true,
		`effective.exists(p, p.kind == "rate-limit" && p.mode == "enforce")`: true,
		`effective.exists(p, p.config.windows.all(w, w.requests <= 10))`:     true,
		`effective.all(p, p.kind != "rate-limit" || p.level == "route")`:     false,
		`public ? size(effective) > 0 : true`:                                true,
		`object.name.matches("^[a-z]([a-z0-9-]*[a-z0-9])?$")`:                true,
		`dyn(object).name == "orders"`:                                       true,
	} {
		r, err := Compile("routes", rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		if got, err := r.Holds(t.Context(), variables()); err != nil || got != want {
			t.Errorf("%s: %v, %v", rule, got, err)
		}
	}
}

func TestEnumsAreTheirWordsAndConfigurationsHaveTheFieldsOfTheirKind(t *testing.T) {
	config, err := anypb.New(&policyv1.ApiKey{RequiredScopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &configv1.Policy{Name: "keys", Kind: "api-key", Mode: configv1.Mode_MODE_SHADOW.Enum(), Config: config, Position: -3}
	r, err := Compile("policies", `object.mode == "shadow" && object.config.required_scopes == ["read"] && object.position == -3 && !object.final`)
	if err != nil {
		t.Fatal(err)
	}
	if held, err := r.Holds(t.Context(), map[string]any{Object: Value(p)}); err != nil || !held {
		t.Errorf("%v, %v in %v", held, err, Value(p))
	}
}

func TestARuleThatIsNoneIsRefusedWhenItIsWritten(t *testing.T) {
	loops := "object.hosts.all(a, object.hosts.all(b, object.hosts.all(c, object.hosts.all(d, a + b == c + d))))"
	for rule, want := range map[string]string{
		`object.`:                                                 "Syntax error",
		`object.nmae == "x"`:                                      "undefined field 'nmae'",
		`object.paths.all(p, p.regex == "x")`:                     "undefined field 'regex'",
		`objekt.name == "x"`:                                      "undeclared reference",
		`object.name`:                                             "must be true or false",
		`dyn(object.name)`:                                        "must be true or false",
		`object.name == 3`:                                        "no matching overload",
		`object.hosts > 3`:                                        "no matching overload",
		`service.upstream.timeouts.connect < "5s"`:                "no matching overload",
		`Route{name: "x"}.name == "x"`:                            "",
		`object.name.matches(object.description)`:                 "must be a text in quotes",
		`object.name.matches("(a")`:                               "missing closing )",
		`object.name.matches("(a{900}){900}")`:                    "pattern of matches",
		`object.name.matches("(abcdefgh){500}")`:                  "too large",
		`object.name.matches("` + strings.Repeat("a", 300) + `")`: "at most 256",
		loops: "cost too much",
		strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500):        "recursion",
		strings.Repeat("!", 600) + "true":                                   "",
		`[` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `] == []`: "recursion",
	} {
		r, err := Compile("routes", rule)
		if err == nil && want == "" { // passes the compiler, fails closed when it is evaluated
			if held, err := r.Holds(t.Context(), variables()); held && err == nil && strings.HasPrefix(rule, "Route") {
				t.Errorf("%.40s: holds", rule)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, not %q", rule, err, want)
		}
	}
	if _, err := Compile("settings", `size(effective) > 0`); err == nil {
		t.Error("settings have policies")
	}
	if _, err := Compile("consumers", `true`); err == nil {
		t.Error("there are rules over consumers")
	}
}

func TestWhatARuleCanNotTellIsAnErrorAndNeverTrue(t *testing.T) {
	many := &configv1.Route{Name: "many"}
	for i := range 2000 {
		many.Hosts = append(many.Hosts, fmt.Sprintf("host-%d.test", i))
	}
	for rule, want := range map[string]string{
		`effective.all(p, p.config.no_such_field == "x")`:                        "no such key",
		`object.labels.team == "x"`:                                              "no such key",
		`object.paths[7].exact == "x"`:                                           "index",
		`object.paths[0].exact == "x"`:                                           "absent",
		`dyn(object.name) > 3`:                                                   "no such overload",
		`1 / size(object.query) == 0`:                                            "division by zero",
		`object.hosts.all(a, object.hosts.all(b, a == b || a != b))`:             "cost",
		`object.hosts.map(a, a + a + a + a).all(a, object.hosts.all(b, b != a))`: "cost",
	} {
		r, err := Compile("routes", rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		all := variables()
		if strings.Contains(want, "cost") {
			all[Object] = Value(many)
		}
		if held, err := r.Holds(t.Context(), all); held || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", rule, held, err)
		}
	}
}

func TestARuleEndsAtItsDeadline(t *testing.T) {
	r, err := Compile("routes", `object.hosts.all(a, size(a) > 0)`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	many := &configv1.Route{}
	for range 5000 {
		many.Hosts = append(many.Hosts, "x.test")
	}
	if held, err := r.Holds(ctx, map[string]any{Object: Value(many)}); held || err == nil {
		t.Errorf("%v, %v", held, err)
	}
}

func TestAVariableIsMadeOnlyWhenARuleLooksAtIt(t *testing.T) {
	r, err := Compile("routes", `object.public || size(effective) > 0`)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Uses(Object) || !r.Uses(Effective) || r.Uses(Service) || r.Uses(Public) {
		t.Errorf("uses %v", r.uses)
	}
	made := 0
	all := map[string]any{Object: Value(route()), Effective: func() any { made++; return []any{} }}
	if held, err := r.Holds(t.Context(), all); held || err != nil || made != 1 {
		t.Errorf("%v, %v, made %d times", held, err, made)
	}
}

// The names of types are short, so that messages mean something to a rule's author: two of one name would be one type.
func TestNoTwoMessagesOfRulesHaveOneName(t *testing.T) {
	known, err := newFields()
	if err != nil {
		t.Fatal(err)
	}
	for collection, md := range objects {
		for i := range md.Fields().Len() {
			held := messageIn(md.Fields().Get(i))
			if held == nil || wellKnown(held) {
				continue
			}
			if all := known.structs[string(held.Name())]; len(all) != held.Fields().Len() {
				t.Errorf("%s: %s is two messages", collection, held.Name())
			}
		}
	}
}

// FuzzCompile looks for rules that crash the compiler, or that take long.
func FuzzCompile(f *testing.F) {
	for _, rule := range []string{`object.name == "x"`, `effective.exists(p, p.config.x)`, `object.name.matches("a+")`, `[1,2].map(x, x*2) == []`, `"\u0000"`} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		if len(rule) > expression.MaxText {
			return
		}
		r, err := Compile("routes", rule)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = r.Holds(ctx, variables())
		if ctx.Err() != nil {
			t.Errorf("%q ran into its deadline: %v", rule, err)
		}
	})
}
