package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Once a write that waited has returned, it holds on both edges: nothing here waits for anything else.
func TestWhatIsCreatedIsEnforcedOnEveryEdge(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	for _, edge := range s.Edges() {
		s.Expect(edge, "/orders/7", nil, http.StatusNotFound, "route_not_found")
	}

	p := s.Protected(upstream.Address)

	s.ExpectAll("/orders/7", nil, http.StatusUnauthorized, "credential_missing")
	s.ExpectAll("/orders/7", harness.WithKey("spk_test_wrong"), http.StatusUnauthorized, "credential_invalid")
	if reached := upstream.Requests(); len(reached) != 0 {
		t.Fatalf("the service was reached without a key: %+v", reached)
	}
	s.ExpectAll("/orders/7?page=2", harness.WithKey(p.Key.Key), http.StatusOK, "")

	reached := upstream.Requests()
	if len(reached) != len(s.Edges()) {
		t.Fatalf("the service was reached %d times, want once per edge", len(reached))
	}
	for _, request := range reached {
		if request.Target != "/orders/7?page=2" {
			t.Errorf("the service was asked for %s", request.Target)
		}
		if request.Header.Get("X-Api-Key") != "" {
			t.Error("the key reached the service")
		}
		if got := request.Header.Get("X-Sallyport-Consumer"); got != p.Consumer.ID {
			t.Errorf("the service was told that %q calls, want %s", got, p.Consumer.ID)
		}
	}
}

func TestAKeyWithoutTheScopeOfARouteIsForbidden(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	s.Policy(harness.APIKeys(s.Name("scoped"), sallyport.Attachment{Service: service.Name}, "orders:read", "orders:list"))
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/")})
	consumer := s.Consumer("consumer")
	half := s.Key(sallyport.APIKey{Consumer: consumer.Name, Scopes: []string{"orders:read"}})
	whole := s.Key(sallyport.APIKey{Consumer: consumer.Name, Scopes: []string{"orders:list", "orders:read", "other"}})

	s.ExpectAll("/", harness.WithKey(half.Key), http.StatusForbidden, "scope_missing")
	s.ExpectAll("/", harness.WithKey(whole.Key), http.StatusOK, "")
	if got := len(upstream.Requests()); got != len(s.Edges()) {
		t.Errorf("the service was reached %d times, want once per edge", got)
	}
}

func TestOnlyAddressesThatAKeyIsPinnedToMayUseIt(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	here := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Addresses: []string{"127.0.0.0/8"}})
	elsewhere := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name, Addresses: []string{"192.0.2.0/24"}})

	s.ExpectAll("/", harness.WithKey(here.Key), http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey(elsewhere.Key), http.StatusForbidden, "address_not_allowed")
	// Nobody vouched for this proxy: what it says of the client's address counts for nothing.
	forged := harness.WithKey(elsewhere.Key)
	forged.Set("X-Forwarded-For", "192.0.2.1")
	s.ExpectAll("/", forged, http.StatusForbidden, "address_not_allowed")
}

func TestASuspendedConsumerIsRefusedAndALiftedSuspensionLetsPass(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")

	suspend := func(suspended bool) {
		patched, err := s.API.PatchConsumerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, p.Consumer.ID,
			&sallyport.PatchConsumerParams{Wait: s.Wait()}, map[string]any{"suspended": suspended})
		s.Must(patched, err)
		s.Applied(patched.HTTPResponse)
	}
	suspend(true)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusForbidden, "consumer_suspended")
	suspend(false)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
}
