package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Of two targets one can't serve: a few requests find out, and from then on the other one answers all.
func TestATargetThatFailsIsLeftOutUntilItIsWell(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	bad := harness.NewUpstream(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	good := harness.NewUpstream(t, nil)
	made, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Service{
		Name: s.Name("service"), Upstream: sallyport.Upstream{
			Targets:  []sallyport.Target{{Address: bad.Address}, {Address: good.Address}},
			Ejection: sallyport.Ejection{ConsecutiveFailures: pointer(3), BaseTime: pointer("5m")},
		},
	})
	s.Must(made, err)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: made.JSON201.Name, Paths: harness.Below("/"), Public: true})

	edge, failed := s.Edges()[0], 0
	for range 50 {
		if s.Send(edge, http.MethodGet, "/", nil).Status != http.StatusOK {
			failed++
		}
	}
	if failed != 3 || len(bad.Requests()) != 3 {
		t.Errorf("%d requests failed and %d reached the bad target, want the 3 that it took", failed, len(bad.Requests()))
	}
	if out := s.Metrics(edge).Sum("sallyport_edge_upstream_ejected", `target="`+bad.Address+`"`); out != 1 {
		t.Errorf("the metric says %v", out)
	}
}
