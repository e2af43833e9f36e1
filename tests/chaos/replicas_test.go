package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	busConnected = "sallyport_edge_bus_connected"
	// moveBound is how long a node may take to another control plane: ten times what is promised.
	moveBound = 50 * time.Second
)

// own returns a story with edges of its own, on a stack of its own.
func own(t *testing.T, cfg harness.Config, edges int) (*harness.Stack, *harness.Story) {
	t.Helper()
	stack, err := harness.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	s := stack.OwnStory(t, edges, harness.Loopback)
	return stack, s
}

// Two control planes on one database and one bus. Whichever is killed, its nodes move to the other; a write on either reaches
// nodes of the other; usage is taken by both, and counts once.
func TestNodesMoveBetweenControlPlanesThatShareDatabaseAndBus(t *testing.T) {
	stack, s := own(t, harness.Config{Replicas: 2}, 3)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	var all []*traffic
	for _, edge := range s.Edges() {
		all = append(all, run(t, s, edge, p.Key.Key))
	}
	for _, step := range []struct{ killed, left int }{{1, 2}, {2, 1}} {
		if err := stack.KillReplica(step.killed); err != nil {
			t.Fatal(err)
		}
		s.Through(step.left)
		moved(t, s)
		// All nodes are at the one that is left; what is written on the other reaches them all the same.
		if err := stack.ReviveReplica(t.Context(), step.killed); err != nil {
			t.Fatal(err)
		}
		s.Through(step.killed)
		key := s.Key(sallyport.APIKey{Consumer: p.Consumer.Name})
		s.ExpectAll("/", harness.WithKey(key.Key), http.StatusOK, "")
		s.Revoke(key)
		s.ExpectAll("/", harness.WithKey(key.Key), http.StatusUnauthorized, "credential_invalid")
	}
	caughtUp(t, s)
	allowed := 2 * len(s.Edges()) // the keys of before
	for _, edge := range all {
		edge.progress(t, 20)
		edge.end()
		edge.check(t)
		allowed += int(edge.answered.Load())
	}
	usageIs(t, s, harness.Usage{
		{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: allowed,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:               2 * len(s.Edges()),
	})

	// There is one bus, and whoever would start another is told how to share it.
	out, err := stack.Control(t.Context(), "bus", "--bus-listen", "127.0.0.1:0", "--data-dir", t.TempDir())
	if err == nil {
		t.Fatalf("a second bus ran: %s", out)
	}
	for _, want := range []string{"NATS_URL", "there is one bus only"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the second bus was refused by %v, which doesn't say %q", err, want)
		}
	}
}

// moved returns once every edge has both of its streams again, and serves what is written now.
func moved(t *testing.T, s *harness.Story) {
	t.Helper()
	began := time.Now()
	for _, edge := range s.Edges() {
		harness.Eventually(t, moveBound, func() error {
			status, err := edge.Status(t.Context())
			if err == nil && !status.Connected {
				err = fmt.Errorf("%s is connected to nobody", edge.Name)
			}
			return err
		})
	}
	s.Consumer("after-" + began.Format("150405.000000000")[7:])
	t.Logf("all nodes had moved, and served a write, after %v", time.Since(began))
}

