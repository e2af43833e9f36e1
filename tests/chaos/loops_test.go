package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	// fleetEdges is how many edges the stories below have.
	fleetEdges = 4
	// between a death and the next start, and a start and the next death, each edge answers this many requests.
	loopProgress = 25
)

// longer returns how long a story goes on: so long in every run, and this much longer in a long one.
func longer(short, long time.Duration) time.Duration {
	if os.Getenv("SALLYPORT_LONG") != "" {
		return long
	}
	return short
}

// Each of what a fleet stands on dies again and again, for half a minute (five in a long run), under traffic on four edges and writes
// to both lanes.
func TestAFleetServesWhileWhatItStandsOnDiesAgainAndAgain(t *testing.T) {
	stack, s := own(t, harness.Config{OwnBus: true}, fleetEdges)
	for _, part := range []struct {
		name   string
		kill   func(context.Context) error
		revive func(context.Context) error
	}{
		{"control plane", func(context.Context) error { return stack.KillControl() }, stack.ReviveControl},
		{"bus", func(context.Context) error { return stack.KillBus() }, stack.ReviveBus},
		{"database", stack.KillDatabase, stack.ReviveDatabase},
	} {
		t.Run(part.name, func(t *testing.T) {
			f := begin(t, s)
			deaths := 0
			for until := time.Now().Add(longer(30*time.Second, 5*time.Minute)); time.Now().Before(until); deaths++ {
				if err := part.kill(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.progress(t, loopProgress)
				if err := part.revive(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.progress(t, loopProgress)
			}
			t.Logf("the %s died %d times", part.name, deaths)
			f.check(t)
		})
	}
}

// Control plane, bus and database are dead for a minute (ten in a long run); an edge is killed meanwhile, and starts off its disk.
func TestAFleetServesWithNothingButItselfAndAnEdgeOfItRestarts(t *testing.T) {
	stack, whole := own(t, harness.Config{OwnBus: true}, fleetEdges)
	f := begin(t, whole)
	s := f.story
	early := s.Key(sallyport.APIKey{Consumer: f.protected.Consumer.Name})
	s.Revoke(early)
	if err := stack.KillControl(); err != nil {
		t.Fatal(err)
	}
	if err := stack.KillBus(); err != nil {
		t.Fatal(err)
	}
	if err := stack.KillDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	dead := time.Now()
	restarted := s.Edges()[fleetEdges-1]
	f.traffic[fleetEdges-1].end() // what its clients see of a kill is theirs
	if err := restarted.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := restarted.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Expect(restarted, "/", harness.WithKey(early.Key), http.StatusUnauthorized, "credential_invalid")
	f.refused++
	again := run(t, s, restarted, f.protected.Key.Key)
	f.traffic = append(f.traffic, again)
	for time.Since(dead) < longer(time.Minute, 10*time.Minute) {
		for _, edge := range append(f.traffic[:fleetEdges-1:fleetEdges-1], again) {
			edge.progress(t, loopProgress)
		}
	}
	for _, revive := range []func(context.Context) error{stack.ReviveDatabase, stack.ReviveBus, stack.ReviveControl} {
		if err := revive(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.check(t)
}

// fleetAtWork is a service behind API keys, traffic that its policies allow on every edge, and writes to both lanes.
type fleetAtWork struct {
	story     *harness.Story
	protected harness.Protected
	traffic   []*traffic
	writing   *writers
	allowed   int // requests with a good key beside the traffic
	refused   int // requests with a revoked key
	ended     int // requests with a key that had expired
}

func begin(t *testing.T, s *harness.Story) *fleetAtWork {
	t.Helper()
	return beginAt(t, s, harness.NewUpstream(t, nil).Address)
}

// beginAt is begin with a service that is there already.
func beginAt(t *testing.T, s *harness.Story, target string) *fleetAtWork {
	t.Helper()
	s = s.Environment.Story(t)
	f := &fleetAtWork{story: s, protected: s.Protected(target)}
	for _, edge := range s.Edges() {
		f.traffic = append(f.traffic, run(t, s, edge, f.protected.Key.Key))
	}
	f.writing = write(t, s, f.protected.Service.Name)
	f.progress(t, loopProgress)
	f.writing.progress(t, loopProgress)
	return f
}

// progress returns once every edge has answered this many more requests.
func (f *fleetAtWork) progress(t *testing.T, more int64) {
	t.Helper()
	for _, edge := range f.traffic {
		edge.progress(t, more)
	}
}

// check ends traffic and writes, and fails the test unless no request failed, no acknowledged write is lost, a key that is revoked is
// refused by all, every node holds exactly the head, and what was answered was counted.
func (f *fleetAtWork) check(t *testing.T) {
	t.Helper()
	s := f.story
	if err := s.Environment.AwaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.writing.progress(t, loopProgress)
	f.writing.end()
	allowed := f.allowed
	for _, edge := range f.traffic {
		edge.end()
		edge.check(t)
		allowed += int(edge.answered.Load())
	}
	f.writing.check(t)
	t.Logf("%d requests answered, %d writes acknowledged and %d not", allowed, f.writing.count(), f.writing.failed)

	last := s.Key(sallyport.APIKey{Consumer: f.protected.Consumer.Name})
	s.ExpectAll("/", harness.WithKey(last.Key), http.StatusOK, "")
	allowed += len(s.Edges())
	s.Revoke(last)
	s.ExpectAll("/", harness.WithKey(last.Key), http.StatusUnauthorized, "credential_invalid")
	f.refused += len(s.Edges())
	caughtUp(t, s)
	level(t, s)
	harness.Eventually(t, 2*time.Minute, func() error {
		usage, err := s.Environment.Usage(t.Context())
		if err != nil {
			return err
		}
		of := harness.Usage{}
		for key, n := range usage {
			if key.Route == f.protected.Route.ID {
				of[key] = n
			}
		}
		return of.Check(harness.Usage{
			{Route: f.protected.Route.ID, Consumer: f.protected.Consumer.ID, StatusClass: 2, Verdict: "allowed"}: allowed,
			{Route: f.protected.Route.ID, StatusClass: 4, Verdict: "credential_invalid"}:                         f.refused,
			{Route: f.protected.Route.ID, StatusClass: 4, Verdict: "credential_expired"}:                         f.ended,
		})
	})
}

// level fails the test unless all nodes say, asked now, that they hold the same states of both lanes.
func level(t *testing.T, s *harness.Story) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		asked, err := s.API.ListNodeHealthWithResponse(t.Context(), s.Environment.Name, nil)
		if err := sallyport.Check(asked, err); err != nil {
			return err
		}
		nodes := asked.JSON200.Data
		if len(nodes) != len(s.Edges()) {
			return fmt.Errorf("%d nodes are there, want %d", len(nodes), len(s.Edges()))
		}
		for _, node := range nodes {
			if !node.Answered || node.Configuration.Digest == "" || !same(node.Configuration, nodes[0].Configuration) || !same(node.Directory, nodes[0].Directory) {
				return fmt.Errorf("%+v differs from %+v", node, nodes[0])
			}
		}
		return nil
	})
}

func same(a, b sallyport.NodeLane) bool {
	return a.Epoch == b.Epoch && a.Number == b.Number && a.Digest == b.Digest
}
