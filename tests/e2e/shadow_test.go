package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const verdicts = "sallyport_edge_stage_verdicts_total"

// It has an edge of its own: the edge's counters are of all its routes.
func TestAPolicyInShadowCountsAndLetsPass(t *testing.T) {
	t.Parallel()
	const limit, sent = 3, 10
	s := product.OwnStory(t, 1, harness.Loopback)
	edge := s.Edges()[0]
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	policy := harness.Limit(s.Name("limit"), sallyport.Attachment{Route: p.Route.Name}, limit, "24h")
	policy.Mode = pointer(sallyport.PolicyMode("shadow"))
	made := s.Policy(policy)

	for range sent {
		answer := s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
		if answer.Header.Get("RateLimit") != "" || answer.Header.Get("RateLimit-Policy") != "" {
			t.Fatalf("the client was told of a limit in shadow: %v", answer.Header)
		}
	}

	metrics := s.Metrics(edge)
	count := func(mode, verdict string) float64 {
		return metrics.Sum(verdicts, `kind="rate-limit"`, `mode="`+mode+`"`, `verdict="`+verdict+`"`)
	}
	if passed, refused := count("shadow", "passed"), count("shadow", "rate_limited"); passed != limit || refused != sent-limit {
		t.Errorf("the shadow counted %v passed and %v refused, want %d and %d", passed, refused, limit, sent-limit)
	}
	if refused := count("enforce", "rate_limited"); refused != 0 {
		t.Errorf("%v requests count as refused", refused)
	}
	if got := len(upstream.Requests()); got != sent {
		t.Errorf("the service was reached %d times, want %d", got, sent)
	}

	// The same policy refuses once it is enforced: it was the mode that let pass.
	patched, err := s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, made.ID,
		&sallyport.PatchPolicyParams{Wait: s.Wait()}, map[string]any{"mode": "enforce"})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	for range sent {
		if answer := s.Send(edge, http.MethodGet, "/", harness.WithKey(p.Key.Key)); answer.Status == http.StatusTooManyRequests {
			return
		}
	}
	t.Errorf("the enforced policy refused none of %d requests", sent)
}

// What a shadow policy learns of the caller is no identity: neither the service nor enforced policies see it.
func TestAnAuthenticationInShadowProvesNobody(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	policy := harness.APIKeys(s.Name("keys"), sallyport.Attachment{Service: service.Name})
	policy.Mode = pointer(sallyport.PolicyMode("shadow"))
	s.Policy(policy)
	key := s.Key(sallyport.APIKey{Consumer: s.Consumer("consumer").Name})

	s.ExpectAll("/", nil, http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey(key.Key), http.StatusOK, "")

	for _, request := range upstream.Requests() {
		if told := request.Header.Get("X-Sallyport-Consumer"); told != "" {
			t.Errorf("the service was told that %s calls", told)
		}
	}
}
