package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func expression(name string, attached sallyport.Attachment, text string) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "cel", Config: map[string]any{"expression": text, "message": "a story's"}, AttachedTo: []sallyport.Attachment{attached}}
}

func TestAnExpressionLetsThroughWhatItIsTrueOfAndNothingElse(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	writer := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Scopes: []string{"orders:write"}})
	policy := s.Policy(expression(s.Name("cel"), sallyport.Attachment{Route: p.Route.Name},
		`(request.method == "GET" || "orders:write" in consumer.scopes) && consumer.name == "`+p.Consumer.Name+`" && client.inside(["127.0.0.0/8", "::1/128"])
			&& !("debug" in request.query) && (!("x-tenant" in request.headers) || claims.tenant == request.headers["x-tenant"])`))

	reached := len(upstream.Requests())
	for _, edge := range s.Edges() {
		s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
		s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
		s.Expect(edge, "/?debug=1", harness.WithKey(p.Key.Key), http.StatusForbidden, "access_denied")
		for key, want := range map[string]int{writer.Key: http.StatusOK, p.Key.Key: http.StatusForbidden} {
			if answer := s.Send(edge, http.MethodPost, "/", harness.WithKey(key)); answer.Status != want {
				t.Errorf("POST: %s, want %d", answer, want)
			}
		}
		// Nobody has shown a token, so that what its claims say can't be told: refused, and not waved through.
		header := harness.WithKey(p.Key.Key)
		header.Set("X-Tenant", "acme")
		if answer := s.Expect(edge, "/", header, http.StatusForbidden, "access_denied"); strings.Contains(string(answer.Body), "story") || strings.Contains(string(answer.Body), "acme") {
			t.Errorf("the caller is told why: %s", answer.Body)
		}
	}
	if got, want := len(upstream.Requests())-reached, 2*len(s.Edges()); got != want {
		t.Errorf("the service was asked %d times, not %d", got, want)
	}

	patched, err := s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, policy.ID, nil,
		map[string]any{"config": map[string]any{"expression": `request.verb == "GET"`}})
	names(t, refused(t, "invalid_request", patched, err), map[string]string{"/config/expression": "invalid_value"})
}

func TestARouteSaysWhoCanCallItAndThatIsWhatEdgesDo(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	stranger := s.Consumer("stranger")
	strange := s.Key(sallyport.APIKey{Consumer: stranger.Name})
	s.Policy(acl(s.Name("acl"), sallyport.Attachment{Route: p.Route.Name}, map[string]any{
		"allow": []any{
			map[string]any{"methods": []any{"GET"}, "every_consumer": true},
			map[string]any{"methods": []any{"POST"}, "consumers": []any{p.Consumer.Name}, "paths": []any{"/orders/{id}"}},
		},
	}))
	s.Policy(expression(s.Name("cel"), sallyport.Attachment{Route: p.Route.Name}, `request.method != "GET" || consumer.id == "`+p.Consumer.ID+`"`))

	answer, err := s.API.GetRouteAccessWithResponse(t.Context(), s.Environment.Name, p.Route.Name)
	s.Must(answer, err)
	access := answer.JSON200
	for _, want := range []string{
		"Callers prove who they are.", `pass for every consumer.`, `POST requests for "/orders/{id}" pass for consumers who are "` + p.Consumer.Name + `".`, "(a story's).",
		"Of 2 consumers 1 pass with an API key that they have",
	} {
		if !slices.ContainsFunc(access.Sentences, func(said string) bool { return strings.Contains(said, want) }) {
			t.Errorf("nothing says %q:\n%s", want, strings.Join(access.Sentences, "\n"))
		}
	}
	if data := access.Consumers.Data; len(data) != 1 || data[0].ID != p.Consumer.ID || !slices.Equal(data[0].Methods, []string{"GET"}) || !slices.Equal(data[0].Depending, []string{"POST"}) {
		t.Errorf("consumers: %+v", data)
	}

	edge := s.Edges()[0]
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(edge, "/", harness.WithKey(strange.Key), http.StatusForbidden, "access_denied")
	for _, test := range []struct {
		key, path string
		want      int
	}{
		{p.Key.Key, "/orders/5", http.StatusOK},
		{p.Key.Key, "/orders/5/", http.StatusForbidden},
		{p.Key.Key, "/orders", http.StatusForbidden},
		{strange.Key, "/orders/5", http.StatusForbidden},
	} {
		if got := s.Send(edge, http.MethodPost, test.path, harness.WithKey(test.key)); got.Status != test.want {
			t.Errorf("POST %s: %s, want %d", test.path, got, test.want)
		}
	}
}
