package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	local "github.com/sallyport/sallyport/deploy/local/postgres"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// pair is a primary, its synchronous standby, and the URL of both.
type pair struct {
	primary, standby *local.Server
	url              string
}

func newPair(t *testing.T) pair {
	t.Helper()
	if os.Getenv("DATABASE_URL") != "" {
		t.Skip("a failover needs two servers of our own, and DATABASE_URL names another")
	}
	dir := t.TempDir()
	primary, err := local.Start(t.Context(), local.Config{Dir: dir + "/primary", Throwaway: true})
	if err != nil {
		t.Fatal(err)
	}
	stopServer(t, primary)
	if err := primary.EnsureDatabase(t.Context(), "sallyport"); err != nil {
		t.Fatal(err)
	}
	standby, err := local.StartStandby(t.Context(), local.Config{Dir: dir + "/standby"}, primary)
	if errors.Is(err, local.ErrNoBaseBackup) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	stopServer(t, standby)
	if err := primary.RequireStandby(t.Context()); err != nil {
		t.Fatal(err)
	}
	url, err := local.DSNOfAll("sallyport", standby, primary) // the standby first: it must be passed over
	if err != nil {
		t.Fatal(err)
	}
	return pair{primary, standby, url}
}

func stopServer(t *testing.T, server *local.Server) {
	t.Helper()
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(server.Dir()); err != nil { // it may lie elsewhere than in the test's folder
			t.Error(err)
		}
	})
}

// The primary is killed under writes, and the standby promoted: what was acknowledged is there, what wasn't was refused
// as "unavailable", and everything goes on with the same URL: writes, the news of commits, the claim of the bus.
func TestFailoverToAStandbyLosesNothingThatWasAcknowledged(t *testing.T) {
	p := newPair(t)
	if err := postgres.Migrate(t.Context(), p.url); err != nil {
		t.Fatal(err)
	}
	db, err := postgres.Open(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	claim, err := db.ClaimBus(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	claimEnded := runClaim(t, claim)
	listener := postgres.NewListener(db, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = listener.Run(ctx) }) // never fails
	w := &failoverWriter{environments: environments.New(db, vault(t, db))}
	for range 4 {
		running.Go(func() { w.run(ctx) })
	}
	t.Cleanup(func() { cancel(); running.Wait() })

	w.await(t, 50)
	if err := syscall.Kill(p.primary.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.primary.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.awaitFailures(t)
	if err := p.standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await(t, w.count()+50)
	told, forget := listener.Subscribe()
	last, err := w.environments.Create(t.Context(), &adminv1.Environment{Name: "last"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	for environment := range told {
		if environment == last.GetId() {
			break
		}
	}
	forget()
	cancel()
	running.Wait()

	for _, name := range w.kept {
		if _, err := w.environments.Get(t.Context(), name); err != nil {
			t.Errorf("%s was acknowledged, and now: %v", name, err)
		}
	}
	for _, err := range w.failed {
		if problem.CodeOf(err) != problem.Unavailable {
			t.Errorf("refused with %v", err)
		}
	}
	t.Logf("%d writes acknowledged, %d refused", len(w.kept), len(w.failed))
	awaitClaim(t, p.standby.DSN("sallyport"))
	select {
	case err := <-claimEnded:
		t.Errorf("the bus ended with %v", err)
	default:
	}
}

// awaitClaim waits until the bus is claimed on the new primary.
func awaitClaim(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for held := false; !held; {
		err := conn.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted)").Scan(&held)
		if err != nil {
			t.Fatal(err)
		}
		<-look.C
	}
}

// failoverWriter writes, and notes what was acknowledged.
type failoverWriter struct {
	environments *environments.Environments
	mu           sync.Mutex
	next         int
	kept         []string
	failed       []error
}

func (w *failoverWriter) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		w.next++
		name := fmt.Sprintf("w-%d", w.next)
		w.mu.Unlock()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		_, err := w.environments.Create(bounded, &adminv1.Environment{Name: name}, access.Actor{})
		cancel()
		w.mu.Lock()
		if err == nil {
			w.kept = append(w.kept, name)
		} else {
			w.failed = append(w.failed, err)
		}
		w.mu.Unlock()
	}
}

func (w *failoverWriter) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.kept)
}

func (w *failoverWriter) failures() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.failed)
}

func (w *failoverWriter) await(t *testing.T, count int) {
	t.Helper()
	awaitCondition(t, func() bool { return w.count() >= count })
}

func (w *failoverWriter) awaitFailures(t *testing.T) {
	t.Helper()
	awaitCondition(t, func() bool { return w.failures() > 0 })
}

func awaitCondition(t *testing.T, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("it didn't come about")
		}
	}
}
