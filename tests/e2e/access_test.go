package e2e

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// person is a user with a role in the story's environment, or for a team of it, who asks with a token of theirs.
type person struct {
	*sallyport.ClientWithResponses
	name, binding string
}

// newPerson makes one. An empty environment: the role holds everywhere.
func newPerson(t *testing.T, s *harness.Story, of, role, environment, team string) person {
	t.Helper()
	p := person{name: s.Name(of)}
	user, err := s.API.CreateUserWithResponse(t.Context(), sallyport.User{Name: p.name, Email: p.name + "@example.com"})
	s.Must(user, err)
	bound, err := s.API.CreateRoleBindingWithResponse(t.Context(), sallyport.RoleBinding{User: p.name, Role: role, Environment: environment, Team: team})
	s.Must(bound, err)
	p.binding = bound.JSON201.ID
	p.ClientWithResponses = client(t, s, s.API, sallyport.AccessToken{Name: p.name, User: p.name})
	return p
}

// client makes a token as somebody may, and asks with it.
func client(t *testing.T, s *harness.Story, as *sallyport.ClientWithResponses, token sallyport.AccessToken) *sallyport.ClientWithResponses {
	t.Helper()
	made, err := as.CreateAccessTokenWithResponse(t.Context(), token)
	s.Must(made, err)
	api, err := sallyport.New(product.URL(), made.JSON201.Token)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func service(s *harness.Story, of, team string) sallyport.Service {
	return sallyport.Service{Name: s.Name(of), Team: team, Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: "127.0.0.1:9"}}}}
}

func TestAnAuditorReadsAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	made := s.Service("orders", "127.0.0.1:9")
	auditor := newPerson(t, s, "auditor", "auditor", s.Environment.Name, "")

	services, err := auditor.GetServiceWithResponse(t.Context(), s.Environment.Name, made.Name)
	s.Must(services, err)
	revisions, err := auditor.ListRevisionsWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(revisions, err)
	secrets, err := auditor.ListSecretsWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(secrets, err)

	created, err := auditor.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, service(s, "mine", ""))
	_ = refused(t, "forbidden", created, err)
	deleted, err := auditor.DeleteServiceWithResponse(t.Context(), s.Environment.Name, made.Name, nil)
	_ = refused(t, "forbidden", deleted, err)
	batch, err := auditor.ApplyChangesWithResponse(t.Context(), s.Environment.Name, nil, sallyport.ChangesRequest{Operations: []sallyport.Operation{
		{Action: "delete", Collection: "services", Key: made.Name},
	}})
	_ = refused(t, "forbidden", batch, err)
	bound, err := auditor.CreateRoleBindingWithResponse(t.Context(), sallyport.RoleBinding{User: auditor.name, Role: "owner"})
	_ = refused(t, "forbidden", bound, err)
	user, err := auditor.CreateUserWithResponse(t.Context(), sallyport.User{Name: s.Name("accomplice")})
	_ = refused(t, "forbidden", user, err)
}

func TestATeamTouchesNothingOfAnother(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	teamA, teamB := s.Name("a"), s.Name("b")
	for _, team := range []string{teamA, teamB} {
		made, err := s.API.CreateTeamWithResponse(t.Context(), s.Environment.Name, sallyport.Team{Name: team})
		s.Must(made, err)
	}
	a := newPerson(t, s, "alice", "product-manager", s.Environment.Name, teamA)
	b := newPerson(t, s, "bert", "product-manager", s.Environment.Name, teamB)
	wait := s.Wait()

	upstream := harness.NewUpstream(t, nil)
	orders, err := b.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Service{
		Name: s.Name("orders"), Upstream: sallyport.Upstream{Targets: []sallyport.Target{{Address: upstream.Address}}},
	})
	s.Must(orders, err)
	route, err := b.CreateRouteWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateRouteParams{Wait: wait}, sallyport.Route{
		Name: s.Name("orders"), Service: orders.JSON201.Name, Hosts: []string{s.Host}, Paths: harness.Below("/"), Public: true,
	})
	s.Must(route, err)
	s.Applied(route.HTTPResponse)
	s.ExpectAll("/", nil, http.StatusOK, "")

	read, err := a.GetRouteWithResponse(t.Context(), s.Environment.Name, route.JSON201.ID)
	_ = refused(t, "not_found", read, err)
	deleted, err := a.DeleteRouteWithResponse(t.Context(), s.Environment.Name, route.JSON201.Name, nil)
	_ = refused(t, "not_found", deleted, err)
	put, err := a.PutRouteWithResponse(t.Context(), s.Environment.Name, route.JSON201.ID, nil, *route.JSON201)
	if err := sallyport.Check(put, err); err == nil {
		t.Errorf("team a replaced a route of team b")
	}
	for name, attached := range map[string]sallyport.Attachment{
		"by name": {Route: route.JSON201.Name}, "by id": {Route: route.JSON201.ID}, "to its service": {Service: orders.JSON201.ID},
	} {
		policy, err := a.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Policy{
			Name: s.Name("block"), Kind: "rate-limit", AttachedTo: []sallyport.Attachment{attached},
			Config: map[string]any{"by": []any{map[string]any{"address": true}}, "windows": []any{map[string]any{"requests": 1, "window": "1m"}}},
		})
		if problem := refused(t, "invalid_request", policy, err); problem.Errors[0].Code != "unknown_reference" {
			t.Errorf("%s: %v", name, problem)
		}
	}
	everywhere, err := a.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil, harness.APIKeys(s.Name("everywhere"), sallyport.Attachment{Environment: true}))
	_ = refused(t, "forbidden", everywhere, err)
	listed, err := a.ListRoutesWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(listed, err)
	if len(listed.JSON200.Data) != 0 {
		t.Errorf("team a sees %v", listed.JSON200.Data)
	}
	own, err := a.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, service(s, "own", ""))
	s.Must(own, err)
	kept, err := s.API.DeleteTeamWithResponse(t.Context(), s.Environment.Name, teamA, nil)
	_ = refused(t, "referenced", kept, err)
	for range 3 {
		s.ExpectAll("/", nil, http.StatusOK, "")
	}
}

func TestATokenOfAnotherEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	elsewhere, err := s.API.CreateEnvironmentWithResponse(t.Context(), sallyport.Environment{Name: s.Name("elsewhere")})
	s.Must(elsewhere, err)
	stranger := newPerson(t, s, "stranger", "owner", elsewhere.JSON201.ID, "")

	own, err := stranger.ListServicesWithResponse(t.Context(), elsewhere.JSON201.Name, nil)
	s.Must(own, err)
	for _, key := range []string{s.Environment.Name, s.Head().ID} {
		there, err := stranger.ListServicesWithResponse(t.Context(), key, nil)
		_ = refused(t, "not_found", there, err)
		written, err := stranger.CreateServiceWithResponse(t.Context(), key, nil, service(s, "mine", ""))
		_ = refused(t, "not_found", written, err)
	}
	all, err := stranger.ListEnvironmentsWithResponse(t.Context(), nil)
	s.Must(all, err)
	if len(all.JSON200.Data) != 1 || all.JSON200.Data[0].ID != elsewhere.JSON201.ID {
		t.Errorf("a stranger sees %v", all.JSON200.Data)
	}
}

func TestScopeAndExpiryNarrowATokenAndADeletedBindingEndsItAtOnce(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	ada := newPerson(t, s, "ada", "admin", s.Environment.Name, "")
	scoped := client(t, s, ada.ClientWithResponses, sallyport.AccessToken{
		Name: s.Name("scoped"), User: ada.name, Scope: sallyport.TokenScope{Permissions: []string{"configuration.read"}},
	})
	short := client(t, s, ada.ClientWithResponses, sallyport.AccessToken{Name: s.Name("short"), User: ada.name, ExpiresAt: time.Now().Add(3 * time.Second)})

	read, err := scoped.ListServicesWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(read, err)
	written, err := scoped.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, service(s, "mine", ""))
	_ = refused(t, "forbidden", written, err)
	me, err := scoped.GetMeWithResponse(t.Context())
	s.Must(me, err)
	if me.JSON200.Name != ada.name || len(me.JSON200.Permissions) != 1 || len(me.JSON200.Permissions[0].Permissions) != 1 {
		t.Errorf("I am %+v", me.JSON200)
	}

	harness.Eventually(t, time.Minute, func() error {
		answer, err := short.GetMeWithResponse(t.Context())
		if err != nil {
			return err
		}
		return expired(answer.StatusCode())
	})
	made, err := ada.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, service(s, "orders", ""))
	s.Must(made, err)
	gone, err := s.API.DeleteRoleBindingWithResponse(t.Context(), ada.binding, nil)
	s.Must(gone, err)
	for _, api := range []*sallyport.ClientWithResponses{ada.ClientWithResponses, scoped} {
		after, err := api.ListServicesWithResponse(t.Context(), s.Environment.Name, nil)
		_ = refused(t, "not_found", after, err)
	}
}

var errNotYet = errors.New("the token is still taken")

// expired is nil once the answer says that the token isn't taken.
func expired(status int) error {
	if status != http.StatusUnauthorized {
		return errNotYet
	}
	return nil
}
