package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// partitionBound is how long a silence may go unnoticed: the control plane asks after ten seconds, and waits for as many.
const partitionBound = 4 * time.Minute

// The network between one edge of three and the control plane goes silent, in both directions or towards the edge only. The fleet goes on
// without it, it goes on without the fleet, and everybody is told who it is that doesn't know of a revocation. Then it catches up.
func TestAFleetAndAnEdgeThatIsCutOffServeOnAndAreOneAgainAfterwards(t *testing.T) {
	network := harness.NewNetwork(t)
	var running atomic.Pointer[harness.Stack]
	control := network.Fleet(t, func() string { return running.Load().EdgeAPIAddress() })
	bus := network.Fleet(t, func() string { return running.Load().BusAddress() })
	stack, err := harness.Start(t.Context(), harness.Config{ControlArgs: []string{"--bus-urls", "tls://" + bus}})
	if err != nil {
		t.Fatal(err)
	}
	running.Store(stack)
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	s := stack.OwnStory(t, 2, network.Range)
	cut, err := s.Environment.AddEdgeIn(t.Context(), network, control)
	if err != nil {
		t.Fatal(err)
	}
	target := network.Service(t, harness.NewUpstream(t, nil).Address)
	for _, silence := range []struct {
		name  string
		begin func(context.Context) error
	}{{"both ways", network.Cut}, {"towards the edge", network.Mute}} {
		t.Run(silence.name, func(t *testing.T) {
			t.Cleanup(func() { _ = network.Heal(context.WithoutCancel(t.Context())) })
			f := beginAt(t, s, target)
			s := f.story
			revoked := s.Key(sallyport.APIKey{Consumer: f.protected.Consumer.Name})
			before, held := s.Metrics(cut), nodeOf(t, cut)
			if err := silence.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			f.progress(t, loopProgress)
			f.writing.progress(t, loopProgress)
			gone, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, revoked.ID, nil)
			s.Must(gone, err)
			harness.Eventually(t, partitionBound, func() error { return knownBy(t, s, revoked.ID, 2, held) })
			t.Logf("the edge was known to be away %v after the silence began", time.Since(began))
			for _, edge := range s.Edges() {
				if edge != cut {
					s.Expect(edge, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
					f.refused++
				}
			}
			s.Expect(cut, "/", harness.WithKey(revoked.Key), http.StatusOK, "") // what it holds, as the proof says
			f.allowed++
			f.progress(t, loopProgress)
			f.writing.progress(t, loopProgress)

			if err := network.Heal(t.Context()); err != nil {
				t.Fatal(err)
			}
			healed := time.Now()
			harness.Eventually(t, partitionBound, func() error { return knownBy(t, s, revoked.ID, 3, "") })
			t.Logf("it had caught up %v after the silence ended", time.Since(healed))
			s.Expect(cut, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
			f.refused++
			f.check(t)
			after := s.Metrics(cut)
			if got := after.Sum(laneStates, ofSnapshots) - before.Sum(laneStates, ofSnapshots); got != 0 {
				t.Errorf("it took %v snapshots: it must catch up by deltas", got)
			}
			if after.Sum(laneStates, ofDeltas) <= before.Sum(laneStates, ofDeltas) {
				t.Error("it took no delta")
			}
			if got := after.Sum(laneAlarms); got != 0 {
				t.Errorf("%v alarms", got)
			}
		})
	}
}

// knownBy has no error once so many nodes hold a revocation on their disks and, of all others, one is unreachable; "": none is.
func knownBy(t *testing.T, s *harness.Story, key string, durable int, unreachable string) error {
	t.Helper()
	shown, err := s.API.GetAPIKeyRevocationWithResponse(t.Context(), s.Environment.Name, key)
	s.Must(shown, err)
	status := shown.JSON200.Status
	away := ""
	for _, node := range status.Nodes {
		if node.State == "unreachable" {
			away += node.Node
		}
	}
	if status.Durable != durable || status.NodesTotal != len(s.Edges()) || away != unreachable {
		return fmt.Errorf("the proof's status is %+v, want %d of %d and %q away", status, durable, len(s.Edges()), unreachable)
	}
	return nil
}

func nodeOf(t *testing.T, edge *harness.Edge) string {
	t.Helper()
	status, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Node
}
