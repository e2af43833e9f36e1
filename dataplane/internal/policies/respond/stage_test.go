package respond_test

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/ratelimit"
	"github.com/sallyport/sallyport/dataplane/internal/policies/respond"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// configuration is a route whose stages end in an answer.
func configuration(mode, config, route string, more ...string) string {
	policies := append([]string{
		fmt.Sprintf(`{"name": "answer", "kind": "respond", "mode": %q, "config": %s, "attached_to": [{"environment": true}]}`, mode, config),
	}, more...)
	return `{
		"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
		"routes": [{"name": "r", "service": "s", ` + route + `}],
		"policies": [` + strings.Join(policies, ",") + `]}`
}

const (
	public = `"paths": [{"prefix": "/"}], "public": true`
	keys   = `{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}`
	limit  = `{"name": "limit", "kind": "rate-limit", "attached_to": [{"environment": true}], "config": {"by": [{"address": true}], "windows": [{"requests": 2, "window": "1h"}]}}`
)

func edge(t testing.TB, config, route string, more ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, apikey.Binding, ratelimit.Binding, respond.Binding)
	e.Configure(t, configuration("enforce", config, route, more...))
	return e
}

func TestAFixedAnswerIsNoRefusal(t *testing.T) {
	e := edge(t, `{"fixed": {"status": 410, "content_type": "application/json", "headers": [{"name": "X-A", "value": "1"}, {"name": "X-A", "value": "2"}], "body": "{}"}}`, public)
	ex := e.Do(edgetest.Get("/x"))
	body, err := io.ReadAll(ex.Response.Body)
	if err != nil || string(body) != "{}" || ex.Response.ContentLength != 2 || ex.Response.Status != 410 {
		t.Errorf("%d %q %v", ex.Response.Status, body, err)
	}
	if got := fmt.Sprint(ex.Response.Header.Fields()); got != "[{Content-Type application/json} {X-A 1} {X-A 2}]" {
		t.Error(got)
	}
	if ex.Verdict != pipeline.Allowed || ex.Rejection != nil || ex.AnsweredBy.Policy != "answer" || !ex.Replied() {
		t.Errorf("%s, answered by %q", ex.Verdict, ex.AnsweredBy.Policy)
	}
	if e.Count("respond", pipeline.Enforce, pipeline.Replied) != 1 || e.Count("respond", pipeline.Enforce, pipeline.Passed) != 0 {
		t.Error("the answer isn't counted as one")
	}
	none := edge(t, `{"fixed": {"status": 204}}`, public).Do(edgetest.Get("/x"))
	if none.Response.Body != nil || none.Response.Header.Len() != 0 || none.Response.Status != 204 {
		t.Errorf("%+v", none.Response)
	}
}

func TestAnAnswerComesAfterAuthenticationUnlessAskedOtherwise(t *testing.T) {
	const protected = `"paths": [{"prefix": "/"}]`
	e := edge(t, `{"fixed": {}}`, protected, keys, limit)
	if ex := e.Do(edgetest.Get("/x")); ex.Verdict != problem.CredentialMissing || ex.Replied() {
		t.Errorf("without a key: %s", ex.Verdict)
	}
	key := "X-Api-Key: " + e.Key(t, "alice", edgetest.Key{})
	ex := e.Do(edgetest.Get("/x", key))
	if ex.Verdict != pipeline.Allowed || !ex.Replied() || !ex.Identity.Known() || ex.Response.Header.Get("RateLimit") == "" {
		t.Errorf("with a key: %s, %q", ex.Verdict, ex.Response.Header.Fields())
	}
	if ex := e.Do(edgetest.Get("/x", key)); ex.Verdict != problem.RateLimited {
		t.Errorf("beyond the limit: %s", ex.Verdict)
	}
	early := edge(t, `{"fixed": {}, "before_authentication": true}`, protected, keys)
	if ex := early.Do(edgetest.Get("/x")); ex.Verdict != pipeline.Allowed || !ex.Replied() || ex.Identity.Known() {
		t.Errorf("before authentication: %s", ex.Verdict)
	}
}

