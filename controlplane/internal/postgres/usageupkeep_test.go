package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	"github.com/sallyport/sallyport/migrations"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// steps returns a goose provider on a fresh database.
func steps(t *testing.T, url string) *goose.Provider {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

func TestWhatWasCountedBeforeTablesHadPartitionsIsStillThere(t *testing.T) {
	url := postgrestest.Database(t, nil)
	provider := steps(t, url)
	if _, err := provider.UpTo(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	fixture, err := os.ReadFile(path.Join(fixtures, "0007_usage.sql"))
	if err != nil {
		t.Fatal(err)
	}
	// Two months, in two partitions of the minutes each, and twice in one hour.
	_, err = conn.Exec(t.Context(), string(fixture)+`;
		INSERT INTO usage_minutes (environment, minute, route, consumer, status_class, verdict, requests, request_bytes, response_bytes, duration_us)
		SELECT 'env_1', m, gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 2, 'allowed', 1, 1, 1, 1
		FROM unnest(ARRAY[29455384, 29455385, 29455384 + 360, 29455384 + 60*24*31, 29455384 + 60*24*31 + 1]) AS m`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"usage_minutes", "usage_hours"} {
		var requests, sums int64
		err := conn.QueryRow(t.Context(), "SELECT sum(requests), sum(duration_us) FROM "+table).Scan(&requests, &sums)
		if err != nil || requests != 8 || sums != 3005 {
			t.Errorf("%s has %d requests, %d µs: %v", table, requests, sums, err)
		}
	}
	// The partitions that the step made are those that upkeep knows: it drops them, and none twice makes one.
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	names, err := db.Usage().List(t.Context())
	if err != nil || len(usage.Expired(names, time.Now().AddDate(10, 0, 0))) != len(names) || len(names) != 5 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestUpkeepMakesAndDropsWhatTheDatabasesClockSays(t *testing.T) {
	u := usageDatabase(t)
	stats := new(usage.UpkeepStats)
	upkeep := usage.NewUpkeep(u, slog.New(slog.DiscardHandler), stats)
	old := time.Now().Add(-100 * time.Hour).UTC().Truncate(6 * time.Hour)
	expired := "usage_minutes_" + old.Format("2006010215")
	if err := u.Create(t.Context(), []usage.Partition{{Table: "usage_minutes", Name: expired, From: old.Unix() / 60, To: old.Unix()/60 + 360}}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing to do
		if err := upkeep.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	names, err := u.List(t.Context())
	if err != nil || slices.Contains(names, expired) || stats.Dropped.Load() != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, p := range usage.Wanted(time.Now()) {
		if !slices.Contains(names, p.Name) {
			t.Errorf("there is no %s", p.Name)
		}
	}
}

func TestOneReplicaAtATimeSeesToPartitions(t *testing.T) {
	u := usageDatabase(t)
	ran, err := u.Exclusively(t.Context(), func(ctx context.Context) error {
		second, err := u.Exclusively(ctx, func(context.Context) error { return errors.New("ran beside the first") })
		if second {
			t.Error("two at a time")
		}
		return err
	})
	if !ran || err != nil {
		t.Fatalf("%v, %v", ran, err)
	}
	if again, err := u.Exclusively(t.Context(), func(context.Context) error { return nil }); !again || err != nil {
		t.Errorf("the lock was left behind: %v, %v", again, err)
	}
}

// Replicas that start at once on a new database, and take batches before anybody saw to partitions.
func TestReplicasThatStartTogetherMakeEachPartitionOnce(t *testing.T) {
	u := usageDatabase(t)
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			if err := usage.NewUpkeep(u, slog.New(slog.DiscardHandler), new(usage.UpkeepStats)).Pass(t.Context()); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("n"+string(rune('a'+n)), "b", 1, counter(minute, 1))}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := total(t, u); got != 4 {
		t.Errorf("%d counted", got)
	}
}

func TestDropGivesUpOnAPartitionThatIsInUse(t *testing.T) {
	url := postgrestest.Database(t, postgres.Migrate)
	db, err := postgres.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	u := db.Usage()
	if _, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("n", "b", 1, counter(minute, 1))}); err != nil {
		t.Fatal(err)
	}
	names, err := u.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	minutes := names[slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "usage_minutes_") })]
	tx, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }() // ends the reader
	if _, err := tx.Exec(t.Context(), "SELECT count(*) FROM usage_minutes"); err != nil {
		t.Fatal(err)
	}
	if err := u.Drop(t.Context(), minutes); err == nil {
		t.Fatal("it was dropped under a reader")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := u.Drop(t.Context(), minutes); err != nil {
		t.Error(err)
	}
}

func TestCountingGoesOnWhilePartitionsComeAndGo(t *testing.T) {
	u := usageDatabase(t)
	if _, err := u.Ingest(t.Context(), []*usagev1.Batch{batch("n", "b", 1, counter(minute, 1))}); err != nil {
		t.Fatal(err)
	}
	const writers, rounds = 3, 15
	var all sync.WaitGroup
	for n := range writers {
		all.Go(func() {
			for round := range rounds {
				b := batch("n"+string(rune('a'+n)), "b", uint64(round+1), counter(minute, 1), counter(minute-60, 1))
				if _, err := u.Ingest(t.Context(), []*usagev1.Batch{b}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		old := time.Now().AddDate(-2, 0, 0).UTC().Truncate(6 * time.Hour)
		p := usage.Partition{Table: "usage_minutes", Name: "usage_minutes_" + old.Format("2006010215"), From: old.Unix() / 60, To: old.Unix()/60 + 360}
		for range rounds {
			if err := errors.Join(u.Create(t.Context(), []usage.Partition{p}), u.Drop(t.Context(), p.Name)); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if got := total(t, u); got != 1+writers*rounds*2 {
		t.Errorf("%d counted", got)
	}
}
