package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A bank writes down what every route must have; from then on nobody can forget it, and the nodes serve on.
func TestAGuardrailHoldsForEveryWayToChangeTheConfiguration(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	environment := s.Environment.Name
	bare := s.Head().Revision

	rule := sallyport.Guardrail{
		Name: "limits", AppliesTo: "routes", Rule: `effective.exists(p, p.kind == "rate-limit" && p.mode == "enforce")`,
		Message: "{name} needs an enforced rate-limit; attach one to it, its service or the environment.",
	}
	answer, err := s.API.CreateGuardrailWithResponse(t.Context(), environment, nil, rule)
	problem := refused(t, "guardrail_violated", answer, err)
	hasCode(t, problem, "guardrail_violated")

	limit := s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Environment: true}, 1000, "1m"))
	made, err := s.API.CreateGuardrailWithResponse(t.Context(), environment, &sallyport.CreateGuardrailParams{Wait: s.Wait()}, rule)
	s.Must(made, err)
	s.Applied(made.HTTPResponse) // nodes know that it isn't theirs
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	guarded := s.Head().Revision

	ways := map[string]func() (sallyport.Answer, error){
		"the limit is deleted": func() (sallyport.Answer, error) {
			return s.API.DeletePolicyWithResponse(t.Context(), environment, limit.ID, nil)
		},
		"it is deleted by force": func() (sallyport.Answer, error) {
			return s.API.DeletePolicyWithResponse(t.Context(), environment, limit.ID, &sallyport.DeletePolicyParams{Force: pointer(true)})
		},
		"it is put in shadow": func() (sallyport.Answer, error) {
			return s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), environment, limit.ID, nil, map[string]any{"mode": "shadow"})
		},
		"a plan deletes it": func() (sallyport.Answer, error) {
			return s.API.DeletePolicyWithResponse(t.Context(), environment, limit.ID, &sallyport.DeletePolicyParams{DryRun: pointer(true)})
		},
		"a batch replaces it": func() (sallyport.Answer, error) {
			return s.API.ApplyChangesWithResponse(t.Context(), environment, nil, sallyport.ChangesRequest{Operations: []sallyport.Operation{
				{Action: "delete", Collection: "policies", Key: limit.Name},
				{Action: "create", Collection: "policies", Body: map[string]any{"name": "nowhere", "kind": "rate-limit", "config": limit.Config}},
			}})
		},
	}
	for way, try := range ways {
		answer, err := try()
		problem := refused(t, "guardrail_violated", answer, err)
		if detail := problem.Errors[0].Detail; !strings.Contains(detail, `"limits"`) || !strings.Contains(detail, p.Route.Name+" needs an enforced rate-limit") {
			t.Errorf("when %s, its author is told %q", way, detail)
		}
	}
	if s.Head().Revision != guarded {
		t.Error("something of it was written")
	}

	rollback(t, s, bare) // before there was the guardrail: it goes with the limit
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	rollback(t, s, guarded)
}

// Who reviews a plan, or reads what happened, is told what it means, not only which fields differ.
func TestAPlanABatchAndADiffSayWhatAChangeMeansForCallers(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	environment := s.Environment.Name
	before := s.Head().Revision
	open := sallyport.ChangesRequest{Operations: []sallyport.Operation{
		{Action: "patch", Collection: "routes", Key: p.Route.Name, Body: map[string]any{"public": true}},
		{Action: "patch", Collection: "policies", Key: p.Policy.Name, Body: map[string]any{"mode": "shadow"}},
	}}

	plan, err := s.API.ApplyChangesWithResponse(t.Context(), environment, &sallyport.ApplyChangesParams{DryRun: pointer(true)}, open)
	s.Must(plan, err)
	becomesPublic(t, "the plan", plan.JSON200.Effects, p.Route)
	s.ExpectAll("/", nil, http.StatusUnauthorized, "credential_missing")

	written, err := s.API.ApplyChangesWithResponse(t.Context(), environment, &sallyport.ApplyChangesParams{Wait: s.Wait()}, open)
	s.Must(written, err)
	s.Applied(written.HTTPResponse)
	becomesPublic(t, "the batch", written.JSON200.Effects, p.Route)
	s.ExpectAll("/", nil, http.StatusOK, "") // and so it is

	diff, err := s.API.DiffRevisionWithResponse(t.Context(), environment, int64(before+1), nil)
	s.Must(diff, err)
	becomesPublic(t, "the diff", diff.JSON200.Effects, p.Route)
	back, err := s.API.RollbackRevisionWithResponse(t.Context(), environment, int64(before), &sallyport.RollbackRevisionParams{DryRun: pointer(true)}, sallyport.RollbackRequest{})
	s.Must(back, err)
	if effect := effectOf(back.JSON200.Effects, "route_protected"); effect == nil || effect.Count != 1 {
		t.Errorf("the rollback's plan says %+v", back.JSON200.Effects)
	}
}

func becomesPublic(t *testing.T, where string, effects []sallyport.Effect, route sallyport.Route) {
	t.Helper()
	effect := effectOf(effects, "route_public")
	if effect == nil {
		t.Fatalf("%s says %+v", where, effects)
	}
	if effect.Severity != "danger" || effect.Count != 1 || len(effect.Routes) != 1 || effect.Routes[0].ID != route.ID || !strings.Contains(effect.Sentence, route.Name) {
		t.Errorf("%s says %+v", where, effect)
	}
}

func effectOf(effects []sallyport.Effect, code string) *sallyport.Effect {
	for i := range effects {
		if effects[i].Code == code {
			return &effects[i]
		}
	}
	return nil
}