func TestAnAnswerMakesNoRoutePublicAndIsNoAuthentication(t *testing.T) {
	for _, config := range []string{`{"redirect": {"location": "/new"}, "before_authentication": true}`, `{"maintenance": {}}`} {
		e := edgetest.New(t, respond.Binding)
		errs := edgetest.Codes(e.Try(t, configuration("enforce", config, `"paths": [{"prefix": "/"}]`)))
		if len(errs) != 1 || errs[0] != "routes/public unprotected" {
			t.Errorf("%s: %v", config, errs)
		}
	}
}

func TestNothingIsAnsweredInModeOffAndShadowIsRefused(t *testing.T) {
	e := edgetest.New(t, respond.Binding)
	e.Configure(t, configuration("off", `{"maintenance": {}}`, public))
	if ex := e.Do(edgetest.Get("/x")); ex.Verdict != pipeline.Allowed || ex.Replied() {
		t.Errorf("off: %s", ex.Verdict)
	}
	if errs := edgetest.Codes(e.Try(t, configuration("shadow", `{"maintenance": {}}`, public))); len(errs) != 1 || !strings.Contains(errs[0], "/mode") {
		t.Errorf("shadow: %v", errs)
	}
}

func TestARedirectLeadsWhereItIsWritten(t *testing.T) {
	for _, tt := range []struct{ location, path, target, want string }{
		{"https://new.example.com{path}?{query}", `{"prefix": "/"}`, "/a/b%20c?x=1&y=%2F", "https://new.example.com/a/b%20c?x=1&y=%2F"},
		{"https://new.example.com{path}?{query}", `{"prefix": "/"}`, "/a", "https://new.example.com/a"},
		{"https://new.example.com{path}?a=b&{query}", `{"prefix": "/"}`, "/a?", "https://new.example.com/a?a=b"},
		{"/x?{query}&a=b", `{"prefix": "/"}`, "/a", "/x?a=b"},
		{"/x?a=b&{query}&c=d", `{"prefix": "/"}`, "/a", "/x?a=b&c=d"},
		{"/x?{query}&a=b", `{"prefix": "/"}`, "/a?q=1", "/x?q=1&a=b"},
		{"/v2/orders/{param.id}", `{"template": "/orders/{id}"}`, "/orders/47%2011", "/v2/orders/47%2011"},
		{"/v2?order={param.id}&from={host}", `{"template": "/orders/{id}"}`, "/orders/a&b=c+d", "/v2?order=a%26b%3Dc%2Bd&from=test"},
		{"https://new.example.com/x?was={path}", `{"prefix": "/"}`, "/a&admin=1", "https://new.example.com/x?was=/a%26admin%3D1"},
		{"https://new.example.com", `{"prefix": "/"}`, "/a?b", "https://new.example.com"},
	} {
		e := edge(t, `{"redirect": {"status": 308, "location": "`+tt.location+`"}}`, `"public": true, "paths": [`+tt.path+`]`)
		ex := e.Do(edgetest.Get(tt.target))
		if got := ex.Response.Header.Get("Location"); got != tt.want || ex.Response.Status != 308 || ex.Verdict != pipeline.Allowed {
			t.Errorf("%s leads to %d %q (%s), want %q", tt.target, ex.Response.Status, got, ex.Verdict, tt.want)
		}
	}
}

