package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var migrations atomic.Int64

var errNoColumn = errors.New("no such column")

func migrate(ctx context.Context, dsn string) error {
	migrations.Add(1)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE TABLE t (x int)")
	return err
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestParallelTestsGetIsolatedDatabasesFromOneMigration(t *testing.T) {
	t.Run("tests", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				conn := connect(t, Database(t, migrate))
				if _, err := conn.Exec(t.Context(), "INSERT INTO t VALUES ($1)", i); err != nil {
					t.Fatal(err)
				}
				var only int
				if err := conn.QueryRow(t.Context(), "SELECT sum(x) FROM t").Scan(&only); err != nil || only != i {
					t.Errorf("sum = %d, %v; want only this test's row, %d", only, err, i)
				}
			})
		}
	})
	if got := migrations.Load(); got != 1 && os.Getenv("DATABASE_URL") == "" {
		t.Errorf("migrated %d times, want once", got)
	}
}

func TestDatabaseIsGoneAfterItsTestEvenWhileConnected(t *testing.T) {
	var dsn string
	t.Run("uses it", func(t *testing.T) {
		dsn = Database(t, nil)
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	})
	if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the database is still there")
	}
}

func TestKeysTellMigrationsApart(t *testing.T) {
	table := func(name string) Migrate {
		return func(ctx context.Context, dsn string) error {
			conn, err := pgx.Connect(ctx, dsn)
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			_, err = conn.Exec(ctx, "CREATE TABLE "+name+" ()")
			return err
		}
	}
	for _, name := range []string{"a", "b"} {
		conn := connect(t, DatabaseFrom(t, name, table(name)))
		if _, err := conn.Exec(t.Context(), "SELECT FROM "+name); err != nil {
			t.Errorf("database of key %s: %v", name, err)
		}
	}
}

func TestFailedMigrationIsReportedToEveryTestThatNeedsIt(t *testing.T) {
	server, err := shared.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		name := databaseName(t.Name())
		err := server.create(t.Context(), name, t.Name(), func(context.Context, string) error { return errNoColumn })
		if !errors.Is(err, errNoColumn) {
			t.Errorf("create: %v, want %v", err, errNoColumn)
		}
		if err := server.drop(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
}

func TestLeftoversOfAnEarlierProcessAreDropped(t *testing.T) {
	running, err := start(t.Context()) // a slot of its own: the templates of this process stay
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.postgres.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if running.postgres.External() {
		return // nothing of an earlier process is dropped there
	}
	left := databaseName("left")
	if err := running.create(t.Context(), left, "", nil); err != nil {
		t.Fatal(err)
	}
	if err := running.dropLeftovers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if conn, err := pgx.Connect(t.Context(), running.postgres.DSN(left)); err == nil {
		_ = conn.Close(t.Context())
		t.Error("the leftover is still there")
	}
}

func TestDatabaseNamesAreValidAndUnique(t *testing.T) {
	long := "TestÄ/with spaces/" + strings.Repeat("x", 100)
	first, second := databaseName(long), databaseName(long)
	if first == second {
		t.Error("two databases of one name")
	}
	if len(first) > 63 {
		t.Errorf("%s has %d bytes; PostgreSQL would cut it at 63", first, len(first))
	}
	if strings.Trim(first, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		t.Errorf("%s needs quotes", first)
	}
}

func BenchmarkDatabase(b *testing.B) {
	server, err := shared.get(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		name := databaseName("bench")
		if err := server.create(b.Context(), name, "bench", migrate); err != nil {
			b.Fatal(err)
		}
		if err := server.drop(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
}
