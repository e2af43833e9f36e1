package e2e

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A service that ends each connection under the second request on it: what may be asked twice is, and what may not isn't.
func TestARequestOutlivesTheConnectionThatDiedUnderIt(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	var seen sync.Map // connections
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.RemoteAddr, true); again {
			panic(http.ErrAbortHandler) // ends the connection without a word
		}
	}))
	service := s.Service("service", upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/"), Public: true})

	edge := s.Edges()[0]
	s.Expect(edge, "/first", nil, http.StatusOK, "")
	s.Expect(edge, "/again", nil, http.StatusOK, "") // on the connection of the first, and once more on one of its own
	if answer := s.Send(edge, http.MethodPost, "/once", nil); answer.Code() != "upstream_unreachable" {
		t.Errorf("a POST was answered with %s", answer)
	}
	var got []string
	for _, r := range upstream.Requests() {
		got = append(got, r.Target)
	}
	if want := []string{"/first", "/again", "/again", "/once"}; !slices.Equal(got, want) {
		t.Errorf("the service got %q, want %q", got, want)
	}
	if sent := s.Metrics(edge).Sum("sallyport_edge_upstream_events_total", `target="`+upstream.Address+`"`, `event="retry"`); sent != 1 {
		t.Errorf("%v requests are counted as sent again", sent)
	}
}
