package cel_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/cel"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/cel"
	"github.com/sallyport/sallyport/proto/problem"
)

const token = `{"iss": "https://id.test", "sub": "u-1", "tenant": "acme", "groups": ["a", "b", 3, null, {"x": 1}], "level": 3, "big": 9007199254740993,
	"share": 0.5, "mfa": true, "none": null, "address": {"country": "DE", "lines": ["x", "y"]}, "huge": 1e999, "long": "` + "%s" + `", "https://example.com/roles": ["r"]}`

func stageOf(t testing.TB, expression string) pipeline.Stage {
	t.Helper()
	stage, err := cel.Binding.Compile(pipeline.Env{}, &policyv1.Cel{Expression: expression})
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return stage
}

// edge returns an edge with a consumer, and an exchange of theirs that came with a key and a token.
func exchange(t testing.TB) *pipeline.Exchange {
	t.Helper()
	e := edgetest.New(t, apikey.Binding)
	e.Describe(t, &directoryv1.Consumer{Name: "alice", Labels: map[string]string{"tier": "gold"}, Metadata: map[string]string{"tenant": "acme"}})
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"template": "/tenants/{tenant}/orders/{id}"}]}],
		"policies": [{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}]}`)
	ex := e.Do(edgetest.Get("/tenants/acme/orders/a%20b+c?x=1&y=a%26b+c&x=2&empty=&%6e=v",
		"X-Api-Key: "+e.Key(t, "alice", edgetest.Key{Scopes: []string{"orders:read", "orders:write"}}),
		"X-Client: app/1.2", "x-client: other", "Accept: text/html", "X-Long: "+strings.Repeat("a", contract.MaxText+1)))
	if ex.Verdict != pipeline.Allowed {
		t.Fatal(ex.Verdict, ex.Rejection)
	}
	said, err := claims.Parse([]byte(fmt.Sprintf(token, strings.Repeat("a", contract.MaxText+1))))
	if err != nil {
		t.Fatal(err)
	}
	ex.Identity.Claims = said
	ex.Request.Method = "POST"
	ex.Client.Address = netip.MustParseAddr("10.1.2.3")
	ex.Now = time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	return ex
}

func TestAnExpressionSeesTheRequestItsCallerAndTheToken(t *testing.T) {
	ex := exchange(t)
	for _, expression := range []string{
		`request.method == "POST" && request.scheme == "http" && request.host == "test" && request.path == "/tenants/acme/orders/a%20b+c"`,
		`request.params.tenant == "acme" && request.params["id"] == "a b+c" && !has(request.params.other) && size(request.params) == 2`,
		`request.query.x == "1" && request.query.y == "a&b c" && request.query.empty == "" && request.query.n == "v" && !("z" in request.query)`,
		`request.query_values.x == ["1", "2"] && size(request.query) == 4 && request.query.exists(k, k == "n")`,
		`request.headers["x-client"] == "app/1.2" && request.headers["X-Client"] == "app/1.2" && request.header_values["x-client"] == ["app/1.2", "other"]`,
		`request.headers.exists(k, k == "x-client") && !request.headers.exists(k, k == "X-Client") && "accept" in request.headers`,
		`!("x-api-key" in request.headers)`,
		`consumer.name == "alice" && consumer.id.startsWith("con_") && consumer.labels.tier == "gold" && consumer.metadata == {"tenant": "acme"}`,
		`"orders:write" in consumer.scopes && !("x" in consumer.scopes) && size(consumer.scopes) == 2 && consumer.scopes[0] == "orders:read"`,
		`consumer.scopes == ["orders:read", "orders:write"] && consumer.scopes.all(s, s.startsWith("orders:")) && !(3 in dyn(consumer.scopes))`,
		`claims.tenant == request.params.tenant && claims.tenant == consumer.metadata.tenant && claims["tenant"] in ["x", "acme"]`,
		`claims.level == 3 && claims.level > 2.5 && claims.share == 0.5 && claims.mfa && claims.none == null && claims.big == 9007199254740993 && claims.big != 9007199254740992`,
		`"a" in claims.groups && 3 in claims.groups && !("3" in claims.groups) && null in claims.groups && size(claims.groups) == 5 && claims.groups[4].x == 1`,
		`claims.address.country == "DE" && claims.address.lines[1] == "y" && "y" in claims.address.lines && claims.address.lines + ["z"] == ["x", "y", "z"]`,
		`has(claims.address) && has(claims.address.country) && !has(claims.address.city) && !has(claims.nothing) && claims["https://example.com/roles"] == ["r"]`,
		`claims.address == {"country": "DE", "lines": ["x", "y"]} && claims.groups.exists(g, g == "b") && type(claims.address) == map && type(claims.groups) == list`,
		`client.address == "10.1.2.3" && client.inside("10.0.0.0/8") && !client.inside("10.2.0.0/16") && client.inside(["fd00::/8", "10.1.0.0/16"]) && !client.inside(["fd00::/8"])`,
		`now > timestamp("2026-11-22T00:00:00Z") && now.getHours() == 23 && now.getHours("+01:00") == 0 && now.getHours("UTC") == 23 && now - duration("1h") < now`,
		`route.name == "r" && route.id.startsWith("rt_") && service.name == "s" && service.id.startsWith("svc_")`,
	} {
		if err := stageOf(t, expression).Request(ex); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
}

func TestWhatCanNotBeToldIsRefusedAndNothingOfTheRequestIsSaid(t *testing.T) {
	ex := exchange(t)
	for expression, why := range map[string]string{
		`false`:                                 "the expression isn't true",
		`claims.other == "x"`:                   "the expression can't be told: it asks for something that isn't there",
		`claims.other != "x"`:                   "the expression can't be told: it asks for something that isn't there",
		`claims.address.city.zip == "x"`:        "the expression can't be told: it asks for something that isn't there",
		`claims.groups[9] == "x"`:               "the expression can't be told: it asks for something that isn't there",
		`request.headers["x-other"] == "x"`:     "the expression can't be told: it asks for something that isn't there",
		`claims.tenant > 3`:                     "the expression can't be told: it compares or joins what doesn't go together",
		`claims.address.country.x == "x"`:       "the expression can't be told: it asks for something that isn't there",
		`claims.mfa ? claims.tenant : true`:     "",
		`size(claims.level) == 0`:               "the expression can't be told: it compares or joins what doesn't go together",
		`timestamp(claims.tenant) < now`:        "the expression can't be told: it fails",
		`int(request.headers["x-client"]) == 1`: "the expression can't be told: it fails",
		`claims.huge > 3`:                       "the expression can't be told: it fails",
		`claims.long != "x"`:                    "the expression can't be told: a text that it looks at is too long to be judged",
		`request.headers["x-long"] != "x"`:      "the expression can't be told: a text that it looks at is too long to be judged",
		`request == request`:                    "the expression can't be told: it compares or joins what doesn't go together",
		`{claims.groups: 1} == {}`:              "",
		`string(request.headers) == ""`:         "",
		`request.headers.all(a, request.headers.all(b, request.headers.all(c, a + b + c != ""))) && claims.groups.map(g, [g, g, g, g]).all(g, g.all(h, g.all(i, g.all(j, g.all(k, h == i || j == k || true)))))`: "",
	} {
		stage, err := cel.Binding.Compile(pipeline.Env{}, &policyv1.Cel{Expression: expression})
		if err != nil {
			if why != "" {
				t.Errorf("%s: %v", expression, err)
			}
			continue
		}
		err = stage.Request(ex)
		var refused *pipeline.Rejection
		if r, ok := err.(*pipeline.Rejection); ok { //nolint:errorlint // a stage's own
			refused = r
		}
		if refused == nil || refused.Code != problem.AccessDenied || refused.Detail != "" || why != "" && refused.Reason != why {
			t.Errorf("%s: %v", expression, err)
		}
		if refused != nil && (strings.Contains(refused.Reason, "acme") || strings.Contains(refused.Reason, "app/1.2")) {
			t.Errorf("%s: the reason %q tells of the request", expression, refused.Reason)
		}
	}
}

func TestTheMessageIsForTheTraceAlone(t *testing.T) {
	stage, err := cel.Binding.Compile(pipeline.Env{}, &policyv1.Cel{Expression: "false", Message: "never on Sundays"})
	if err != nil {
		t.Fatal(err)
	}
	ex := exchange(t)
	refused, ok := stage.Request(ex).(*pipeline.Rejection) //nolint:errorlint // a stage's own
	if !ok || refused.Reason != "never on Sundays" || refused.Detail != "" {
		t.Errorf("%+v", refused)
	}
}

func TestWhereNobodyIsKnownTheCallerIsEmpty(t *testing.T) {
	ex := new(pipeline.Exchange)
	for _, expression := range []string{
		`consumer.name == "" && consumer.id == "" && size(consumer.labels) == 0 && !("a" in consumer.labels) && size(consumer.metadata) == 0`,
		`size(consumer.scopes) == 0 && !("a" in consumer.scopes) && size(claims) == 0 && !has(claims.sub) && claims == {}`,
		`size(request.query) == 0 && size(request.headers) == 0 && size(request.params) == 0 && route.name == "" && service.id == ""`,
		`!client.inside("0.0.0.0/0") && !client.inside("::/0")`,
	} {
		if err := stageOf(t, expression).Request(ex); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
	if stageOf(t, `claims.sub != "x"`).Request(ex) == nil {
		t.Error("a claim of nobody's passes")
	}
}

func TestAnExpressionThatTakesTooManyStepsIsEndedAndRefused(t *testing.T) {
	ex := exchange(t)
	for i := range 300 {
		ex.Request.Header.Add(fmt.Sprintf("X-%d", i), "v")
	}
	err := stageOf(t, `request.headers.all(a, request.headers.all(b, size(a) + size(b) > 0))`).Request(ex)
	if refused, ok := err.(*pipeline.Rejection); !ok || refused.Reason != "the expression can't be told: it takes too many steps" { //nolint:errorlint // a stage's own
		t.Errorf("%v", err)
	}
}

func TestPoliciesOfAllLevelsMustHoldAndShadowRefusesNobody(t *testing.T) {
	e := edgetest.New(t, cel.Binding, apikey.Binding)
	configure := func(mode string) {
		e.Configure(t, fmt.Sprintf(`{
			"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
			"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}]}],
			"policies": [
				{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]},
				{"name": "read", "kind": "cel", "mode": %q, "config": {"expression": "'read' in consumer.scopes"}, "attached_to": [{"environment": true}]},
				{"name": "get", "kind": "cel", "mode": %q, "config": {"expression": "request.method == 'GET'"}, "attached_to": [{"route": "r"}]}]}`, mode, mode))
	}
	ask := func(method string, scopes ...string) *pipeline.Exchange {
		r := edgetest.Get("/", "X-Api-Key: "+e.Key(t, "alice", edgetest.Key{Scopes: scopes}))
		r.Method = method
		return e.Do(r)
	}
	configure("enforce")
	for _, test := range []struct {
		method string
		scopes []string
		want   problem.Code
		policy string
	}{{"GET", []string{"read"}, pipeline.Allowed, ""}, {"GET", nil, problem.AccessDenied, "read"}, {"PUT", []string{"read"}, problem.AccessDenied, "get"}} {
		ex := ask(test.method, test.scopes...)
		if ex.Verdict != test.want || test.policy != "" && ex.Rejection.Policy != test.policy {
			t.Errorf("%s with %v: %s", test.method, test.scopes, ex.Verdict)
		}
	}
	configure("shadow")
	if ex := ask("PUT"); ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != problem.AccessDenied {
		t.Errorf("%s, in shadow %s", ex.Verdict, ex.ShadowVerdict)
	}
	if e.Count("cel", pipeline.Shadow, problem.AccessDenied) != 2 {
		t.Error("verdicts in shadow aren't counted")
	}
}

func TestWhatNoNodeCanEnforceIsRefused(t *testing.T) {
	for _, expression := range []string{"", "x", "request.method", "claims.all(a, claims.all(b, claims.all(c, a + b == c)))"} {
		if _, err := cel.Binding.Compile(pipeline.Env{}, &policyv1.Cel{Expression: expression}); err == nil {
			t.Errorf("%q: compiled", expression)
		}
	}
}

// usual are expressions as people write them, and how often one may allocate: once for each text that CEL has to hold.
var usual = map[string]float64{
	`"orders:write" in consumer.scopes && request.method == "POST"`:                                               0,
	`claims.tenant == request.params.tenant`:                                                                      2,
	`has(claims.groups) && "b" in claims.groups`:                                                                  2,
	`client.inside(["192.168.0.0/16", "10.0.0.0/8"])`:                                                             1,
	`request.method in ["GET", "HEAD"] || claims.address.country == "DE" && now.getHours("+01:00") < 6`:           4,
	`request.headers["x-client"].startsWith("app/") && consumer.labels.tier in ["gold", "silver"]`:                2,
	`request.path.matches("^/tenants/[a-z]+/orders/") && consumer.metadata.tenant == claims.tenant && claims.mfa`: 5,
}

func BenchmarkUsualExpressions(b *testing.B) {
	ex := exchange(b)
	for expression := range usual {
		stage := stageOf(b, expression)
		b.Run(strings.ReplaceAll(expression, "/", "∕"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := stage.Request(ex); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
