package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// two is a service behind keys, and two consumers with keys.
type two struct {
	harness.Protected
	other    sallyport.Consumer
	otherKey sallyport.APIKey
	upstream *harness.Upstream
}

func newTwo(t *testing.T, s *harness.Story) two {
	t.Helper()
	upstream := harness.NewUpstream(t, nil)
	w := two{Protected: s.Protected(upstream.Address), other: s.Consumer("other"), upstream: upstream}
	w.otherKey = s.Key(sallyport.APIKey{Consumer: w.other.Name})
	return w
}

// told asks an edge with a key, and returns what the service was told in a field.
func (w two) told(t *testing.T, s *harness.Story, edge *harness.Edge, key sallyport.APIKey, name string) string {
	t.Helper()
	s.Expect(edge, "/", harness.WithKey(key.Key), http.StatusOK, "")
	requests := w.upstream.Requests()
	return requests[len(requests)-1].Header.Get(name)
}

// tagging returns a policy that tells the service a word.
func tagging(name, word string, attached sallyport.Attachment) sallyport.Policy {
	return headers(name, attached, map[string]any{"request": map[string]any{"set": []any{field("X-Tag", word)}}})
}

func TestAPolicyOnAConsumerAppliesToItsRequestsAlone(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	w := newTwo(t, s)
	s.Route(sallyport.Route{Name: s.Name("open"), Service: w.Service.Name, Paths: harness.Below("/other"), Methods: []string{"GET"}})
	s.Policy(tagging(s.Name("route"), "route", sallyport.Attachment{Route: w.Route.Name}))
	overlay := s.Policy(tagging(s.Name("overlay"), "overlay", sallyport.Attachment{Consumer: w.Consumer.Name}))
	s.Policy(harness.Limit(s.Name("limit"), sallyport.Attachment{Consumer: w.other.Name}, 3, "24h"))
	if got := overlay.AttachedTo[0].Consumer; got != w.Consumer.ID {
		t.Errorf("it is attached to %q, not to the consumer's id", got)
	}

	for _, edge := range s.Edges() {
		if got := w.told(t, s, edge, w.Key, "X-Tag"); got != "overlay" {
			t.Errorf("the consumer's request on %s is tagged %q", edge.Name, got)
		}
		if got := w.told(t, s, edge, w.otherKey, "X-Tag"); got != "route" {
			t.Errorf("another's request on %s is tagged %q", edge.Name, got)
		}
		// The other one's limit is over all its routes, and over nobody else's requests.
		s.Expect(edge, "/other", harness.WithKey(w.otherKey.Key), http.StatusOK, "")
		s.Expect(edge, "/", harness.WithKey(w.otherKey.Key), http.StatusOK, "")
		s.Expect(edge, "/", harness.WithKey(w.otherKey.Key), http.StatusTooManyRequests, "rate_limited")
		s.Expect(edge, "/other", harness.WithKey(w.otherKey.Key), http.StatusTooManyRequests, "rate_limited")
		for range 5 {
			if answer := s.Expect(edge, "/", harness.WithKey(w.Key.Key), http.StatusOK, ""); answer.Header.Get("RateLimit") != "" {
				t.Errorf("another's limit is told: %v", answer.Header)
			}
		}
	}

	gone, err := s.API.DeletePolicyWithResponse(t.Context(), s.Environment.Name, overlay.ID, &sallyport.DeletePolicyParams{Wait: s.Wait()})
	s.Must(gone, err)
	s.Applied(gone.HTTPResponse)
	for _, edge := range s.Edges() {
		if got := w.told(t, s, edge, w.Key, "X-Tag"); got != "route" {
			t.Errorf("after the policy's end the request on %s is tagged %q", edge.Name, got)
		}
	}
}

func TestAFinalPolicyWinsOverAConsumers(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	w := newTwo(t, s)
	s.Policy(tagging(s.Name("overlay"), "overlay", sallyport.Attachment{Consumer: w.Consumer.Name}))
	route := tagging(s.Name("route"), "route", sallyport.Attachment{Route: w.Route.Name})
	route.Final = true
	made := s.Policy(route)
	for _, edge := range s.Edges() {
		if got := w.told(t, s, edge, w.Key, "X-Tag"); got != "route" {
			t.Errorf("under a final policy the request on %s is tagged %q", edge.Name, got)
		}
	}

	patched, err := s.API.PatchPolicyWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, made.ID,
		&sallyport.PatchPolicyParams{Wait: s.Wait()}, map[string]any{"final": false})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	for _, edge := range s.Edges() {
		if got := w.told(t, s, edge, w.Key, "X-Tag"); got != "overlay" {
			t.Errorf("once it isn't final the request on %s is tagged %q", edge.Name, got)
		}
	}
}

func TestAConsumerWithPoliciesIsKeptAndTakesNoPolicyThatRunsBeforeItIsKnown(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	consumer := s.Consumer("consumer")
	policy := s.Policy(tagging(s.Name("overlay"), "overlay", sallyport.Attachment{Consumer: consumer.Name}))
	kept, err := s.API.DeleteConsumerWithResponse(t.Context(), s.Environment.Name, consumer.ID, nil)
	problem := refused(t, "referenced", kept, err)
	if len(problem.Referrers) != 1 || problem.Referrers[0].ID != policy.ID || problem.Referrers[0].Pointer != "/attached_to/0/consumer" {
		t.Errorf("the referrers are %+v", problem.Referrers)
	}

	early := harness.APIKeys(s.Name("early"), sallyport.Attachment{Consumer: consumer.Name})
	made, err := s.API.CreatePolicyWithResponse(t.Context(), s.Environment.Name, nil, early)
	names(t, refused(t, "invalid_request", made, err), map[string]string{"/attached_to/0/consumer": "invalid_value"})

	gone, err := s.API.DeletePolicyWithResponse(t.Context(), s.Environment.Name, policy.ID, nil)
	s.Must(gone, err)
	deleted, err := s.API.DeleteConsumerWithResponse(t.Context(), s.Environment.Name, consumer.ID, nil)
	s.Must(deleted, err)
}

func TestARollbackBringsAConsumersPolicyBack(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	w := newTwo(t, s)
	overlay := s.Policy(tagging(s.Name("overlay"), "overlay", sallyport.Attachment{Consumer: w.Consumer.Name}))
	with := s.Head().Revision
	gone, err := s.API.DeletePolicyWithResponse(t.Context(), s.Environment.Name, overlay.ID, &sallyport.DeletePolicyParams{Wait: s.Wait()})
	s.Must(gone, err)
	s.Applied(gone.HTTPResponse)
	edge := s.Edges()[0]
	if got := w.told(t, s, edge, w.Key, "X-Tag"); got != "" {
		t.Fatalf("tagged %q by a policy that is gone", got)
	}

	rollback(t, s, with)

	if mine, other := w.told(t, s, edge, w.Key, "X-Tag"), w.told(t, s, edge, w.otherKey, "X-Tag"); mine != "overlay" || other != "" {
		t.Errorf("after the rollback the consumer is tagged %q, another %q", mine, other)
	}
}
