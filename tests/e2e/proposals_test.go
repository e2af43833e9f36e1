package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// colleague returns the admin API as somebody else than the story: a person, since a service token of the story's making is the story.
func colleague(t *testing.T, s *harness.Story) *sallyport.ClientWithResponses {
	t.Helper()
	name := s.Name("colleague")
	person, err := s.API.CreateUserWithResponse(t.Context(), sallyport.User{Name: name})
	s.Must(person, err)
	bound, err := s.API.CreateRoleBindingWithResponse(t.Context(), sallyport.RoleBinding{User: name, Role: "owner", Environment: s.Environment.Name})
	s.Must(bound, err)
	made, err := s.API.CreateAccessTokenWithResponse(t.Context(), sallyport.AccessToken{Name: name, User: name})
	s.Must(made, err)
	api, err := sallyport.New(s.Environment.Stack.URL(), made.JSON201.Token)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// file files a proposal as the story.
func file(t *testing.T, s *harness.Story, operations ...sallyport.Operation) *sallyport.Proposal {
	t.Helper()
	filed, err := s.API.CreateProposalWithResponse(t.Context(), s.Environment.Name, nil, sallyport.ProposalRequest{Title: "a change", Operations: operations})
	s.Must(filed, err)
	return filed.JSON201
}

func approve(t *testing.T, s *harness.Story, by *sallyport.ClientWithResponses, p *sallyport.Proposal) {
	t.Helper()
	approved, err := by.ApproveProposalWithResponse(t.Context(), s.Environment.Name, p.ID, sallyport.ApprovalRequest{Round: p.Round})
	s.Must(approved, err)
}

// moved is a route's way from one prefix to another, as a step.
func moved(route, prefix string) sallyport.Operation {
	return sallyport.Operation{Action: "patch", Collection: "routes", Key: route, Body: map[string]any{"paths": []any{map[string]any{"prefix": prefix}}}}
}

func openRoute(t *testing.T, s *harness.Story) sallyport.Route {
	t.Helper()
	service := s.Service("service", harness.NewUpstream(t, nil).Address)
	return s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Public: true, Paths: harness.Below("/old")})
}

func TestAProposalIsPublishedBySomebodyElseThanItsAuthor(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	other := colleague(t, s)
	route := openRoute(t, s)
	p := file(t, s, moved(route.Name, "/new"))
	if len(p.Plan.Changes) != 1 || p.Plan.Changes[0].Fields[0] != "/paths/0/prefix" {
		t.Errorf("its plan is %+v", p.Plan)
	}
	own, err := s.API.ApproveProposalWithResponse(t.Context(), s.Environment.Name, p.ID, sallyport.ApprovalRequest{Round: p.Round})
	_ = refused(t, "proposal_own", own, err)
	early, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, nil)
	_ = refused(t, "proposal_not_approved", early, err)
	approve(t, s, other, p)
	byAuthor, err := s.API.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, nil)
	_ = refused(t, "proposal_own", byAuthor, err)
	s.ExpectAll("/old", nil, http.StatusOK, "")
	s.ExpectAll("/new", nil, http.StatusNotFound, "route_not_found")

	published, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, &sallyport.PublishProposalParams{Wait: s.Wait()})
	s.Must(published, err)
	s.Applied(published.HTTPResponse)
	s.ExpectAll("/new", nil, http.StatusOK, "")
	s.ExpectAll("/old", nil, http.StatusNotFound, "route_not_found")
	if done := published.JSON200; done.State != "published" || done.Revision != s.Head().Revision || done.ClosedBy != s.Name("colleague") {
		t.Errorf("it reads %+v", done)
	}
	again, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, nil)
	_ = refused(t, "conflict", again, err)
}

func TestAStaleProposalIsRefusedThenRefreshedAndPublished(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	other := colleague(t, s)
	route := openRoute(t, s)
	p := file(t, s, moved(route.Name, "/new"))
	approve(t, s, other, p)
	changed, err := s.API.PatchRouteWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, route.Name, nil, map[string]any{"description": "moved on"})
	s.Must(changed, err)

	seen, err := other.GetProposalWithResponse(t.Context(), s.Environment.Name, p.ID)
	s.Must(seen, err)
	if seen.JSON200.State != "stale" || len(seen.JSON200.Now.Moved) != 1 || seen.JSON200.Now.Moved[0].ID != route.ID {
		t.Errorf("it reads %+v", seen.JSON200)
	}
	stale, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, nil)
	names(t, refused(t, "proposal_stale", stale, err), map[string]string{"/routes/" + route.Name: "proposal_stale"})
	s.ExpectAll("/old", nil, http.StatusOK, "")

	fresh, err := s.API.RefreshProposalWithResponse(t.Context(), s.Environment.Name, p.ID)
	s.Must(fresh, err)
	void, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, nil)
	_ = refused(t, "proposal_not_approved", void, err)
	approve(t, s, other, fresh.JSON200)
	published, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, &sallyport.PublishProposalParams{Wait: s.Wait()})
	s.Must(published, err)
	s.Applied(published.HTTPResponse)
	s.ExpectAll("/new", nil, http.StatusOK, "")
}

func TestAnEnvironmentThatDemandsFourEyesRefusesDirectWrites(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	other := colleague(t, s)
	route := openRoute(t, s)
	demanded, err := s.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name,
		&sallyport.PatchSettingsParams{Wait: s.Wait()}, map[string]any{"four_eyes": true})
	s.Must(demanded, err)
	s.Applied(demanded.HTTPResponse)
	before := s.Head()

	single, err := s.API.DeleteRouteWithResponse(t.Context(), s.Environment.Name, route.Name, nil)
	_ = refused(t, "proposal_required", single, err)
	batch, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, nil, sallyport.ChangesRequest{Operations: []sallyport.Operation{moved(route.Name, "/new")}})
	_ = refused(t, "proposal_required", batch, err)
	back, err := s.API.RollbackRevisionWithResponse(t.Context(), s.Environment.Name, 1, nil, sallyport.RollbackRequest{})
	_ = refused(t, "proposal_required", back, err)
	off, err := s.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, nil, map[string]any{"four_eyes": false})
	_ = refused(t, "proposal_required", off, err)
	if after := s.Head(); after.Revision != before.Revision {
		t.Fatalf("refused writes made revision %d of %d", after.Revision, before.Revision)
	}
	s.Consumer("consumer") // the directory stays open: a key is revoked at once

	p := file(t, s, moved(route.Name, "/new"))
	approve(t, s, other, p)
	published, err := other.PublishProposalWithResponse(t.Context(), s.Environment.Name, p.ID, &sallyport.PublishProposalParams{Wait: s.Wait()})
	s.Must(published, err)
	s.Applied(published.HTTPResponse)
	s.ExpectAll("/new", nil, http.StatusOK, "")

	forced, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, &sallyport.ApplyChangesParams{Force: pointer(true)},
		sallyport.ChangesRequest{Operations: []sallyport.Operation{moved(route.Name, "/emergency")}})
	s.Must(forced, err)
	if len(forced.JSON200.Warnings) == 0 {
		t.Error("an override of four eyes comes without a warning")
	}
}
