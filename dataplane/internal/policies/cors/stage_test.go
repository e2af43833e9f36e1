package cors_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/addressaccess"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/cors"
	"github.com/sallyport/sallyport/dataplane/internal/policies/headers"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// The route wants a key, and takes no OPTIONS.
func edge(t testing.TB, mode, config string, more ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, addressaccess.Binding, apikey.Binding, cors.Binding)
	policies := append([]string{
		`{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}`,
		fmt.Sprintf(`{"name": "pages", "kind": "cors", "mode": %q, "config": %s, "attached_to": [{"route": "r"}]}`, mode, config),
	}, more...)
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [
			{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "methods": ["GET", "DELETE"]},
			{"name": "other", "service": "s", "paths": [{"prefix": "/"}], "methods": ["PUT"]}
		],
		"policies": [`+strings.Join(policies, ",")+`]}`)
	return e
}

func preflight(origin, method string, fields ...string) edgetest.Request {
	r := edgetest.Get("/x", append([]string{"Origin: " + origin, "Access-Control-Request-Method: " + method}, fields...)...)
	r.Method = "OPTIONS"
	return r
}

// told returns the fields of an answer that concern CORS.
func told(ex *pipeline.Exchange) map[string]string {
	got := map[string]string{}
	for _, f := range ex.Response.Header.Fields() {
		if strings.HasPrefix(f.Name, "Access-Control-") || f.Name == "Vary" {
			got[f.Name] = f.Value
		}
	}
	return got
}

func wants(t *testing.T, ex *pipeline.Exchange, status int, want map[string]string) {
	t.Helper()
	if got := told(ex); ex.Response.Status != status || !maps.Equal(got, want) {
		t.Errorf("answered %d (%s) %q, want %d %q", ex.Response.Status, ex.Verdict, got, status, want)
	}
}

const (
	app      = "https://app.example.com"
	varyLong = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
)

func TestAPreflightIsAnsweredForTheMethodItAsksForAndReachesNobody(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["https://app.example.com"], "methods": ["GET", "DELETE"], "headers": ["X-Api-Key", "Content-Type"], "max_age": "1h", "exposed_headers": ["X-A"]}`)
	ex := e.Do(preflight(app, "DELETE"))
	wants(t, ex, 204, map[string]string{
		"Access-Control-Allow-Origin": app, "Access-Control-Allow-Methods": "GET, DELETE", "Access-Control-Allow-Headers": "X-Api-Key, Content-Type",
		"Access-Control-Max-Age": "3600", "Vary": varyLong,
	})
	if ex.Verdict != pipeline.Allowed || ex.AnsweredBy.Policy != "pages" || ex.Route.Name != "r" || ex.Request.Method != preflight("", "").Method || ex.Response.ContentLength != 0 {
		t.Errorf("%s, answered by %q on %s as %s", ex.Verdict, ex.AnsweredBy.Policy, ex.Route.Name, ex.Request.Method)
	}
	if e.Count("api-key", pipeline.Enforce, problem.CredentialMissing) != 0 || e.Count("cors", pipeline.Enforce, pipeline.Replied) != 1 {
		t.Error("the preflight was asked for a key, or isn't counted as answered")
	}
}

