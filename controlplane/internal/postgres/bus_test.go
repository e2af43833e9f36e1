package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestDisablingRevokesEveryBusJWTThatWasMadeUntilThen(t *testing.T) {
	f, environment := fleetDatabase(t)
	identity := fleet.Identity{Environment: environment, Node: enrol(t, f, insertJoinToken(t, f, environment, "a", 1))}
	// Of a replica whose clock is ahead of the database's.
	ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	if err := f.Renewed(t.Context(), identity, fleet.Renewed{CertificateExpires: ahead, BusIssuedAt: ahead}); err != nil {
		t.Fatal(err)
	}
	revoked := func() []fleet.BusRevocation {
		t.Helper()
		list, err := f.BusRevocations(t.Context(), time.Now().Add(-fleet.RevocationLife), 10)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := revoked(); len(list) != 0 {
		t.Fatalf("before: %v", list)
	}
	for range 2 {
		if err := f.SetNodeEnabled(t.Context(), environment, identity.Node, false); err != nil {
			t.Fatal(err)
		}
		if list := revoked(); len(list) != 1 || list[0].Key != "U" || !list[0].Until.Equal(ahead) {
			t.Errorf("disabled: %v, want U until %v", list, ahead)
		}
	}
	if err := f.SetNodeEnabled(t.Context(), environment, identity.Node, true); err != nil {
		t.Fatal(err)
	}
	if list := revoked(); len(list) != 1 {
		t.Errorf("enabled again, what it knew comes back: %v", list)
	}
	if kept, err := f.Renewal(t.Context(), identity); err != nil || !kept.Enabled || !kept.RevokedUntil.Equal(ahead) {
		t.Errorf("a renewal knows %+v, %v", kept, err)
	}
	if err := f.SetNodeEnabled(t.Context(), "env_other", identity.Node, false); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("from another environment: %v", err)
	}
}

func TestDisablingIsToldToEveryReplica(t *testing.T) {
	db := open(t)
	told := make(chan string, 16)
	listener := postgres.NewListener(db, slog.New(slog.DiscardHandler))
	listener.OnDisabled(func(node string) { told <- node })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- listener.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	ring := time.NewTicker(10 * time.Millisecond) // until it listens
	defer ring.Stop()
	for {
		select {
		case node := <-told:
			if node != "node_x" {
				t.Errorf("told of %q", node)
			}
			return
		case <-ring.C:
			if _, err := db.Pool().Exec(t.Context(), "SELECT pg_notify('sallyport_disabled', 'node_x')"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSecondBusIsRefusedInWordsThatSayHowToShareOne(t *testing.T) {
	db := open(t)
	first, err := db.ClaimBus(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ClaimBus(t.Context(), slog.New(slog.DiscardHandler))
	if !errors.Is(err, postgres.ErrBusClaimed) {
		t.Fatalf("the second: %v", err)
	}
	for _, want := range []string{"NATS_URL", "sallyport-control bus", "127.0.0.1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q doesn't name %q", err, want)
		}
	}
	first.Drop()
	second, err := db.ClaimBus(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("after the first gave it back: %v", err)
	}
	second.Drop()
}

func TestClaimOfTheBusIsTakenAgainAfterItsConnectionBroke(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t, postgres.Migrate)
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	claim, err := db.ClaimBus(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ended := runClaim(t, claim)
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	holder := func() (pid int) {
		err := other.QueryRow(t.Context(), `SELECT coalesce(max(pid), 0) FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'advisory' AND granted AND application_name LIKE 'sallyport-bus%' AND datname = current_database()`).Scan(&pid)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	before := holder()
	kill := func(pid int) {
		if _, err := other.Exec(t.Context(), "SELECT pg_terminate_backend($1, 10000)", pid); err != nil {
			t.Fatal(err)
		}
	}
	kill(before)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for holder() == 0 {
		<-look.C
	}
	// Somebody else is faster the next time: the bus must end.
	kill(holder())
	for taken := false; !taken; {
		if err := other.QueryRow(t.Context(), "SELECT pg_try_advisory_lock(5999160069432956243)").Scan(&taken); err != nil {
			t.Fatal(err)
		}
		if !taken {
			kill(holder())
		}
	}
	if err := <-ended; !errors.Is(err, postgres.ErrBusClaimed) {
		t.Errorf("it ended with %v", err)
	}
}

// runClaim keeps a claim until the test ends, and says how that ended.
func runClaim(t *testing.T, claim *postgres.BusClaim) <-chan error {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- claim.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		claim.Drop()
	})
	return ended
}
