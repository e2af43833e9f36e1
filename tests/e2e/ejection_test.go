package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// Of two targets one can't serve, whichever way that shows: a few requests find out, and from then on the other one answers all.
func TestATargetThatFailsIsLeftOutUntilItIsWell(t *testing.T) {
	t.Parallel()
	const half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
	for name, fails := range map[string]func(*harness.Wire){
		"says that it can't":       says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
		"is reset before the head": (*harness.Wire).Reset,
		"is reset inside the head": func(w *harness.Wire) {
			_ = w.Say("HTTP/1.1 200 OK\r\nContent-Ty")
			w.Reset()
		},
		"is reset inside the body": func(w *harness.Wire) {
			_ = w.Say(half)
			w.Reset()
		},
		"leaves inside the body": says(half),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := product.Story(t)
			var reached atomic.Int64
			bad := harness.NewWireUpstream(t, func(w *harness.Wire) {
				if _, err := w.Request(); err == nil {
					reached.Add(1)
					fails(w)
				}
			})
			good := harness.NewUpstream(t, nil)
			made, err := s.API.CreateServiceWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateServiceParams{Wait: s.Wait()}, sallyport.Service{
				Name: s.Name("service"), Upstream: sallyport.Upstream{
					Targets:  []sallyport.Target{{Address: bad}, {Address: good.Address}},
					Ejection: sallyport.Ejection{ConsecutiveFailures: pointer(3), BaseTime: pointer("5m")},
				},
			})
			s.Must(made, err)
			s.Route(sallyport.Route{Name: s.Name("route"), Service: made.JSON201.Name, Paths: harness.Below("/"), Public: true})

			edge, failed := s.Edges()[0], 0
			for range 50 {
				w := edge.Wire(t) // a client that sends nothing again by itself
				if err := w.Say("GET / HTTP/1.1\r\nHost: " + s.Host + "\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				answer, err := w.Answer(http.MethodGet)
				switch {
				case err != nil || answer.Status != http.StatusOK:
					failed++
				case string(answer.Body) != "ok":
					t.Errorf("half an answer is whole: %s", answer)
				}
			}
			if failed != 3 || reached.Load() != 3 {
				t.Errorf("%d requests failed and %d reached the bad target, want the 3 that it took", failed, reached.Load())
			}
			if out := s.Metrics(edge).Sum("sallyport_edge_upstream_ejected", `target="`+bad+`"`); out != 1 {
				t.Errorf("the metric says %v", out)
			}
		})
	}
}
