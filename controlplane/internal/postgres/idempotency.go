package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// IdempotencyKeys keeps the keys of requests that can be repeated.
type IdempotencyKeys struct{ db *DB }

var _ idempotency.Store = (*IdempotencyKeys)(nil)

// IdempotencyKeys returns those of this database.
func (db *DB) IdempotencyKeys() *IdempotencyKeys { return &IdempotencyKeys{db} }

// Reserve implements idempotency.Store.
func (s *IdempotencyKeys) Reserve(ctx context.Context, w idempotency.Wanted) (bool, error) {
	n, err := s.db.q.ReserveIdempotencyKey(ctx, dbsqlc.ReserveIdempotencyKeyParams{
		Scope: w.Scope[:], Actor: w.Actor, Request: w.Request, Holder: w.Holder[:], Lease: interval(w.Lease), Retention: interval(w.Retention), Most: int32(w.Most),
	})
	return n > 0, translate(err)
}

// Key implements idempotency.Store.
func (s *IdempotencyKeys) Key(ctx context.Context, scope idempotency.Scope) (idempotency.Record, bool, error) {
	row, err := s.db.q.GetIdempotencyKey(ctx, scope[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return idempotency.Record{}, false, nil
	}
	if err != nil {
		return idempotency.Record{}, false, translate(err)
	}
	return idempotency.Record{
		State: idempotency.State(row.State), Request: row.Request, Leased: row.Leased, Sealed: row.Sealed,
		Made: idempotency.Made{Revision: uint64(row.Revision), Sequence: uint64(row.Sequence), Objects: row.Objects},
	}, true, nil
}

// Keep implements idempotency.Store.
func (s *IdempotencyKeys) Keep(ctx context.Context, scope idempotency.Scope, holder idempotency.Holder, sealed []byte) error {
	n, err := s.db.q.KeepIdempotencyReply(ctx, dbsqlc.KeepIdempotencyReplyParams{Scope: scope[:], Holder: holder[:], Sealed: sealed})
	if err == nil && n != 1 {
		return errors.New("the key has another holder")
	}
	return translate(err)
}

// Release implements idempotency.Store. A commit whose answer was lost on the way may still be under way: the statements wait for it.
func (s *IdempotencyKeys) Release(ctx context.Context, scope idempotency.Scope, holder idempotency.Holder) error {
	if err := s.db.q.ReleaseIdempotencyKey(ctx, dbsqlc.ReleaseIdempotencyKeyParams{Scope: scope[:], Holder: holder[:]}); err != nil {
		return translate(err)
	}
	return translate(s.db.q.EndIdempotencyLease(ctx, dbsqlc.EndIdempotencyLeaseParams{Scope: scope[:], Holder: holder[:]}))
}

// Forget implements idempotency.Store.
func (s *IdempotencyKeys) Forget(ctx context.Context, age time.Duration, limit int) (int, error) {
	n, err := s.db.q.ForgetIdempotencyKeys(ctx, dbsqlc.ForgetIdempotencyKeysParams{Retention: interval(age), Most: int32(limit)})
	return int(n), translate(err)
}

// markCommitted tells, in the transaction that writes, that the request under way is carried out. A holder that was taken for dead, and
// whose key has another by now, commits nothing.
func markCommitted(ctx context.Context, q *dbsqlc.Queries, options pgx.TxOptions) error {
	reservation := idempotency.Of(ctx)
	if reservation == nil || options.AccessMode == pgx.ReadOnly {
		return nil
	}
	made := reservation.Made()
	if made.Objects == nil {
		made.Objects = []string{}
	}
	n, err := q.CommitIdempotencyKey(ctx, dbsqlc.CommitIdempotencyKeyParams{
		Scope: reservation.Scope[:], Holder: reservation.Holder[:], Revision: int64(made.Revision), Sequence: int64(made.Sequence), Objects: made.Objects,
	})
	if err != nil {
		return fmt.Errorf("mark the request as carried out: %w", err)
	}
	if n != 1 {
		return problem.Errorf(problem.IdempotencyInProgress, "this took so long that another attempt of the same request took over")
	}
	return nil
}

// noteMade remembers an object that the transaction under way makes.
func noteMade(ctx context.Context, id string) {
	idempotency.Of(ctx).Note(idempotency.Made{Objects: []string{id}})
}

// restartReservation forgets what an attempt before noted.
func restartReservation(ctx context.Context) {
	if reservation := idempotency.Of(ctx); reservation != nil {
		reservation.Restart()
	}
}

func interval(d time.Duration) pgtype.Interval {
	return pgtype.Interval{Microseconds: d.Microseconds(), Valid: true}
}

// changedIDs returns the ids of rows.
func changedIDs(rows []publish.RowChange) []string {
	ids := make([]string, 0, len(rows))
	for _, r := range rows {
		if r.After != nil {
			ids = append(ids, r.After.Message.GetId())
		} else {
			ids = append(ids, r.Before.Message.GetId())
		}
	}
	return ids
}

// editedIDs returns the ids of objects.
func editedIDs(edits []catalog.Edit) []string {
	ids := make([]string, 0, len(edits))
	for _, e := range edits {
		if e.After != nil {
			ids = append(ids, e.After.ID)
		} else {
			ids = append(ids, e.Before.ID)
		}
	}
	return ids
}
