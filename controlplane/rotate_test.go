package controlplane_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const lockBound = 30 * time.Second

// eventually tries until there is no error.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(lockBound)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal(err)
		}
	}
}

func rotateRoot(t *testing.T, cfg controlplane.Config, next string) (string, error) {
	t.Helper()
	commands, err := controlplane.Open(t.Context(), cfg)
	if err != nil {
		return "", err
	}
	defer commands.Close()
	return commands.RotateRoot(t.Context(), next, "")
}

// replicas counts those that have shown that they run.
func replicas(t *testing.T, db *postgres.DB) (n int) {
	t.Helper()
	err := db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND d.datname = current_database()`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheRootKeyIsChangedWhileNoReplicaRunsAndEverythingGoesOn(t *testing.T) {
	cfg := configOf(t)
	at, stop := start(t, cfg)
	_, joinToken := operate(t, cfg)
	node, err := edgetest.Enroll(t.Context(), at.Edge, joinToken, "n1")
	if err != nil {
		t.Fatal(err)
	}
	node.Close()
	db, err := postgres.Open(t.Context(), cfg.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	running := func() error {
		if replicas(t, db) == 0 {
			return errors.New("the replica doesn't show that it runs")
		}
		return nil
	}
	eventually(t, running)
	next := cfg
	next.RootKey = strings.Repeat("e1", 32)
	if _, err := rotateRoot(t, cfg, next.RootKey); !errors.Is(err, secrets.ErrInUse) {
		t.Fatalf("beside a replica: %v", err)
	}
	stop()
	eventually(t, func() error {
		if running() == nil {
			return errors.New("the replica is still there")
		}
		return nil
	})
	if _, err := rotateRoot(t, cfg, cfg.RootKey); !errors.Is(err, secrets.ErrSameRootKey) {
		t.Errorf("for itself: %v", err)
	}
	if _, err := rotateRoot(t, cfg, "short"); !errors.Is(err, secrets.ErrRootKey) {
		t.Errorf("for none: %v", err)
	}
	if said, err := rotateRoot(t, cfg, next.RootKey); err != nil || !strings.Contains(said, "start every replica with it") {
		t.Fatalf("%q, %v", said, err)
	}
	if err := controlplane.Run(t.Context(), cfg); !errors.Is(err, secrets.ErrWrongRootKey) {
		t.Errorf("under the old root key: %v", err)
	}
	next.EdgeListen = at.Edge // where the node looks for it
	start(t, next)
	if err := node.Connect(); err != nil { // the authority is the same
		t.Fatal(err)
	}
	defer node.Close()
	replica := node.Replica(edgev1.Lane_LANE_DIRECTORY) // so is the signing key
	stream, err := node.Open(t.Context(), edgev1.Lane_LANE_DIRECTORY, replica.Hello())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	event, err := stream.NextState() // with the pepper in it
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Apply(replica, event); err != nil || len(replica.Entries) == 0 {
		t.Errorf("%d entries, %v", len(replica.Entries), err)
	}
}

func TestRotationsAreSaidInTheStatus(t *testing.T) {
	cfg := configOf(t)
	_, _ = operate(t, cfg)
	commands, err := controlplane.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer commands.Close()
	environment, err := commands.CreateEnvironment(t.Context(), "rotated", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"signing", "authority", "bus"} {
		if said, err := commands.RotateKey(t.Context(), kind); err != nil || !strings.Contains(said, "is announced") {
			t.Errorf("%s: %q, %v", kind, said, err)
		}
	}
	if _, err := commands.RotateKey(t.Context(), "door"); err == nil {
		t.Error("rotated a door's key")
	}
	if _, err := commands.RotatePepper(t.Context(), "rotated"); err != nil {
		t.Error(err)
	}
	status, err := commands.RotationStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"trust version 4:", "signing: announced", "authority: announced", "bus: announced", "pepper of " + environment + ": retired, 1 -> 2", "in use not yet",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("the status lacks %q:\n%s", want, status)
		}
	}
}

// It had read what it needs before, and would seal the next secret under a key that nobody starts with any more.
func TestAReplicaEndsThatMissedAChangeOfTheRootKey(t *testing.T) {
	cfg := configOf(t)
	commands, err := controlplane.Open(t.Context(), cfg) // makes what is sealed
	if err != nil {
		t.Fatal(err)
	}
	defer commands.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg.Ready = func(controlplane.Addresses) error { // it has opened its vault, and hasn't shown itself yet
		_, err := commands.RotateRoot(ctx, strings.Repeat("e2", 32), "")
		return err
	}
	if err := controlplane.Run(ctx, cfg); !errors.Is(err, secrets.ErrWrongRootKey) {
		t.Fatalf("it ended with %v", err)
	}
}