func TestOptionsThatIsNoPreflightForARouteWithCorsIsTheOptionsThatItIs(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["*"]}`)
	for name, r := range map[string]edgetest.Request{
		"a route without cors": preflight(app, "PUT"),
		"a method of no route": preflight(app, "PATCH"),
		"no method":            {Method: "OPTIONS", Target: "/x", Header: []pipeline.Field{{Name: "Origin", Value: app}}},
		"no origin":            {Method: "OPTIONS", Target: "/x", Header: []pipeline.Field{{Name: "Access-Control-Request-Method", Value: "GET"}}},
		"an empty method":      preflight(app, ""),
		"two methods":          preflight(app, "GET", "access-control-request-method: DELETE"),
		"two origins":          preflight(app, "GET", "origin: https://evil.example"),
	} {
		if ex := e.Do(r); ex.Verdict != problem.MethodNotAllowed || len(told(ex)) != 0 {
			t.Errorf("%s: %s %q", name, ex.Verdict, told(ex))
		}
	}
}

func TestEveryAnswerTellsTheBrowserRefusalsToo(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["https://app.example.com"], "credentials": true, "exposed_headers": ["X-Request-Id"]}`,
		`{"name": "a", "kind": "address-access", "config": {"deny": [{"range": "203.0.113.0/24"}]}, "position": -1000, "attached_to": [{"environment": true}]}`)
	want := map[string]string{
		"Access-Control-Allow-Origin": app, "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "X-Request-Id", "Vary": "Origin",
	}
	key := e.Key(t, "alice", edgetest.Key{})
	wants(t, e.Do(edgetest.Get("/x", "Origin: "+app, "X-Api-Key: "+key)), 200, want)
	wants(t, e.Do(edgetest.Get("/x", "Origin: "+app)), 401, want)
	denied := edgetest.Get("/x", "Origin: "+app)
	denied.Address = "203.0.113.7"
	wants(t, e.Do(denied), 403, want) // though the policy that refuses is attached above, and would come first
}

func TestOriginsThatAreNotListedAreToldNothing(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["https://app.example.com", "https://*.example.org", "http://*.example.net:8080"]}`)
	key := "X-Api-Key: " + e.Key(t, "alice", edgetest.Key{})
	for _, origin := range []string{
		"https://a.example.org", "https://a.b.example.org", "http://x.example.net:8080", app,
	} {
		if got := told(e.Do(edgetest.Get("/x", key, "Origin: "+origin))); got["Access-Control-Allow-Origin"] != origin || got["Vary"] != "Origin" {
			t.Errorf("%s is told %q", origin, got)
		}
	}
	for _, origin := range []string{
		"", "null", "*", "https://example.org", "https://.example.org", "https://a..example.org", "https://evilexample.org", "http://a.example.org",
		"https://a.example.org:8443", "https://a.example.org.evil.example", "https://evil.example/.example.org", "https://evil.example#.example.org",
		"https://evil.example:443/.example.org", "https://user@a.example.org", "https://evil.example\\.example.org", "https://A.example.org",
		"HTTPS://app.example.com", "https://app.example.com/", "https://app.example.com:443", "https://app.example.com.", "app.example.com",
		"https://app.example.com, https://evil.example", "https://a.example.org\x00", "http://x.example.net", "https://-.evil%2eexample.org",
	} {
		ex := e.Do(edgetest.Get("/x", key, "Origin: "+origin))
		wants(t, ex, 200, map[string]string{"Vary": "Origin"})
		if refused := e.Do(preflight(origin, "GET")); refused.Response.Status != 204 || !maps.Equal(told(refused), map[string]string{"Vary": varyLong}) {
			t.Errorf("a preflight of %q is answered %d %q", origin, refused.Response.Status, told(refused))
		}
	}
	twice := e.Do(edgetest.Get("/x", key, "Origin: "+app, "Origin: "+app))
	wants(t, twice, 200, map[string]string{"Vary": "Origin"})
}

func TestNullIsLetInOnlyWhereItIsListed(t *testing.T) {
	for config, want := range map[string]struct{ null, page, vary string }{
		`{"origins": ["*"]}`:           {"", "*", "Origin"},
		`{"origins": ["*", "null"]}`:   {"*", "*", ""},
		`{"origins": ["null"]}`:        {"null", "", "Origin"},
		`{"origins": ["https://a.b"]}`: {"", "", "Origin"},
	} {
		e := edge(t, "enforce", config)
		for origin, allowed := range map[string]string{"null": want.null, app: want.page} {
			got := told(e.Do(edgetest.Get("/x", "Origin: "+origin)))
			if got["Access-Control-Allow-Origin"] != allowed || got["Vary"] != want.vary {
				t.Errorf("%s: %s is told %q", config, origin, got)
			}
		}
	}
}

func TestWhatTheServiceSaysOfCORSIsReplaced(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["https://app.example.com"]}`)
	for _, origin := range []string{app, "https://evil.example"} {
		ex := e.Exchange(edgetest.Get("/x", "Origin: "+origin, "X-Api-Key: "+e.Key(t, "alice", edgetest.Key{})))
		for _, f := range []pipeline.Field{
			{Name: "access-control-allow-origin", Value: "*"},
			{Name: "Access-Control-Allow-Credentials", Value: "true"},
			{Name: "ACCESS-CONTROL-ALLOW-ORIGIN", Value: "https://evil.example"},
			{Name: "Vary", Value: "Accept"},
			{Name: "X-Kept", Value: "1"},
		} {
			ex.Response.Header.Add(f.Name, f.Value)
		}
		e.Run(ex)
		fields := ex.Response.Header.Fields()
		want := []pipeline.Field{{Name: "Vary", Value: "Accept"}, {Name: "X-Kept", Value: "1"}, {Name: "Vary", Value: "Origin"}}
		if origin == app {
			want = append(want, pipeline.Field{Name: "Access-Control-Allow-Origin", Value: app})
		}
		if !slices.Equal(fields, want) {
			t.Errorf("%s: %q", origin, fields)
		}
	}
}

