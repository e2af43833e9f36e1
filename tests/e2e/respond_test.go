package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func answering(name string, attached sallyport.Attachment, config map[string]any) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "respond", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

func TestARedirectAndAFixedAnswerReachNoServiceAndCountAsAllowed(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	moved := s.Route(sallyport.Route{
		Name: s.Name("moved"), Service: p.Service.Name, Public: true, Paths: []sallyport.PathMatch{{Template: "/old/{id}"}},
	})
	s.Policy(answering(s.Name("redirect"), sallyport.Attachment{Route: moved.Name}, map[string]any{
		"redirect": map[string]any{"status": 308, "location": "https://new.example.com/orders/{param.id}?{query}"}, "before_authentication": true,
	}))
	gone := s.Route(sallyport.Route{Name: s.Name("gone"), Service: p.Service.Name, Paths: harness.Exactly("/gone")})
	s.Policy(answering(s.Name("fixed"), sallyport.Attachment{Route: gone.Name}, map[string]any{"fixed": map[string]any{
		"status": 410, "content_type": "application/json", "body": `{"gone":true}`, "headers": []any{map[string]any{"name": "Cache-Control", "value": "no-store"}},
	}}))

	for _, edge := range s.Edges() {
		answer := s.Send(edge, http.MethodGet, "/old/4711?a=b", http.Header{"X-Forwarded-Host": {"evil.example"}})
		if got := answer.Header.Get("Location"); answer.Status != http.StatusPermanentRedirect || got != "https://new.example.com/orders/4711?a=b" || len(answer.Body) != 0 {
			t.Errorf("%s to %q", answer, got)
		}
		s.Expect(edge, "/gone", nil, http.StatusUnauthorized, "credential_missing")
		answer = s.Expect(edge, "/gone", harness.WithKey(p.Key.Key), http.StatusGone, "")
		tells(t, answer, map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"})
		if string(answer.Body) != `{"gone":true}` || answer.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %v", answer, answer.Header)
		}
		if head := s.Send(edge, http.MethodHead, "/gone", harness.WithKey(p.Key.Key)); head.Status != http.StatusGone || len(head.Body) != 0 {
			t.Errorf("HEAD is answered %s", head)
		}
	}
	if got := len(upstream.Requests()); got != 0 {
		t.Errorf("the service was reached %d times", got)
	}
	edges := len(s.Edges())
	counted(t, s, harness.Usage{
		{Route: moved.ID, StatusClass: 3, Verdict: "allowed"}:                         edges,
		{Route: gone.ID, StatusClass: 4, Verdict: "credential_missing"}:               edges,
		{Route: gone.ID, Consumer: p.Consumer.ID, StatusClass: 4, Verdict: "allowed"}: 2 * edges,
	})
}

// A maintenance begins and ends with the policy's mode.
func TestMaintenanceKeepsEverybodyOutButTheExempt(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	closed := answering(s.Name("closed"), sallyport.Attachment{Service: p.Service.Name}, map[string]any{
		"maintenance": map[string]any{"detail": "Back at noon.", "retry_after": "10m", "exempt": []any{"192.0.2.0/24"}}, "before_authentication": true,
	})
	made := s.Policy(closed)
	for _, edge := range s.Edges() {
		answer := s.Expect(edge, "/", nil, http.StatusServiceUnavailable, "maintenance")
		tells(t, answer, map[string]string{"Retry-After": "600", "Content-Type": "application/problem+json"})
	}
	shadow, err := s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, made.ID, nil, map[string]any{"mode": "shadow"})
	names(t, refused(t, "invalid_request", shadow, err), map[string]string{"/mode": "invalid_value"})

	open := s.Route(sallyport.Route{Name: s.Name("open"), Service: p.Service.Name, Paths: harness.Exactly("/open")})
	s.Policy(answering(s.Name("not-here"), sallyport.Attachment{Route: open.Name}, map[string]any{
		"maintenance": map[string]any{"exempt": []any{"127.0.0.0/8", "::1"}},
	}))
	s.ExpectAll("/open", harness.WithKey(p.Key.Key), http.StatusOK, "") // those who are exempt pass, and the most specific level wins

	patched, err := s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, made.ID,
		&sallyport.PatchPolicyParams{Wait: s.Wait()}, map[string]any{"mode": "off"})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}

func TestARedirectDoesNotMakeARoutePublicAndLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	service := s.Service("service", "orders.internal:80")
	made, err := s.API.CreateRouteWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Route{
		Name: s.Name("route"), Service: service.Name, Hosts: []string{s.Host}, Paths: harness.Below("/"),
	})
	hasCode(t, refused(t, "invalid_request", made, err), "unprotected")
	for _, location := range []string{"https://{host}{path}", "//evil.example", "/{path}", "https://a.example.com{param.x}", "javascript:alert(1)", "https://a.example.com/\r\nX: y"} {
		bad, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil,
			answering(s.Name("bad"), sallyport.Attachment{Environment: true}, map[string]any{"redirect": map[string]any{"location": location}}))
		names(t, refused(t, "invalid_request", bad, err), map[string]string{"/config/redirect/location": "invalid_format"})
	}
}

// counted waits until the requests of these routes are counted as they should be.
func counted(t *testing.T, s *harness.Story, want harness.Usage) {
	t.Helper()
	routes := map[string]bool{}
	for key := range want {
		routes[key.Route] = true
	}
	harness.Eventually(t, time.Minute, func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		of := harness.Usage{}
		for key, n := range usage {
			if routes[key.Route] {
				of[key] = n
			}
		}
		return of.Check(want)
	})
}
