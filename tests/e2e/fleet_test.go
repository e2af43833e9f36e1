package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// fleetLimit lets all nodes together pass a number of requests of a route in a window so long that nothing of it comes back
// while a test runs.
func fleetLimit(s *harness.Story, of string, route sallyport.Route, requests int) sallyport.Policy {
	return sallyport.Policy{
		Name: s.Name(of), Kind: "rate-limit", AttachedTo: []sallyport.Attachment{{Route: route.Name}},
		Config: map[string]any{
			"by": []any{map[string]any{"route": true}}, "scope": "fleet",
			"windows": []any{map[string]any{"requests": requests, "window": "24h"}},
		},
	}
}

// passed asks an edge so often that it must refuse, and returns how many requests it let through.
func passed(s *harness.Story, edge *harness.Edge, path string, tries int) (allowed int) {
	for range tries {
		if s.Send(edge, http.MethodGet, path, nil).Status == http.StatusOK {
			allowed++
		}
	}
	return allowed
}

func TestALimitOfTheFleetIsNeverExceededAndOnlyAGoodbyeLeavesMoreToTheOthers(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 3, harness.Loopback)
	service := s.Service("service", harness.NewUpstream(t, nil).Address)
	first := s.Route(sallyport.Route{Name: s.Name("first"), Service: service.Name, Public: true, Paths: harness.Below("/first")})
	second := s.Route(sallyport.Route{Name: s.Name("second"), Service: service.Name, Public: true, Paths: harness.Below("/second")})
	third := s.Route(sallyport.Route{Name: s.Name("third"), Service: service.Name, Public: true, Paths: harness.Below("/third")})
	const limit = 31
	s.Policy(fleetLimit(s, "one", first, limit))
	total := 0
	for _, edge := range s.Edges() {
		allowed := passed(s, edge, "/first", limit)
		if allowed != limit/3 && allowed != limit/3+1 {
			t.Errorf("%s lets %d of %d requests through, of which a third is its share", edge.Name, allowed, limit)
		}
		total += allowed
	}
	if total != limit {
		t.Errorf("three nodes let %d requests through, the limit of all is %d", total, limit)
	}

	killed, stopped, left := s.Edges()[0], s.Edges()[1], s.Edges()[2]
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, s, 2, fleetLimit(s, "two", second, limit))
	total = passed(s, stopped, "/second", limit) + passed(s, left, "/second", limit)
	if total < 2*(limit/3) || total > 2*(limit/3)+1 {
		t.Errorf("beside a node that was killed, the others let %d of %d requests through, not two thirds", total, limit)
	}

	if err := stopped.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		if health := nodeHealth(t, s, left); health.Fleet != 2 {
			return fmt.Errorf("after one of three has stopped in good order, the last shares with %d", health.Fleet)
		}
		return nil
	})
	await(t, s, 1, fleetLimit(s, "three", third, limit))
	if allowed := passed(s, left, "/third", limit); allowed != limit/2 && allowed != limit/2+1 {
		t.Errorf("with the one that was killed the last shares %d requests by halves, and lets %d through", limit, allowed)
	}
	if err := stopped.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		for _, edge := range []*harness.Edge{stopped, left} {
			if health := nodeHealth(t, s, edge); health.Fleet != 3 {
				return fmt.Errorf("when a node is back, %s shares with %d", edge.Name, health.Fleet)
			}
		}
		return nil
	})
	if got := passed(s, left, "/first", limit); got != 0 {
		t.Errorf("changes of the fleet gave %d requests of an allowance that was used up", got)
	}
}

// await makes a policy, until so many nodes are connected and have it.
func await(t *testing.T, s *harness.Story, nodes int, policy sallyport.Policy) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		put, err := s.API.PutPolicyWithResponse(t.Context(), s.Environment.Name, policy.Name, &sallyport.PutPolicyParams{Wait: s.Wait()}, policy)
		s.Must(put, err)
		applied := put.HTTPResponse.Header.Get("Sallyport-Applied")
		if want := strconv.Itoa(nodes) + "/" + strconv.Itoa(nodes); applied != want {
			return fmt.Errorf("a policy was applied on %s nodes, not %s", applied, want)
		}
		return nil
	})
}

// nodeHealth asks an edge how it is, by way of the control plane; of one that isn't there yet or any more it returns nothing.
func nodeHealth(t *testing.T, s *harness.Story, edge *harness.Edge) sallyport.NodeHealth {
	t.Helper()
	status, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.API.GetNodeHealthWithResponse(t.Context(), s.Environment.Name, status.Node)
	if err != nil || got.JSON200 == nil {
		return sallyport.NodeHealth{}
	}
	return *got.JSON200
}

func TestTheControlPlaneTellsHowItsNodesAreByTheirOwnWords(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2)
	s.Service("first", "192.0.2.1:80")
	head := s.Head()
	var ids []string
	for _, edge := range s.Edges() {
		status, err := edge.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, status.Node)
		harness.Eventually(t, time.Minute, func() error {
			health := nodeHealth(t, s, edge)
			if !health.Answered || health.Boot != status.Boot || !health.Ready || health.Name != edge.Name || health.MemoryBytes == 0 {
				return fmt.Errorf("%s says that it is %+v", edge.Name, health)
			}
			if health.Configuration.Number != head.Revision || !health.Configuration.Connected || !health.Directory.Durable {
				return fmt.Errorf("%s says that it is at %+v and %+v", edge.Name, health.Configuration, health.Directory)
			}
			return nil
		})
	}
	away := s.Edges()[1]
	if err := away.Kill(); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, time.Minute, func() error {
		got, err := s.API.GetNodeHealthWithResponse(t.Context(), s.Environment.Name, ids[1])
		if err != nil || got.StatusCode() != http.StatusGatewayTimeout {
			return fmt.Errorf("a node that was killed is answered for with %d, %w", got.StatusCode(), err)
		}
		_ = refused(t, "node_unreachable", got, err)
		return nil
	})
	list, err := s.API.ListNodeHealthWithResponse(t.Context(), s.Environment.Name, nil)
	s.Must(list, err)
	if len(list.JSON200.Data) != 2 {
		t.Fatalf("%d nodes are listed", len(list.JSON200.Data))
	}
	for _, health := range list.JSON200.Data {
		if gone := health.Node == ids[1]; health.Answered == gone || gone != (health.Code == "node_unreachable") {
			t.Errorf("a node is listed as %+v", health)
		}
	}
}
