package postgres_test

import (
	"context"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"go.uber.org/goleak"

	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	"github.com/sallyport/sallyport/migrations"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const fixtures = "../../../migrations/fixtures"

// TestEveryMigrationRunsOnDataOfTheOnesBefore applies each step and then its fixture, so that a later
// step meets rows; in the end no table may be without any.
func TestEveryMigrationRunsOnDataOfTheOnesBefore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := postgrestest.Database(t, nil)
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
	for _, source := range provider.ListSources() {
		if _, err := provider.UpTo(ctx, source.Version); err != nil {
			t.Fatalf("%s: %v", source.Path, err)
		}
		fixture, err := os.ReadFile(path.Join(fixtures, path.Base(source.Path)))
		if err != nil {
			t.Fatalf("every migration has a fixture: %v", err)
		}
		if _, err := db.ExecContext(ctx, string(fixture)); err != nil {
			t.Fatalf("fixture of %s: %v", source.Path, err)
		}
	}
	rows, err := db.QueryContext(ctx, `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	for _, table := range tables {
		var filled bool
		if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+table+")").Scan(&filled); err != nil || !filled {
			t.Errorf("no fixture fills %s: %v", table, err)
		}
	}
}

func TestMigrationsOnlyRollForward(t *testing.T) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "-- +goose Up") || strings.Contains(string(text), "-- +goose Down") {
			t.Errorf("%s has no Up, or a Down", name)
		}
	}
}

func TestReplicasThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t, nil)
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() { errs[i] = postgres.Migrate(context.Background(), url) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func open(t *testing.T) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}