// The bus dies and comes back while requests are counted: none is lost, none counts twice.
func TestKillingTheBusLosesNoUsage(t *testing.T) {
	stack, s := own(t, harness.Config{OwnBus: true}, 2)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	var all []*traffic
	for _, edge := range s.Edges() {
		all = append(all, run(t, s, edge, p.Key.Key))
	}
	for range kills() {
		if err := stack.KillBus(); err != nil {
			t.Fatal(err)
		}
		for _, edge := range all {
			edge.progress(t, 200)
		}
		s.Consumer("meanwhile-" + fmt.Sprint(all[0].answered.Load())) // configuration doesn't need the bus
		if err := stack.ReviveBus(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, edge := range all {
			edge.progress(t, 100)
		}
	}
	allowed := 0
	for _, edge := range all {
		edge.end()
		edge.check(t)
		allowed += int(edge.answered.Load())
	}
	usageIs(t, s, harness.Usage{{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: allowed})
}

// Disabling a node cuts its streams and its connection to the bus, and neither comes back: not when the bus or a control plane
// is started again, nor when the node is. It goes on serving what it holds; the others notice nothing.
func TestADisabledNodeIsCutOffForGood(t *testing.T) {
	for name, cfg := range map[string]harness.Config{
		"with a bus of its own process": {Replicas: 2}, "with an unchanged nats-server": {Replicas: 2, NATSServer: true},
	} {
		t.Run(name, func(t *testing.T) {
			stack, s := own(t, cfg, 2)
			p := s.Protected(harness.NewUpstream(t, nil).Address)
			bad, good := s.Edges()[0], s.Edges()[1]
			status, err := bad.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			awaitBus(t, s, bad, 1)
			for n := 1; n <= 2; n++ { // on either; the second time changes nothing
				s.Through(n)
				disabled, err := s.API.DisableNodeWithResponse(t.Context(), s.Environment.Name, status.Node)
				s.Must(disabled, err)
				if !disabled.JSON200.Disabled {
					t.Errorf("it is %+v", disabled.JSON200)
				}
				cutOff(t, s, bad)
			}
			if err := stack.KillBus(); err != nil {
				t.Fatal(err)
			}
			if err := stack.KillReplica(1); err != nil {
				t.Fatal(err)
			}
			if err := stack.ReviveBus(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := stack.ReviveReplica(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if err := bad.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := bad.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			awaitBus(t, s, good, 1)
			cutOff(t, s, bad)
			revoked, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, p.Key.ID, &sallyport.DeleteAPIKeyParams{Wait: s.Wait()})
			s.Must(revoked, err)
			if applied := revoked.HTTPResponse.Header.Get("Sallyport-Applied"); applied != "1/1" {
				t.Errorf("a write was applied on %s", applied)
			}
			s.Expect(good, "/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
			s.Expect(bad, "/", harness.WithKey(p.Key.Key), http.StatusOK, "") // what it held; the operator stops the process
			// What the other one counts still arrives.
			usageIs(t, s, harness.Usage{{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}: 1})

			enabled, err := s.API.EnableNodeWithResponse(t.Context(), s.Environment.Name, status.Node)
			s.Must(enabled, err)
			caughtUp(t, s)
			s.ExpectAll("/", harness.WithKey(p.Key.Key), http.StatusUnauthorized, "credential_invalid")
		})
	}
}

// cutOff returns once an edge has neither stream nor bus.
func cutOff(t *testing.T, s *harness.Story, edge *harness.Edge) {
	t.Helper()
	harness.Eventually(t, moveBound, func() error {
		status, err := edge.Status(t.Context())
		if err == nil && status.Connected {
			err = fmt.Errorf("%s still has its streams", edge.Name)
		}
		return err
	})
	awaitBus(t, s, edge, 0)
}

func awaitBus(t *testing.T, s *harness.Story, edge *harness.Edge, want float64) {
	t.Helper()
	harness.Eventually(t, moveBound, func() error {
		if got := s.Metrics(edge).Sum(busConnected); got != want {
			return fmt.Errorf("%s of %s is %v, want %v", busConnected, edge.Name, got, want)
		}
		return nil
	})
}

// The primary is killed under writes and traffic, and the standby promoted: every acknowledged write is there, no request
// failed, and all nodes are current again.
func TestFailoverOfTheDatabaseLosesNoAcknowledgedWriteAndFailsNoRequest(t *testing.T) {
	if !harness.CanFailOver(t.Context()) {
		t.Skip("this PostgreSQL has no pg_basebackup, without which there is no standby")
	}
	stack, s := own(t, harness.Config{Replicas: 2, Standby: true}, 2)
	p := s.Protected(harness.NewUpstream(t, nil).Address)
	var all []*traffic
	for _, edge := range s.Edges() {
		all = append(all, run(t, s, edge, p.Key.Key))
	}
	writing := write(t, s, p.Service.Name)
	writing.progress(t, 40)

	if err := stack.KillDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, edge := range all {
		edge.progress(t, 100)
	}
	if err := stack.FailOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	writing.progress(t, 40)
	t.Logf("40 writes were acknowledged %v after the promotion", time.Since(began))
	writing.end()
	allowed := 0
	for _, edge := range all {
		edge.end()
		edge.check(t)
		allowed += int(edge.answered.Load())
	}
	writing.check(t)
	caughtUp(t, s)
	s.Through(2)
	late := keyAfterFailover(t, s, p.Consumer.Name)
	s.ExpectAll("/", harness.WithKey(late.Key), http.StatusUnauthorized, "credential_invalid")
	usageIs(t, s, harness.Usage{
		{Route: p.Route.ID, Consumer: p.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: allowed,
		{Route: p.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:               len(s.Edges()),
	})
}

// keyAfterFailover makes a key and revokes it. That a connection of a replica's pool has died with the old primary shows only who uses it: their write is refused, with nothing
// done, and tried again.
func keyAfterFailover(t *testing.T, s *harness.Story, consumer string) (late sallyport.APIKey) {
	t.Helper()
	harness.Eventually(t, moveBound, func() error {
		made, err := s.API.CreateAPIKeyWithResponse(t.Context(), s.Environment.Name, nil, sallyport.APIKey{Consumer: consumer})
		if err := sallyport.Check(made, err); err != nil {
			return err
		}
		late = *made.JSON201
		return nil
	})
	harness.Eventually(t, moveBound, func() error {
		gone, err := s.API.DeleteAPIKeyWithResponse(t.Context(), s.Environment.Name, late.ID, &sallyport.DeleteAPIKeyParams{Wait: s.Wait()})
		if err := sallyport.Check(gone, err); err != nil {
			return err
		}
		s.Applied(gone.HTTPResponse)
		return nil
	})
	return late
}