// Whatever is asked, scheme and host stay those that are written, and the field stays one line.
func TestNobodyDecidesWhereOthersAreSent(t *testing.T) {
	hosts := map[string]string{"https://new.example.com{path}?{query}": "new.example.com", "/v2{path}?{query}": "", "/v2/{param.rest}?{query}": "", "https://new.example.com/{param.rest}": "new.example.com"}
	for location, host := range hosts {
		e := edge(t, `{"redirect": {"location": "`+location+`"}}`, `"public": true, "paths": [{"template": "/{rest}"}, {"prefix": "/"}]`)
		for _, target := range []string{
			"/", "//evil.example", "///evil.example/%2e%2e", "/\\evil.example", "/%5Cevil.example", "/%2F%2Fevil.example", "/@evil.example", "/:80@evil.example", "/.evil.example",
			"/..//evil.example", "/a%0d%0aSet-Cookie:%20x=y", "/a%0D%0A", "/a\r\nX: y", "/%E5%98%8A%E5%98%8D", "/%00", "/?x=%0d%0a", "/?//evil.example", "/?@evil.example",
			"/http://evil.example", "/%68ttp:evil.example", "/a;evil.example", "/javascript:alert(1)", "/?#evil.example",
		} {
			ex := e.Exchange(edgetest.Get(target))
			if ex.Rejection == nil {
				ex.Request.Host, ex.Request.Authority = "evil.example", "evil.example"
				e.Run(ex)
			}
			got := ex.Response.Header.Get("Location")
			if ex.Rejection != nil && got == "" {
				continue
			}
			led, err := url.Parse(got)
			if err != nil || led.Host != host || host != "" && led.Scheme != "https" || host == "" && led.Scheme != "" || led.User != nil ||
				strings.HasPrefix(got, "//") || strings.HasPrefix(got, "/\\") || strings.ContainsAny(got, "\r\n\x00 ") {
				t.Errorf("%s: %q leads to %q (%v)", location, target, got, err)
			}
		}
	}
}

func TestALocationWithAParameterThatTheRouteLacksFailsClosed(t *testing.T) {
	e := edge(t, `{"redirect": {"location": "/v2/{param.id}"}}`, public)
	if ex := e.Do(edgetest.Get("/x")); ex.Verdict != problem.PolicyFailed || ex.Response.Header.Get("Location") != "" {
		t.Errorf("%s %q", ex.Verdict, ex.Response.Header.Fields())
	}
}

func TestRawControlCharactersNeverReachALocation(t *testing.T) {
	e := edge(t, `{"redirect": {"location": "/v2{path}?{query}"}}`, public)
	for _, set := range []func(*pipeline.Request){
		func(r *pipeline.Request) { r.Path = "/a\r\nSet-Cookie: x=y" },
		func(r *pipeline.Request) { r.Query = "a\nb" },
		func(r *pipeline.Request) { r.Query = "a b" },
	} {
		ex := e.Exchange(edgetest.Get("/a")) // as if a listener had let it through
		set(&ex.Request)
		if e.Run(ex); ex.Verdict != problem.PolicyFailed {
			t.Errorf("%q %q: %s %q", ex.Request.Path, ex.Request.Query, ex.Verdict, ex.Response.Header.Fields())
		}
	}
}

func TestMaintenanceRefusesAllButTheExempt(t *testing.T) {
	e := edge(t, `{"maintenance": {"detail": "Back at noon.", "retry_after": "1h", "exempt": ["10.0.0.0/8", "2001:db8::7"]}, "before_authentication": true}`, public)
	ex := e.Do(edgetest.Get("/x"))
	body, err := io.ReadAll(ex.Response.Body)
	if err != nil || ex.Verdict != problem.Maintenance || ex.Response.Status != 503 || ex.Response.Header.Get("Retry-After") != "3600" ||
		ex.Response.Header.Get("Content-Type") != problem.ContentType || !strings.Contains(string(body), "Back at noon.") || ex.Replied() {
		t.Errorf("%s %d %q %s", ex.Verdict, ex.Response.Status, ex.Response.Header.Fields(), body)
	}
	for _, address := range []string{"10.9.9.9", "::ffff:10.9.9.9", "2001:db8::7"} {
		if ex := e.Do(edgetest.Request{Address: address}); ex.Verdict != pipeline.Allowed {
			t.Errorf("%s: %s", address, ex.Verdict)
		}
	}
}

func TestWhatTheContractRefusesIsNotCompiled(t *testing.T) {
	status := func(n uint32) *uint32 { return &n }
	for _, config := range []*policyv1.Respond{
		{},
		{Answer: &policyv1.Respond_Fixed{Fixed: &policyv1.FixedAnswer{}}},
		{Answer: &policyv1.Respond_Fixed{Fixed: &policyv1.FixedAnswer{Status: status(204), Body: "x"}}},
		{Answer: &policyv1.Respond_Fixed{Fixed: &policyv1.FixedAnswer{Status: status(200), Headers: []*policyv1.AnswerHeader{{Name: "Content-Length", Value: "1"}}}}},
		{Answer: &policyv1.Respond_Redirect{Redirect: &policyv1.Redirect{Status: status(300), Location: "/x"}}},
		{Answer: &policyv1.Respond_Redirect{Redirect: &policyv1.Redirect{Status: status(301), Location: "//{host}"}}},
		{Answer: &policyv1.Respond_Maintenance{Maintenance: &policyv1.Maintenance{Exempt: []string{"x"}}}},
	} {
		if _, err := respond.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("compiled %v", config)
		}
	}
}

