package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const deadlockDetected = "40P01" // SQLSTATE

// Dump remembers every row of the database behind a DSN, and returns what brings them back in one transaction: the database goes
// back, under whoever is connected to it. Tests of the real pg_dump are tests/e2e's.
func Dump(t testing.TB, dsn string) (restore func()) {
	t.Helper()
	const names = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`
	var tables []string
	inOne(t, dsn, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, names)
		if err != nil {
			return err
		}
		if tables, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		return each(ctx, tx, append([]string{"DROP SCHEMA IF EXISTS dump CASCADE", "CREATE SCHEMA dump"}, statements(tables, "CREATE TABLE dump.%[1]s AS TABLE public.%[1]s")...))
	})
	return func() {
		t.Helper()
		inOne(t, dsn, func(ctx context.Context, tx pgx.Tx) error {
			steps := []string{"SET LOCAL session_replication_role = replica", "TRUNCATE " + strings.Join(statements(tables, "public.%s"), ", ")}
			return each(ctx, tx, append(steps, statements(tables, "INSERT INTO public.%[1]s OVERRIDING SYSTEM VALUE SELECT * FROM dump.%[1]s")...))
		})
	}
}

func statements(tables []string, form string) []string {
	made := make([]string, len(tables))
	for i, table := range tables {
		made[i] = fmt.Sprintf(form, quote(table))
	}
	return made
}

func each(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func inOne(t testing.TB, dsn string, f func(context.Context, pgx.Tx) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return f(ctx, tx) })
		var failed *pgconn.PgError
		if errors.As(err, &failed) && failed.Code == deadlockDetected {
			continue // those who are connected go on meanwhile, and lock in their own order
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}