func TestUnlistedOriginsAreRefusedWhereThatIsAskedFor(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["https://app.example.com"], "refuse_unlisted": true}`)
	key := "X-Api-Key: " + e.Key(t, "alice", edgetest.Key{})
	for _, r := range []edgetest.Request{
		edgetest.Get("/x", key, "Origin: https://evil.example"), edgetest.Get("/x", key, "Origin: null"), edgetest.Get("/x", key, "Origin: "),
		edgetest.Get("/x", key, "Origin: "+app, "Origin: "+app), preflight("https://evil.example", "GET"),
	} {
		if ex := e.Do(r); ex.Verdict != problem.OriginNotAllowed || ex.Response.Status != 403 || told(ex)["Access-Control-Allow-Origin"] != "" {
			t.Errorf("%v: %s %q", r.Header, ex.Verdict, told(ex))
		}
	}
	for _, r := range []edgetest.Request{edgetest.Get("/x", key), edgetest.Get("/x", key, "Origin: "+app)} {
		if ex := e.Do(r); ex.Verdict != pipeline.Allowed {
			t.Errorf("%v: %s", r.Header, ex.Verdict)
		}
	}
}

func TestInShadowNothingIsAnsweredOrSet(t *testing.T) {
	e := edge(t, "shadow", `{"origins": ["https://app.example.com"], "refuse_unlisted": true}`)
	key := "X-Api-Key: " + e.Key(t, "alice", edgetest.Key{})
	ex := e.Do(edgetest.Get("/x", key, "Origin: https://evil.example"))
	if ex.Verdict != pipeline.Allowed || ex.ShadowVerdict != problem.OriginNotAllowed || len(told(ex)) != 0 {
		t.Errorf("%s, in shadow %q, told %q", ex.Verdict, ex.ShadowVerdict, told(ex))
	}
	if ex := e.Do(preflight(app, "GET")); ex.Verdict != problem.MethodNotAllowed {
		t.Errorf("a preflight is answered %s", ex.Verdict)
	}
	off := edge(t, "off", `{"origins": ["https://app.example.com"]}`)
	if ex := off.Do(preflight(app, "GET")); ex.Verdict != problem.MethodNotAllowed {
		t.Errorf("off: a preflight is answered %s", ex.Verdict)
	}
}

func TestAPrivateNetworkOpensOnlyWhereThatIsAskedFor(t *testing.T) {
	const asks = "Access-Control-Request-Private-Network: true"
	for config, want := range map[string]string{`{"origins": ["https://app.example.com"]}`: "", `{"origins": ["https://app.example.com"], "private_network": true}`: "true"} {
		e := edge(t, "enforce", config)
		if got := told(e.Do(preflight(app, "GET", asks)))["Access-Control-Allow-Private-Network"]; got != want {
			t.Errorf("%s: %q", config, got)
		}
		if got := told(e.Do(preflight(app, "GET")))["Access-Control-Allow-Private-Network"]; got != "" {
			t.Errorf("%s: told though nobody asked", config)
		}
		if got := told(e.Do(preflight("https://evil.example", "GET", asks)))["Access-Control-Allow-Private-Network"]; got != "" {
			t.Errorf("%s: told to a page that isn't listed", config)
		}
	}
}

func TestWhatTheContractRefusesIsNotCompiled(t *testing.T) {
	for _, config := range []*policyv1.Cors{
		{}, {Origins: []string{"*"}, Credentials: true}, {Origins: []string{"https://*.com"}}, {Origins: []string{app}, Headers: []string{"X-A", "*"}, Credentials: true},
	} {
		if _, err := cors.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("compiled %v", config)
		}
	}
}

func TestNeitherPreflightNorAnswerAllocates(t *testing.T) {
	e := edge(t, "enforce", `{"origins": ["https://app.example.com", "https://*.example.org"], "refuse_unlisted": true}`)
	key := "X-Api-Key: " + e.Key(t, "alice", edgetest.Key{})
	for _, r := range []edgetest.Request{preflight(app, "GET"), edgetest.Get("/x", key, "Origin: https://a.example.org"), edgetest.Get("/x", key)} {
		ex := e.Exchange(r)
		header := slices.Clone(ex.Request.Header.Fields())
		failed := false
		run := func() {
			method, path := ex.Request.Method, ex.Request.Path
			address, now := ex.Client.Address, ex.Started
			ex.Reset()
			ex.Request.Method, ex.Request.Path, ex.Request.Authority, ex.Client.Address, ex.Started = method, path, "test", address, now
			for _, f := range header {
				ex.Request.Header.Add(f.Name, f.Value)
			}
			route, err := e.Holder.Load().Route(ex)
			failed = failed || err != nil || route.Stages.Run(ex) != nil || route.Stages.Respond(ex) != nil
			route.Stages.Finish(ex)
		}
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 || failed {
			t.Errorf("%v allocates %v times; failed: %v", r.Header, n, failed)
		}
	}
}

// Its answer is changed by all policies that change answers, which must not let a page in that the list doesn't.
func TestNoOtherPolicySpeaksOfCORSInTheAnswerToAPreflight(t *testing.T) {
	e := edgetest.New(t, apikey.Binding, cors.Binding, headers.Binding)
	e.Configure(t, `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "methods": ["GET"]}],
		"policies": [
			{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]},
			{"name": "pages", "kind": "cors", "config": {"origins": ["https://app.example.com"], "methods": ["GET"]}, "attached_to": [{"environment": true}]},
			{"name": "loose", "kind": "headers", "attached_to": [{"route": "r"}], "config": {"response": {
				"remove": ["Access-Control-Allow-Me*", "Access-Control-Max-Age", "Vary"],
				"set": [{"name": "Access-Control-Allow-Origin", "value": "{header.Origin}"}, {"name": "Access-Control-Allow-Credentials", "value": "true"}, {"name": "X-Set", "value": "1"}],
				"add": [{"name": "access-control-allow-headers", "value": "*"}]}}}]}`)
	ex := e.Do(preflight(app, "GET", "Access-Control-Request-Headers: x-any"))
	wants(t, ex, 204, map[string]string{"Access-Control-Allow-Origin": app, "Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "Content-Type", "Access-Control-Max-Age": "600", "Vary": varyLong})
	if ex.Response.Header.Get("X-Set") != "1" {
		t.Error("what isn't of CORS is lost")
	}
	wants(t, e.Do(preflight("https://evil.example", "GET")), 204, map[string]string{"Vary": varyLong})
}
