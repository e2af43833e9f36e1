package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Its environment allows nothing at first.
func TestALoopbackTargetIsRefusedUnlessItIsAllowed(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1)
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})

	s.ExpectAll("/", nil, http.StatusBadGateway, "upstream_address_refused")
	if got := upstream.Connections(); got != 0 {
		t.Fatalf("the edge connected %d times", got)
	}
	allow(t, s, harness.Loopback)
	s.ExpectAll("/", nil, http.StatusOK, "")
	allow(t, s)
	// Connections that are open from before must not be used either.
	s.ExpectAll("/", nil, http.StatusBadGateway, "upstream_address_refused")
	if got := len(upstream.Requests()); got != 1 {
		t.Errorf("the service was reached %d times, want once: while it was allowed", got)
	}
}

// A range is not enough for the gateway's own listeners: one could ask the edge's operator through it.
func TestTheEdgesOwnListenersAreNoTargets(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	edge := s.Edges()[0]
	for name, address := range map[string]string{"serves": edge.URL, "operates": edge.AdminURL} {
		service := s.Service(name, strings.TrimPrefix(address, "http://"))
		s.Route(sallyport.Route{Name: s.Name(name), Service: service.Name, Paths: harness.Below("/" + name), Public: true, StripPrefix: true})
		s.ExpectAll("/"+name+"/metrics", nil, http.StatusBadGateway, "upstream_address_refused")
	}
}

func allow(t *testing.T, s *harness.Story, ranges ...string) {
	t.Helper()
	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{Wait: s.Wait()},
		sallyport.EnvironmentSettings{AllowedTargetRanges: ranges})
	s.Must(put, err)
	s.Applied(put.HTTPResponse)
}
