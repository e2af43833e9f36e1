package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

func TestADryRunPlansAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	environment, dry := s.Environment.Name, pointer(true)
	before := s.Head()

	created, err := s.API.CreateConsumerWithResponse(t.Context(), environment, &sallyport.CreateConsumerParams{DryRun: dry}, sallyport.Consumer{Name: "planned"})
	s.Must(created, err)
	planned(t, created.ApplicationVndSallyportPlanJSON200, "create", "consumers")
	key, err := s.API.CreateAPIKeyWithResponse(t.Context(), environment, &sallyport.CreateAPIKeyParams{DryRun: dry}, sallyport.APIKey{Consumer: p.Consumer.Name})
	s.Must(key, err)
	planned(t, key.ApplicationVndSallyportPlanJSON200, "create", "api-keys")
	patched, err := s.API.PatchRouteWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), environment, p.Route.ID,
		&sallyport.PatchRouteParams{DryRun: dry}, map[string]any{"hosts": []string{"elsewhere.test"}})
	s.Must(patched, err)
	change := planned(t, patched.ApplicationVndSallyportPlanJSON200, "update", "routes")
	if !slices.Contains(change.Fields, "/hosts/0") && !slices.Contains(change.Fields, "/hosts") {
		t.Errorf("the plan says that %v change, want the hosts", change.Fields)
	}
	if got := patched.ApplicationVndSallyportPlanJSON200.Revision; got != before.Revision+1 {
		t.Errorf("the plan would make revision %d, want %d", got, before.Revision+1)
	}
	revoked, err := s.API.DeleteAPIKeyWithResponse(t.Context(), environment, p.Key.ID, &sallyport.DeleteAPIKeyParams{DryRun: dry})
	s.Must(revoked, err)
	planned(t, revoked.ApplicationVndSallyportPlanJSON200, "delete", "api-keys")
	rotated, err := s.API.RotateAPIKeyWithResponse(t.Context(), environment, p.Key.ID, &sallyport.RotateAPIKeyParams{DryRun: dry},
		sallyport.RotateAPIKeyRequest{Overlap: pointer("0s")})
	s.Must(rotated, err)
	back, err := s.API.RollbackRevisionWithResponse(t.Context(), environment, 1, &sallyport.RollbackRevisionParams{DryRun: dry}, sallyport.RollbackRequest{})
	s.Must(back, err)
	if !back.JSON200.DryRun || len(back.JSON200.Changes) == 0 {
		t.Errorf("the plan of the rollback is %+v", back.JSON200)
	}

	if after := s.Head(); after.Revision != before.Revision || after.Sequence != before.Sequence {
		t.Errorf("dry runs moved the environment from %+v to %+v", before, after)
	}
	missing, err := s.API.GetConsumerWithResponse(t.Context(), environment, "planned")
	_ = refused(t, "not_found", missing, err)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}

// A dry run refuses what the write would refuse.
func TestADryRunIsRefusedAsTheWriteWouldBe(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected("192.0.2.1:80")
	answer, err := s.API.DeletePolicyWithResponse(t.Context(), s.Environment.Name, p.Policy.ID, &sallyport.DeletePolicyParams{DryRun: pointer(true)})
	hasCode(t, refused(t, "invalid_request", answer, err), "unprotected")
}

func planned(t *testing.T, plan *sallyport.ChangesResponse, action, collection string) sallyport.Change {
	t.Helper()
	if plan == nil || !plan.DryRun {
		t.Fatalf("the answer is no plan: %+v", plan)
	}
	at := slices.IndexFunc(plan.Changes, func(c sallyport.Change) bool { return c.Action == action && c.Collection == collection })
	if at < 0 {
		t.Fatalf("the plan holds no %s of %s: %+v", action, collection, plan.Changes)
	}
	return plan.Changes[at]
}
