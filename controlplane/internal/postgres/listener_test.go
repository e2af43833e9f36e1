package postgres_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

var quiet = slog.New(slog.DiscardHandler)

func vault(t *testing.T, db *postgres.DB) *secrets.Vault {
	t.Helper()
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	v, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// run runs a listener until the test ends.
func run(t *testing.T, db *postgres.DB) *postgres.Listener {
	t.Helper()
	l := postgres.NewListener(db, quiet)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return l
}

// await waits until a subscription tells of an environment. It may tell of others, and of one twice.
func await(t *testing.T, told <-chan string, environment string) {
	t.Helper()
	for {
		select {
		case got := <-told:
			if got == environment {
				return
			}
		case <-t.Context().Done():
			t.Fatal("not told")
		}
	}
}

func TestListenerTellsEverySubscriberOfACommit(t *testing.T) {
	t.Parallel()
	db := open(t)
	l := run(t, db)
	first, cancelFirst := l.Subscribe()
	second, cancelSecond := l.Subscribe()
	defer cancelSecond()
	all := environments.New(db, vault(t, db))
	for _, name := range []string{"one", "two"} {
		env, err := all.Create(t.Context(), &adminv1.Environment{Name: name}, access.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		if name == "one" {
			await(t, first, env.GetId())
			cancelFirst()
			cancelFirst() // twice is fine
			if _, open := <-first; open {
				t.Error("told after cancel")
			}
		}
		await(t, second, env.GetId())
	}
}

func TestListenerFindsByItsPollWhatNoNotificationTold(t *testing.T) {
	t.Parallel()
	db := open(t)
	env, err := environments.New(db, vault(t, db)).Create(t.Context(), &adminv1.Environment{Name: "silent"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	l := run(t, db)
	told, cancel := l.Subscribe()
	defer cancel()
	if _, err := db.Pool().Exec(t.Context(), `UPDATE directory_counters SET sequence = sequence + 1`); err != nil { // without NOTIFY
		t.Fatal(err)
	}
	await(t, told, env.GetId())
}

func TestListenerComesBackWhenItsConnectionBreaks(t *testing.T) {
	t.Parallel()
	db := open(t)
	l := run(t, db)
	told, cancel := l.Subscribe()
	defer cancel()
	all := environments.New(db, vault(t, db))
	if _, err := db.Pool().Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`); err != nil {
		t.Fatal(err)
	}
	env, err := all.Create(t.Context(), &adminv1.Environment{Name: "after"}, access.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, told, env.GetId())
}
