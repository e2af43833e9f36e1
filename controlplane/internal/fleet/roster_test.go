package fleet_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// reports is the part of a fleet.NodeStore that a roster uses; the rest lies with Postgres.
type reports struct {
	fleet.NodeStore
	mu      sync.Mutex
	failing bool
	allowed map[string]bool
	written chan []fleet.LaneReport
}

func (s *reports) Report(_ context.Context, all []fleet.LaneReport, _ time.Duration) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		s.failing = false
		return nil, errors.New("gone")
	}
	s.written <- all
	var enabled []string
	for _, r := range all {
		if s.allowed[r.Node] {
			enabled = append(enabled, r.Node)
		}
	}
	return enabled, nil
}

func runRoster(t *testing.T, store *reports) (roster *fleet.Roster, stop func()) {
	t.Helper()
	roster = fleet.NewRoster(store, slog.New(slog.DiscardHandler), new(fleet.Stats))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- roster.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return roster, stop
}

func TestAnswerThatCouldNotBeWrittenIsWrittenLater(t *testing.T) {
	b := newBench(t)
	store := &reports{failing: true, allowed: map[string]bool{b.identity.Node: true}, written: make(chan []fleet.LaneReport, 16)}
	b.roster, _ = runRoster(t, store)
	lane, r := b.open(directory), b.replica(directory)
	b.take(b.mustGreet(lane, r), r)
	for {
		for _, report := range <-store.written {
			if report.Held != nil && report.Held.Epoch == 1 {
				return
			}
		}
	}
}

func TestStreamOfANodeThatMayNotBeServedEnds(t *testing.T) {
	b := newBench(t)
	store := &reports{allowed: map[string]bool{}, written: make(chan []fleet.LaneReport, 16)}
	roster, _ := runRoster(t, store)
	seat := roster.Seat(b.identity, directory, &edgev1.Hello{})
	seat.Leave() // makes it due; a stream that goes on is found by the next beat
	<-seat.Ended()
}

func TestLastWordIsWrittenWhenTheRosterStops(t *testing.T) {
	b := newBench(t)
	store := &reports{allowed: map[string]bool{b.identity.Node: true}, written: make(chan []fleet.LaneReport, 16)}
	roster, stop := runRoster(t, store)
	seat := roster.Seat(b.identity, directory, &edgev1.Hello{Build: "v1"})
	answered := roster.Answered()
	seat.Leave()
	stop()
	<-answered
	reports := <-store.written
	if len(reports) != 1 || reports[0].Connected || reports[0].Build != "v1" {
		t.Errorf("%+v", reports)
	}
}
