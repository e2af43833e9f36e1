package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// A service that takes one request at a time gets one at a time; one more waits, and others are told so at once.
func TestAServiceGetsNoMoreRequestsThanItCanBear(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	asked, release := make(chan struct{}, 10), make(chan struct{})
	upstream := harness.NewUpstream(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	made, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, nil, sallyport.Service{
		Name: s.Name("service"), Upstream: sallyport.Upstream{
			Targets:     []sallyport.Target{{Address: upstream.Address}},
			Connections: sallyport.UpstreamConnections{MaxPerTarget: pointer(1), Queue: pointer(1), QueueTimeout: pointer("1m")},
		},
	})
	s.Must(made, err)
	s.Route(sallyport.Route{Name: s.Name("route"), Service: made.JSON201.Name, Paths: harness.Below("/"), Public: true})

	edge, target := s.Edges()[0], `target="`+upstream.Address+`"`
	answers := make(chan int, 2)
	send := func() { answers <- s.Send(edge, http.MethodGet, "/", nil).Status }
	go send()
	<-asked
	go send()
	harness.Eventually(t, time.Minute, func() error {
		if waiting := s.Metrics(edge).Sum("sallyport_edge_upstream_waiting_requests", target); waiting != 1 {
			return fmt.Errorf("%v requests wait, want 1", waiting)
		}
		return nil
	})
	s.Expect(edge, "/", nil, http.StatusServiceUnavailable, "upstream_busy")
	close(release)
	for range 2 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("answered with %d", status)
		}
	}
	if got := upstream.Connections(); got != 1 {
		t.Errorf("%d connections were made", got)
	}
	if full := s.Metrics(edge).Sum("sallyport_edge_upstream_events_total", target, `event="queue_full"`); full != 1 {
		t.Errorf("%v requests are counted as turned away", full)
	}
}
