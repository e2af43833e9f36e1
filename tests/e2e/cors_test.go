package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const page = "https://app.example.com"

// A browser's page of another origin calls a protected API: its preflight needs no key and reaches nobody, and it may read every answer, refusals too.
func TestAPageOfAListedOriginCallsAndReadsRefusals(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Vary", "Accept")
	}))
	service := s.Service("service", upstream.Address)
	s.Policy(harness.APIKeys(s.Name("keys"), sallyport.Attachment{Service: service.Name}))
	route := s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Methods: []string{"GET", "DELETE"}})
	s.Route(sallyport.Route{Name: s.Name("other"), Service: service.Name, Paths: harness.Below("/"), Methods: []string{"PUT"}})
	s.Policy(sallyport.Policy{
		Name: s.Name("pages"), Kind: "cors", AttachedTo: []sallyport.Attachment{{Route: route.Name}},
		Config: map[string]any{"origins": []any{page}, "methods": []any{"GET", "DELETE"}, "headers": []any{"X-Api-Key"}, "exposed_headers": []any{"X-Request-Id"}, "max_age": "1h"},
	})
	key := s.Key(sallyport.APIKey{Consumer: s.Consumer("consumer").Name})

	preflight := func(origin, method string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {"x-api-key"}}
	}
	for _, edge := range s.Edges() {
		answer := s.Send(edge, http.MethodOptions, "/", preflight(page, "DELETE"))
		if answer.Status != http.StatusNoContent || len(answer.Body) != 0 {
			t.Errorf("the preflight is answered %s", answer)
		}
		tells(t, answer, map[string]string{
			"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "GET, DELETE", "Access-Control-Allow-Headers": "X-Api-Key", "Access-Control-Max-Age": "3600",
			"Access-Control-Allow-Credentials": "", "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
		})
		other := s.Send(edge, http.MethodOptions, "/", preflight("https://evil.example", "DELETE"))
		tells(t, other, map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": ""})
		if put := s.Send(edge, http.MethodOptions, "/", preflight(page, "PUT")); put.Code() != "method_not_allowed" {
			t.Errorf("a preflight for a route without the policy is answered %s", put)
		}
	}
	if got := len(upstream.Requests()); got != 0 {
		t.Fatalf("%d preflights reached the service", got)
	}

	with := func(header http.Header, origin string) http.Header {
		header.Set("Origin", origin)
		return header
	}
	for _, edge := range s.Edges() {
		tells(t, s.Expect(edge, "/", with(harness.WithKey(key.Key), page), http.StatusOK, ""), map[string]string{
			"Access-Control-Allow-Origin": page, "Access-Control-Allow-Credentials": "", "Access-Control-Expose-Headers": "X-Request-Id",
		})
		tells(t, s.Expect(edge, "/", with(http.Header{}, page), http.StatusUnauthorized, "credential_missing"), map[string]string{"Access-Control-Allow-Origin": page})
		tells(t, s.Expect(edge, "/", with(harness.WithKey(key.Key), "https://evil.example"), http.StatusOK, ""), map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": "",
		})
		if vary := s.Expect(edge, "/", harness.WithKey(key.Key), http.StatusOK, "").Header.Values("Vary"); len(vary) != 2 || vary[0] != "Accept" || vary[1] != "Origin" {
			t.Errorf("Vary is %q", vary)
		}
	}
}

func TestOriginsThatAreNotListedAreRefusedWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Policy(sallyport.Policy{
		Name: s.Name("pages"), Kind: "cors", AttachedTo: []sallyport.Attachment{{Route: p.Route.Name}},
		Config: map[string]any{"origins": []any{"https://*.example.com"}, "refuse_unlisted": true},
	})
	for origin, status := range map[string]int{page: http.StatusOK, "https://example.com": http.StatusForbidden, "null": http.StatusForbidden, "https://app.example.com.evil.example": http.StatusForbidden} {
		header := harness.WithKey(p.Key.Key)
		header.Set("Origin", origin)
		code := map[int]string{http.StatusForbidden: "origin_not_allowed"}[status]
		s.ExpectAll("/", header, status, code)
	}
	if got := len(upstream.Requests()); got != len(s.Edges()) {
		t.Errorf("the service was reached %d times", got)
	}
}

func TestCredentialsForAnyOriginAreRefused(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	made, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Policy{
		Name: s.Name("bad"), Kind: "cors", Config: map[string]any{"origins": []any{"*", "https://*.com"}, "credentials": true},
	})
	names(t, refused(t, "invalid_request", made, err), map[string]string{"/config/origins/0": "mutually_excluded", "/config/origins/1": "invalid_format"})
}

// tells fails the test unless the answer has these fields; "": it hasn't.
func tells(t *testing.T, answer harness.Response, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := answer.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q (%s)", name, got, value, answer)
		}
	}
}
