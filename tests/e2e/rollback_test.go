package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A rollback is about a whole environment: these stories have one of their own.

func TestARollbackBringsARevisionBackAsANewOne(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	good := s.Head().Revision
	goodDigest := revision(t, s, good).Digest

	later := s.Name("later") + ".test"
	s.Route(sallyport.Route{Name: s.Name("later"), Service: p.Service.Name, Hosts: []string{later}, Paths: harness.Below("/")})
	patched, err := s.API.PatchRouteWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, p.Route.ID,
		&sallyport.PatchRouteParams{Wait: s.Wait()}, map[string]any{"hosts": []string{"elsewhere.test"}})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	if answer := s.SendTo(s.Edges()[0], http.MethodGet, "/", later, harness.WithKey(p.Key.Key)); answer.Status != http.StatusOK {
		t.Fatalf("the later route: %s", answer)
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusNotFound, "route_not_found")

	made := rollback(t, s, good)

	if made.Revision != good+3 {
		t.Errorf("the rollback made revision %d, want %d", made.Revision, good+3)
	}
	actions := map[string]string{}
	for _, change := range made.Changes {
		actions[change.Name] = change.Action
	}
	if len(actions) != 2 || actions[s.Name("later")] != "delete" || actions[p.Route.Name] != "update" {
		t.Errorf("the rollback says that it changed %v", actions)
	}
	for _, edge := range s.Edges() {
		if answer := s.SendTo(edge, http.MethodGet, "/", later, harness.WithKey(p.Key.Key)); answer.Code() != "route_not_found" {
			t.Errorf("the later route on %s after the rollback: %s", edge.Name, answer)
		}
	}
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	now := revision(t, s, made.Revision)
	if now.RollbackTo != good || now.Digest != goodDigest {
		t.Errorf("revision %d says rollback_to %d and digest %s, want %d and %s", now.Number, now.RollbackTo, now.Digest, good, goodDigest)
	}
	empty, err := s.API.DiffRevisionWithResponse(t.Context(), s.Environment.Name, int64(made.Revision),
		&sallyport.DiffRevisionParams{From: pointer(int64(good))})
	s.Must(empty, err)
	if len(empty.JSON200.Changes) != 0 {
		t.Errorf("between %d and its rollback are changes: %+v", good, empty.JSON200.Changes)
	}
}

func TestARollbackRevivesNoRevokedKey(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	other := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	whenItWorked := s.Head().Revision
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Revoke(p.Key)
	s.Route(sallyport.Route{Name: s.Name("later"), Service: p.Service.Name, Paths: harness.Below("/later"), Public: true})
	reached := len(upstream.Requests())

	rollback(t, s, whenItWorked)

	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
	if got := len(upstream.Requests()); got != reached {
		t.Error("the revoked key reached the service after the rollback")
	}
	s.ExpectAll("/", harness.WithKey(other.Key), http.StatusOK, "")
	gone, err := s.API.GetAPIKeyWithResponse(t.Context(), s.Environment.Name, p.Key.ID)
	_ = refused(t, "not_found", gone, err)
}

// Going back to before the policy takes the route along that it protected.
func TestARollbackToBeforeAPolicyServesNothingBare(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	withoutPolicy := 0
	for number := s.Head().Revision; number > 0 && withoutPolicy == 0; number-- {
		diff, err := s.API.DiffRevisionWithResponse(t.Context(), s.Environment.Name, int64(number), nil)
		s.Must(diff, err)
		if slices.ContainsFunc(diff.JSON200.Changes, func(c sallyport.Change) bool { return c.ID == p.Policy.ID && c.Action == "create" }) {
			withoutPolicy = number - 1
		}
	}

	made := rollback(t, s, withoutPolicy)

	for _, gone := range []string{p.Route.ID, p.Policy.ID} {
		if !slices.ContainsFunc(made.Changes, func(c sallyport.Change) bool { return c.ID == gone && c.Action == "delete" }) {
			t.Errorf("the rollback to %d changed %+v, want %s deleted", withoutPolicy, made.Changes, gone)
		}
	}
	s.ExpectAll("/", nil, http.StatusNotFound, "route_not_found")
	if got := len(upstream.Requests()); got != 0 {
		t.Errorf("the service was reached %d times without a key", got)
	}
}

func rollback(t *testing.T, s *harness.Story, to int) sallyport.ChangesResponse {
	t.Helper()
	back, err := s.API.RollbackRevisionWithResponse(t.Context(), s.Environment.Name, int64(to),
		&sallyport.RollbackRevisionParams{Wait: s.Wait()}, sallyport.RollbackRequest{Message: "back to what worked"})
	s.Must(back, err)
	s.Applied(back.HTTPResponse)
	return *back.JSON200
}

func revision(t *testing.T, s *harness.Story, number int) sallyport.Revision {
	t.Helper()
	got, err := s.API.GetRevisionWithResponse(t.Context(), s.Environment.Name, int64(number))
	s.Must(got, err)
	return *got.JSON200
}
