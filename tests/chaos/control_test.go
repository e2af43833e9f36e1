package chaos

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	laneStates  = "sallyport_edge_lane_states_total"
	laneAlarms  = "sallyport_edge_lane_alarms_total"
	ofSnapshots = `event="snapshots"`
	ofDeltas    = `event="deltas"`
)

// The control plane is killed several times, in the middle of writes, while both edges are asked all the time.
func TestKillingTheControlPlaneFailsNoRequestAndLosesNoWrite(t *testing.T) {
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	last := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	snapshots := map[*harness.Edge]float64{}
	deltas := map[*harness.Edge]float64{}
	var all []*traffic
	for _, edge := range s.Edges() {
		metrics := s.Metrics(edge)
		if !metrics.Has(laneStates) {
			t.Fatalf("%s has no metric %s", edge.Name, laneStates)
		}
		snapshots[edge], deltas[edge] = metrics.Sum(laneStates, ofSnapshots), metrics.Sum(laneStates, ofDeltas)
		all = append(all, run(t, s, edge, p.Key.Key))
	}
	writing := write(t, s, p.Service.Name)

	for range kills() {
		writing.progress(t, 40)
		kill(t)
		for _, edge := range all {
			edge.progress(t, 100) // with nobody to ask
		}
		if err := product.ReviveControl(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	writing.progress(t, 40)
	writing.end()
	for _, edge := range all {
		edge.end()
	}

	for _, edge := range all {
		edge.check(t)
	}
	writing.check(t)
	t.Logf("%d writes acknowledged and %d not, %d and %d requests answered",
		writing.count(), writing.failed, all[0].answered.Load(), all[1].answered.Load())
	caughtUp(t, s)
	for _, edge := range s.Edges() {
		metrics := s.Metrics(edge)
		if got := metrics.Sum(laneStates, ofSnapshots); got != snapshots[edge] {
			t.Errorf("%s took %v snapshots: it must resume by deltas", edge.Name, got-snapshots[edge])
		}
		if metrics.Sum(laneStates, ofDeltas) <= deltas[edge] {
			t.Errorf("%s took no delta", edge.Name)
		}
		if got := metrics.Sum(laneAlarms); got != 0 {
			t.Errorf("%s raised %v alarms", edge.Name, got)
		}
	}

	// All of it works as before: a revocation is in force on both once the write returns.
	s.Revoke(last)
	s.ExpectAll("/", harness.WithKey(last.Key), http.StatusUnauthorized, "credential_invalid")
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	allowed := int(all[0].answered.Load()+all[1].answered.Load()) + len(s.Edges())
	usageIs(t, s, harness.Usage{
		{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: allowed,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:               len(s.Edges()),
	})
}

// An edge that has been told of a revocation holds it without the control plane.
func TestARevokedKeyStaysRefusedWhileTheControlPlaneIsDead(t *testing.T) {
	s := product.Story(t)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	s.Revoke(p.Key)
	kill(t)

	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")

	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, s)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}

// kills is how often the control plane is killed: a few times, or as often as a long run has time for.
func kills() int {
	if os.Getenv("SALLYPORT_LONG") != "" {
		return 100
	}
	return 4
}

func kill(t *testing.T) {
	t.Helper()
	if err := product.KillControl(); err != nil {
		t.Fatal(err)
	}
}

// caughtUp returns once every edge is connected and holds the environment's head.
func caughtUp(t *testing.T, s *harness.Story) {
	t.Helper()
	if err := s.Environment.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	head := s.Head()
	for _, edge := range s.Edges() {
		harness.Eventually(t, time.Minute, func() error {
			status, err := edge.Status(t.Context())
			if err != nil {
				return err
			}
			if int(status.Revision) != head.Revision || int(status.Sequence) != head.Sequence {
				return fmt.Errorf("%s holds %+v, the head is %+v", edge.Name, status, head)
			}
			return nil
		})
	}
}

// usageIs returns once the control plane knows exactly these requests.
func usageIs(t *testing.T, s *harness.Story, want harness.Usage) {
	t.Helper()
	harness.Eventually(t, 2*time.Minute, func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		return usage.Check(want)
	})
}
