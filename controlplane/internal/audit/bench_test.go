package audit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

// BenchmarkAppend is the least write that there is, one row, with its event and without: what an event costs a write at most. They
// take turns, so that both meet the same machine.
func BenchmarkAppend(b *testing.B) {
	l := newLedger(b)
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, l.dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	var without, with time.Duration
	n := 0
	for b.Loop() {
		n++
		begin := time.Now()
		insertBare(b, pool, l.environment, n)
		without += time.Since(begin)
		begin = time.Now()
		recorded := audit.WithDraft(ctx, audit.NewDraft(audit.Origin{Actor: audit.Command, Operation: "createNodeGroup"}))
		group := fleet.Group{ID: fmt.Sprintf("ng_with_%d", n), Environment: l.environment, Name: fmt.Sprintf("with-%d", n), CreatedAt: begin, UpdatedAt: begin}
		if err := l.db.Fleet().InsertGroup(recorded, group); err != nil {
			b.Fatal(err)
		}
		with += time.Since(begin)
	}
	b.ReportMetric(float64(without.Microseconds())/float64(n), "bare-µs")
	b.ReportMetric(float64(with.Microseconds())/float64(n), "recorded-µs")
	b.ReportMetric(float64(with)/float64(without), "ratio")
	b.ReportMetric(0, "ns/op") // both together say nothing
	if err := l.verify(); err != nil {
		b.Fatal(err)
	}
}

// insertBare is what InsertGroup does, without an event: a transaction of one row.
func insertBare(b *testing.B, pool *pgxpool.Pool, environment string, n int) {
	b.Helper()
	tx, err := pool.Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	_, err = tx.Exec(b.Context(), "INSERT INTO node_groups (id, environment, name, labels, description, created_at, updated_at) VALUES ($1, $2, $3, '{}', '', now(), now())",
		fmt.Sprintf("ng_bare_%d", n), environment, fmt.Sprintf("bare-%d", n))
	if err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
}
