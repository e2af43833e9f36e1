package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// acl returns a policy that decides by rules.
func acl(name string, attached sallyport.Attachment, config map[string]any) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "acl", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

// It has an environment of its own, in which nobody else makes revisions.
func TestAnAclLetsThroughWhomItNamesAndNobodyElse(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	writer := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Scopes: []string{"orders:write"}})
	stranger := s.Consumer("stranger")
	strange := s.Key(sallyport.APIKey{Consumer: stranger.Name})
	s.Policy(acl(s.Name("acl"), sallyport.Attachment{Route: p.Route.Name}, map[string]any{
		"allow": []any{
			map[string]any{"methods": []any{"GET"}, "consumers": []any{p.Consumer.Name}},
			map[string]any{"methods": []any{"GET"}, "labels": []any{map[string]any{"key": "partner", "values": []any{"yes"}}}},
			map[string]any{"methods": []any{"POST"}, "any_scope": []any{"orders:write"}},
		},
	}))

	for _, edge := range s.Edges() {
		s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
		s.Expect(edge, "/", harness.WithKey(strange.Key), http.StatusForbidden, "access_denied")
		s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
		for key, want := range map[string]int{writer.Key: http.StatusOK, p.Key.Key: http.StatusForbidden} {
			if answer := s.Send(edge, http.MethodPost, "/", harness.WithKey(key)); answer.Status != want {
				t.Errorf("POST: %s, want %d", answer, want)
			}
		}
		if answer := s.Send(edge, http.MethodDelete, "/", harness.WithKey(writer.Key)); answer.Code() != "access_denied" {
			t.Errorf("DELETE, of which no rule speaks: %s", answer)
		}
	}

	// A consumer's labels are facts of the moment: nothing is published when they change.
	revision := s.Head().Revision
	labelled, err := s.API.PatchConsumerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, stranger.ID,
		&sallyport.PatchConsumerParams{Wait: s.Wait()}, map[string]any{"labels": map[string]any{"partner": "yes"}})
	s.Must(labelled, err)
	s.Applied(labelled.HTTPResponse)
	s.ExpectAll("/", harness.WithKey(strange.Key), http.StatusOK, "")
	if got := s.Head().Revision; got != revision {
		t.Errorf("a label made revision %d of %d", got, revision)
	}
}

// On a public route nobody is known, so that an acl there lets nobody through rather than everybody.
func TestAnAclOnAPublicRouteLetsNobodyThrough(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	route := s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	s.ExpectAll("/", nil, http.StatusOK, "")
	reached := len(upstream.Requests())

	s.Policy(acl(s.Name("acl"), sallyport.Attachment{Route: route.Name}, map[string]any{"otherwise": "allow"}))

	s.ExpectAll("/", nil, http.StatusForbidden, "access_denied")
	if got := len(upstream.Requests()); got != reached {
		t.Errorf("the service was reached %d times more", got-reached)
	}
}

func TestARuleThatHasLostItsLastConsumerIsRefusedAndAConsumerThatOneNamesIsKept(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	consumer := s.Consumer("consumer")
	policy := s.Policy(sallyport.Policy{Name: s.Name("acl"), Kind: "acl", Config: map[string]any{
		"allow": []any{map[string]any{"consumers": []any{consumer.Name}}},
	}})

	gone, err := s.API.DeleteConsumerWithResponse(t.Context(), s.Environment.Name, consumer.ID, nil)
	problem := refused(t, "referenced", gone, err)
	if len(problem.Referrers) != 1 || problem.Referrers[0].ID != policy.ID || problem.Referrers[0].Pointer != "/config/allow/0/consumers/0" {
		t.Errorf("the referrers are %+v", problem.Referrers)
	}
	emptied, err := s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, policy.ID, nil,
		map[string]any{"config": map[string]any{"allow": []any{map[string]any{"consumers": []any{}}}}})
	names(t, refused(t, "invalid_request", emptied, err), map[string]string{"/config/allow/0": "required"})
}