func TestNoAnswerAllocates(t *testing.T) {
	for _, config := range []string{
		`{"fixed": {"body": "hello", "headers": [{"name": "X-A", "value": "1"}]}}`, `{"redirect": {"location": "https://new.example.com{path}?{query}"}}`,
		`{"maintenance": {"exempt": ["192.0.2.1"]}}`,
	} {
		e := edge(t, config, public)
		ex := e.Exchange(edgetest.Get("/a/b?c=d"))
		request, address := ex.Request, ex.Client.Address
		failed := false
		run := func() {
			ex.Reset()
			ex.Request.Method, ex.Request.Path, ex.Request.Query, ex.Request.Authority, ex.Client.Address = "GET", request.Path, request.Query, "test", address
			route, err := e.Holder.Load().Route(ex)
			failed = failed || err != nil || route.Stages.Run(ex) != nil || route.Stages.Respond(ex) != nil
		}
		run()
		if n := testing.AllocsPerRun(100, run); n != 0 || failed {
			t.Errorf("%s allocates %v times; failed: %v", config, n, failed)
		}
	}
}

// In front of authentication the key is still in the query, and so it is where authentication is in shadow.
func TestNoKeyGoesToAnotherHostWithTheQuery(t *testing.T) {
	inQuery := `{"name": "keys", "kind": "api-key", "mode": "%s", "config": {"locations": [{"query": "api_key"}]}, "attached_to": [{"environment": true}]}`
	for name, tt := range map[string]struct{ location, mode, early, want string }{
		"in front of authentication": {"https://new.example.com{path}?{query}", "enforce", "true", "https://new.example.com/a?x=1&y"},
		"behind it in shadow":        {"https://new.example.com{path}?{query}", "shadow", "false", "https://new.example.com/a?x=1&y"},
		"behind it":                  {"https://new.example.com{path}?{query}", "enforce", "false", "https://new.example.com/a?x=1&y"},
		"on the same host":           {"/v2{path}?{query}", "enforce", "true", "/v2/a?x=1&api_key=KEY&y"},
		"to the host that was asked": {"https://Test.:8443{path}?{query}", "enforce", "true", "https://Test.:8443/a?x=1&api_key=KEY&y"},
	} {
		e := edge(t, `{"redirect": {"location": "`+tt.location+`"}, "before_authentication": `+tt.early+`}`, public, fmt.Sprintf(inQuery, tt.mode))
		key := e.Key(t, "alice", edgetest.Key{})
		for _, sent := range []string{key, "%" + fmt.Sprintf("%x", key[0]) + key[1:]} {
			ex := e.Do(edgetest.Get("/a?x=1&api_key=" + sent + "&y"))
			if got := ex.Response.Header.Get("Location"); got != strings.Replace(tt.want, "KEY", sent, 1) || ex.Verdict != pipeline.Allowed {
				t.Errorf("%s: %s to %q", name, ex.Verdict, got)
			}
		}
	}
	e := edge(t, `{"redirect": {"location": "https://new.example.com{path}?{query}"}, "before_authentication": true}`, public)
	odd := edge(t, `{"redirect": {"location": "http://new.example.com/%zz?{query}"}, "before_authentication": true}`, public)
	if got := odd.Do(edgetest.Get("/a?k=" + odd.Key(t, "alice", edgetest.Key{}))).Response.Header.Get("Location"); got != "http://new.example.com/%zz" {
		t.Errorf("behind a path that isn't escaped well: %q", got)
	}
	if got := e.Do(edgetest.Get("/a?k=" + e.Key(t, "alice", edgetest.Key{}))).Response.Header.Get("Location"); got != "https://new.example.com/a" {
		t.Errorf("a key alone leaves %q", got)
	}
}
