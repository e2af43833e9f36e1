package fleet_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// materials is a fleet.Materials in memory.
type materials struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (m *materials) Material(_ context.Context, name string, generate func() ([]byte, error)) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept, ok := m.kept[name]; ok {
		return kept, nil
	}
	made, err := generate()
	if err != nil {
		return nil, err
	}
	if m.kept == nil {
		m.kept = make(map[string][]byte)
	}
	m.kept[name] = made
	return made, nil
}

const (
	configuration = edgev1.Lane_LANE_CONFIGURATION
	directory     = edgev1.Lane_LANE_DIRECTORY
)

// bench is lanes over a store in memory, and one node that holds nothing yet.
type bench struct {
	t        *testing.T
	store    *edgetest.Store
	lanes    *fleet.Lanes
	roster   *fleet.Roster
	stats    *fleet.Stats
	signer   *fleet.Signer
	identity fleet.Identity
}

func newBench(t *testing.T) *bench {
	t.Helper()
	environment := id.Text("env", id.New(time.Now()))
	signer, err := fleet.LoadSigner(t.Context(), &materials{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, store: edgetest.NewStore(environment), stats: new(fleet.Stats), signer: signer,
		identity: fleet.Identity{Environment: environment, Node: id.Text("node", id.New(time.Now()))},
	}
	log := slog.New(slog.DiscardHandler)
	b.lanes = fleet.NewLanes(b.store, signer, nil, b.store, log, b.stats)
	b.roster = fleet.NewRoster(nil, log, b.stats)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.lanes.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) open(kind edgev1.Lane) *fleet.Lane {
	b.t.Helper()
	lane, release, err := b.lanes.Open(b.t.Context(), b.identity.Environment, kind)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(release)
	return lane
}

func (b *bench) replica(kind edgev1.Lane) *edgetest.Replica {
	return edgetest.NewReplica(kind, b.identity.Environment, []*edgev1.SigningKey{b.signer.Key()})
}

func (b *bench) greet(lane *fleet.Lane, hello *edgev1.Hello) (*fleet.Session, error) {
	seat := b.roster.Seat(b.identity, lane.Kind(), hello)
	return fleet.Greet(b.t.Context(), lane, b.identity, seat, hello, slog.New(slog.DiscardHandler))
}

func (b *bench) mustGreet(lane *fleet.Lane, r *edgetest.Replica) *fleet.Session {
	b.t.Helper()
	session, err := b.greet(lane, r.Hello())
	if err != nil {
		b.t.Fatal(err)
	}
	return session
}

// awaitHead waits until the lane has come to a number.
func (b *bench) awaitHead(lane *fleet.Lane, number uint64) {
	b.t.Helper()
	for {
		head, changed := lane.Head()
		if head.Number >= number {
			return
		}
		select {
		case <-changed:
		case <-b.t.Context().Done():
			b.t.Fatalf("the head never came to %d", number)
		}
	}
}

// next returns the step that must be there.
func (b *bench) next(session *fleet.Session) *fleet.Step {
	b.t.Helper()
	step, err := session.Next(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if step == nil {
		b.t.Fatal("there is nothing to send")
	}
	return step
}

// nothing makes sure that there is no step.
func (b *bench) nothing(session *fleet.Session) {
	b.t.Helper()
	if step, err := session.Next(b.t.Context()); err != nil || step != nil {
		b.t.Fatalf("there is something to send: %+v, %v", step, err)
	}
}

// apply makes the replica apply a step.
func (b *bench) apply(r *edgetest.Replica, step *fleet.Step) {
	b.t.Helper()
	var err error
	if step.Snapshot != nil {
		var whole []byte
		for _, chunk := range step.Snapshot.Chunks {
			whole = append(whole, chunk...)
		}
		err = r.ApplySnapshot(step.Signed, whole)
	} else {
		err = r.ApplyDelta(step.Signed, step.Delta.From, step.Delta.Objects, step.Delta.Entries)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// take makes the replica apply the step that must be there, and acks it.
func (b *bench) take(session *fleet.Session, r *edgetest.Replica) *fleet.Step {
	b.t.Helper()
	step := b.next(session)
	b.apply(r, step)
	if err := session.Ack(&edgev1.Ack{Number: r.Number, Digest: r.Digest()}); err != nil {
		b.t.Fatal(err)
	}
	return step
}
