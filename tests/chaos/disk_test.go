package chaos

import (
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	stateLoaded = "sallyport_edge_state_loaded_number"
	stateAlarms = "sallyport_edge_state_alarms_total"
)

// Control plane, bus and database are dead, and an edge is killed on top: it serves again from its own disk, knows what was revoked, and
// goes on by deltas when the others come back.
func TestAnEdgeStartsFromItsDiskWithEverythingElseDead(t *testing.T) {
	s := product.OwnStory(t, 2, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	revoked := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.ExpectAll("/", harness.WithKey(revoked.Key), http.StatusOK, "")
	s.Revoke(revoked)
	killed, other := s.Edges()[0], s.Edges()[1]
	serving := run(t, s, other, p.Key.Key)

	kill(t)
	if err := product.KillDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := killed.Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := killed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready %v after its start, with nobody to ask", time.Since(began))
	s.Expect(killed, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	s.Expect(killed, "/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	s.Expect(killed, "/", nil, http.StatusUnauthorized, "credential_missing")
	metrics := s.Metrics(killed)
	for _, lane := range []string{`lane="configuration"`, `lane="directory"`} {
		if metrics.Sum(stateLoaded, lane) == 0 {
			t.Errorf("nothing was loaded of %s", lane)
		}
	}
	again := run(t, s, killed, p.Key.Key)
	serving.progress(t, 100)
	again.progress(t, 100)

	if err := product.ReviveDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := product.ReviveControl(t.Context()); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, s)
	late := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
	s.ExpectAll("/", harness.WithKey(late.Key), http.StatusOK, "")
	s.ExpectAll("/", harness.WithKey(revoked.Key), http.StatusUnauthorized, "credential_invalid")
	metrics = s.Metrics(killed)
	if got := metrics.Sum(laneStates, ofSnapshots); got != 0 {
		t.Errorf("it took %v snapshots: it must go on by deltas from its disk", got)
	}
	if metrics.Sum(laneStates, ofDeltas) == 0 {
		t.Error("it took no delta")
	}
	for _, alarm := range []string{stateAlarms, laneAlarms} {
		if got := metrics.Sum(alarm); got != 0 {
			t.Errorf("%v %s", got, alarm)
		}
	}
	for _, w := range []*traffic{serving, again} {
		w.end()
		w.check(t)
	}
	s.Revoke(p.Key)
	s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
}

// An edge dies twice soon after a revision: it comes back with the one before, says why it refuses the other, and takes the next.
func TestAnEdgeThatDiesTwiceOnARevisionTakesTheOneBefore(t *testing.T) {
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	edge := s.Edges()[0]
	s.Route(sallyport.Route{Name: s.Name("fatal"), Service: p.Service.Name, Paths: harness.Exactly("/fatal"), Hosts: []string{"fatal." + s.Host}})
	fatal := s.Head().Revision
	for range 2 {
		if err := edge.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := edge.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.Expect(edge, "/", harness.WithKey(p.Key.Key), http.StatusOK, "")
	status, err := edge.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if int(status.Revision) >= fatal {
		t.Fatalf("it holds revision %d, on which it died twice", status.Revision)
	}
	if got := s.Metrics(edge).Sum("sallyport_edge_state_blocked_revision"); int(got) != fatal {
		t.Errorf("blocked is %v, want %d", got, fatal)
	}
	if err := s.Environment.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Route(sallyport.Route{Name: s.Name("mended"), Service: p.Service.Name, Paths: harness.Below("/mended"), Hosts: []string{"mended." + s.Host}})
	caughtUp(t, s)
}
