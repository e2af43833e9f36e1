package postgrestest

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// databaseTimeout bounds making one database, the start of the server included.
const databaseTimeout = 5 * time.Minute

// Migrate brings the empty database behind a DSN to the wanted schema.
type Migrate = func(ctx context.Context, dsn string) error

// Database makes a database with the schema that migrate gives it, returns its DSN, and drops it when the
// test ends. It is safe in parallel tests. migrate runs once per process, not per test, and is told apart by
// which function it is: name a top-level function. Two closures that capture different values count as
// one; use [DatabaseFrom] for them. A nil migrate gives an empty database.
func Database(t testing.TB, migrate Migrate) string {
	t.Helper()
	return DatabaseFrom(t, functionName(migrate), migrate)
}

// DatabaseFrom is [Database] with the migration named by the caller: same key, same template.
func DatabaseFrom(t testing.TB, key string, migrate Migrate) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), databaseTimeout)
	defer cancel()
	server, err := shared.get(ctx)
	if err != nil {
		t.Fatalf("a database for this test: %v", err)
	}
	name := databaseName(t.Name())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		if err := server.drop(ctx, name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	if err := server.create(ctx, name, key, migrate); err != nil {
		t.Fatalf("a database for this test: %v", err)
	}
	return server.postgres.DSN(name)
}

func functionName(migrate Migrate) string {
	if migrate == nil {
		return ""
	}
	return runtime.FuncForPC(reflect.ValueOf(migrate).Pointer()).Name()
}

const namePrefix = "sallyport_test_"

// databaseName is unique, valid without quotes, and still tells which test made it. PostgreSQL allows 63 bytes.
func databaseName(test string) string {
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '_'
		}
	}, test)
	unique := strings.ToLower(rand.Text()[:12])
	return namePrefix + unique + "_" + readable[:min(len(readable), 35)]
}

// administer runs SQL on the server's own database.
func (s *server) administer(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.postgres.DSN(""))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

func (s *server) drop(ctx context.Context, name string) error {
	return s.administer(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
}

// create makes a database from the key's template, or, on somebody else's server, from nothing.
func (s *server) create(ctx context.Context, name, key string, migrate Migrate) error {
	if migrate == nil {
		return s.administer(ctx, "CREATE DATABASE "+quote(name))
	}
	if s.postgres.External() {
		return s.migrated(ctx, name, migrate)
	}
	template, err := s.template(ctx, key, migrate)
	if err != nil {
		return err
	}
	return s.administer(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template))
}

// migrated makes an empty database and runs the migration in it.
func (s *server) migrated(ctx context.Context, name string, migrate Migrate) error {
	if err := s.administer(ctx, "CREATE DATABASE "+quote(name)); err != nil {
		return err
	}
	if err := migrate(ctx, s.postgres.DSN(name)); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
