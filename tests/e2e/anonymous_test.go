package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestOneRouteTakesSeveralProofsAndLetsAnybodyInByChoice(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	service, consumer, made := behindPasswords(s, upstream.Address)
	s.Policy(kindOf(s, "api-key", service.Name, 2, map[string]any{}))
	key := s.Key(sallyport.APIKey{Consumer: consumer.Name})
	both := withPassword(made.Username, "spoofed")
	both.Set("X-Api-Key", key.Key)
	keyed := withPassword(made.Username, made.Password)
	keyed.Set("X-Api-Key", "spoofed")

	s.ExpectAll("/", withPassword(made.Username, made.Password), http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey(key.Key), http.StatusOK, "")
	s.ExpectAll("/", keyed, http.StatusOK, "")
	s.ExpectAll("/", both, http.StatusUnauthorized, "credential_invalid") // the password decides, and is wrong
	for _, edge := range s.Edges() {
		refusal := s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
		if all := refusal.Header.Values("WWW-Authenticate"); len(all) != 2 {
			t.Errorf("%s challenges by %q", edge.Name, all)
		}
	}

	visitor := s.Consumer("visitor")
	open := kindOf(s, "anonymous", service.Name, -100, map[string]any{"consumer": visitor.Name})
	plan, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, &sallyport.ApplyChangesParams{DryRun: pointer(true)}, sallyport.ChangesRequest{
		Operations: []sallyport.Operation{{Action: "create", Collection: "policies", Body: map[string]any{
			"name": open.Name, "kind": open.Kind, "config": open.Config, "attached_to": []any{map[string]any{"service": service.Name}},
		}}},
	})
	s.Must(plan, err)
	if effect := effectOf(plan.JSON200.Effects, "anonymous_allowed"); effect == nil || effect.Severity != "danger" || effect.Count != 1 {
		t.Errorf("the plan says %+v", plan.JSON200.Effects)
	}
	s.Policy(open)

	s.ExpectAll("/", nil, http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey("wrong"), http.StatusUnauthorized, "credential_invalid")
	s.ExpectAll("/", both, http.StatusUnauthorized, "credential_invalid")
	s.ExpectAll("/", http.Header{"Authorization": {"Digest x"}}, http.StatusUnauthorized, "credential_invalid")
	reached := upstream.Requests()
	if last := reached[len(reached)-1].Header; last.Get("X-Sallyport-Consumer") != visitor.ID || last.Get("X-Sallyport-Credential") != "" {
		t.Errorf("the service got %v", last)
	}
	if strings.Contains(string(upstream.Raw()), "spoofed") {
		t.Error("a credential that nobody checked reached the service")
	}

	why := explained(t, s, nil, sallyport.HypotheticalRequest{Host: s.Host, Target: "/"}).Nodes[0]
	said := ""
	for _, stage := range why.Stages {
		said += fmt.Sprintf("%s %s %s; ", stage.Kind, stage.Verdict, stage.Code)
	}
	if said != "basic passed_over credential_missing; api-key passed_over credential_missing; anonymous passed ; " || why.Caller.Name != visitor.Name {
		t.Errorf("it is explained as %s, by %+v", said, why.Caller)
	}
}
