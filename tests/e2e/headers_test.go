package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// headers returns a policy that changes header fields.
func headers(name string, attached sallyport.Attachment, config map[string]any) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "headers", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

func field(name, value string) map[string]any { return map[string]any{"name": name, "value": value} }

func TestHeadersAreChangedOnTheWayInAndOut(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Powered-By", "secret sauce")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Cache-Control", "max-age=5")
	}))
	p := s.Protected(upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("order"), Service: p.Service.Name, Paths: []sallyport.PathMatch{{Template: "/orders/{id}"}}})
	described, err := s.API.PatchConsumerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, p.Consumer.ID,
		&sallyport.PatchConsumerParams{Wait: s.Wait()}, map[string]any{"metadata": map[string]any{"tenant": "acme"}})
	s.Must(described, err)
	s.Applied(described.HTTPResponse)
	s.Policy(headers(s.Name("headers"), sallyport.Attachment{Service: p.Service.Name}, map[string]any{
		"request": map[string]any{
			"remove": []any{"X-Internal-*"},
			"set": []any{
				field("X-Tenant", "{consumer.metadata.tenant}"), field("X-Order", "{param.id}"), field("X-Seen", "{request.method} {request.host}{request.path} by {consumer.name}"),
			},
		},
		"response": map[string]any{
			"remove":        []any{"X-Powered-By", "Set-Cookie"},
			"set":           []any{field("Strict-Transport-Security", "max-age=63072000"), field("X-Request", "{request.id}")},
			"set_if_absent": []any{field("Cache-Control", "no-store")},
		},
	}))

	for _, edge := range s.Edges() {
		header := harness.WithKey(p.Key.Key)
		header["X-Tenant"], header["x_tenant"], header["X-Internal-Role"], header["X-Order"] = []string{"forged"}, []string{"forged"}, []string{"admin"}, []string{"forged"}
		answer := s.Send(edge, http.MethodGet, "/orders/4711", header)
		if answer.Status != http.StatusOK {
			t.Fatal(answer)
		}
		requests := upstream.Requests()
		got := requests[len(requests)-1].Header
		if want := "GET " + s.Host + "/orders/4711 by " + p.Consumer.Name; got.Get("X-Tenant") != "acme" || got.Get("X-Order") != "4711" || got.Get("X-Seen") != want {
			t.Errorf("the service was told %v", got)
		}
		for name := range got {
			// A twin, X_Tenant, is the same to many services.
			if folded := strings.ReplaceAll(strings.ToLower(name), "_", "-"); strings.HasPrefix(folded, "x-internal") || folded == "x-tenant" && got[name][0] != "acme" {
				t.Errorf("the client's %s: %v reached the service", name, got[name])
			}
		}
		out := answer.Header
		if out.Get("X-Powered-By") != "" || out.Get("Set-Cookie") != "" || out.Get("Strict-Transport-Security") != "max-age=63072000" ||
			out.Get("Cache-Control") != "max-age=5" || out.Get("X-Request") != out.Get("X-Request-Id") {
			t.Errorf("the client was told %v", out)
		}
		if answer := s.Send(edge, http.MethodGet, "/other", harness.WithKey(p.Key.Key)); answer.Status != http.StatusOK {
			t.Fatal(answer)
		}
		requests = upstream.Requests()
		if last := requests[len(requests)-1].Header; last.Values("X-Order") != nil {
			t.Errorf("a path without the parameter has %v", last)
		}
		// The gateway's own refusals say it as well, and still what they are.
		for _, path := range []string{"/orders/4711", "/other"} {
			refusal := s.Expect(edge, path, nil, http.StatusUnauthorized, "credential_missing")
			if refusal.Header.Get("Strict-Transport-Security") == "" || refusal.Header.Get("Www-Authenticate") == "" || refusal.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("the refusal has %v", refusal.Header)
			}
		}
	}
}

func TestWhatTheGatewayOwnsNoHeadersPolicyMayChange(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	for name, value := range map[string]string{
		"X-Sallyport-Consumer": "root", "x_sallyport_consumer": "root", "Host": "elsewhere", "Content-Length": "0", "X-Forwarded-For": "127.0.0.1", "Connection": "close",
	} {
		made, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil,
			headers(s.Name("headers"), sallyport.Attachment{Environment: true}, map[string]any{"request": map[string]any{"set": []any{field(name, value)}}}))
		names(t, refused(t, "invalid_request", made, err), map[string]string{"/config/request/set/0/name": "invalid_value"})
	}
	made, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil,
		headers(s.Name("headers"), sallyport.Attachment{Environment: true}, map[string]any{"response": map[string]any{"add": []any{field("X-A", "ok {request.ids}")}}}))
	problem := refused(t, "invalid_request", made, err)
	names(t, problem, map[string]string{"/config/response/add/0/value": "invalid_format"})
	if !strings.Contains(problem.Errors[0].Detail, "at character 5") {
		t.Errorf("it isn't said where the value goes wrong: %s", problem.Errors[0].Detail)
	}
}
