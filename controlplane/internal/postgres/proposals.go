package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// Proposals keeps the proposals of this database.
type Proposals struct{ db *DB }

var _ proposals.Store = (*Proposals)(nil)

// Proposals returns the proposals of this database.
func (db *DB) Proposals() *Proposals { return &Proposals{db} }

// recorded runs f in a transaction that writes the event of the operation under way.
func (s *Proposals) recorded(ctx context.Context, environment, operation string, f func(*dbsqlc.Queries) error) error {
	return translate(recorded(ctx, s.db.pool, s.db.q, environment, operation, func(_ pgx.Tx, q *dbsqlc.Queries) error { return f(q) }))
}

// errProposalMoved is told to whoever decided on a proposal that isn't any more what they looked at.
func errProposalMoved() error {
	return problem.Errorf(problem.Conflict, "somebody else has changed or closed the proposal meanwhile; read it again")
}

// Insert implements proposals.Store.
func (s *Proposals) Insert(ctx context.Context, r proposals.Record, most int) error {
	return s.recorded(ctx, r.Environment, "createProposal", func(q *dbsqlc.Queries) error {
		noteMade(ctx, r.ID)
		if _, err := q.LockForProposals(ctx, r.Environment); err != nil {
			return noEnvironment(err, r.Environment)
		}
		open, err := q.CountOpenProposals(ctx, r.Environment)
		if err != nil {
			return fmt.Errorf("count proposals: %w", err)
		}
		if open >= int64(most) {
			return problem.Errorf(problem.LimitReached, "the environment has %d proposals that aren't closed, as many as it may; publish, reject or withdraw some", open)
		}
		err = q.InsertProposal(ctx, dbsqlc.InsertProposalParams{
			Environment: r.Environment, ID: r.ID, State: string(r.State), AuthorID: r.AuthorID,
			Summary: r.Summary, Details: r.Details, Sealed: r.Sealed, ExpiresAt: r.ExpiresAt,
		})
		if err != nil {
			return fmt.Errorf("insert proposal: %w", err)
		}
		return nil
	})
}

// Get implements proposals.Store.
func (s *Proposals) Get(ctx context.Context, environment, id string) (proposals.Record, error) {
	row, err := s.db.q.GetProposal(ctx, dbsqlc.GetProposalParams{Environment: environment, ID: id})
	if err != nil {
		return proposals.Record{}, orNotFound(err, "there is no such proposal in this environment")
	}
	return proposals.Record{
		Environment: environment, ID: row.ID, Version: uint64(row.Version), State: proposals.State(row.State), AuthorID: row.AuthorID,
		Summary: row.Summary, Details: row.Details, Sealed: row.Sealed, ExpiresAt: row.ExpiresAt, ClosedAt: orZero(row.ClosedAt),
		ClosedBy: row.ClosedBy, ClosedByID: row.ClosedByID, Revision: uint64(row.Revision), Sequence: uint64(row.Sequence),
	}, nil
}

// List implements proposals.Store.
func (s *Proposals) List(ctx context.Context, environment string, selection proposals.Selection) ([]proposals.Record, error) {
	rows, err := s.db.q.ListProposals(ctx, dbsqlc.ListProposalsParams{
		Environment: environment, Before: selection.Before, State: string(selection.State), AuthorID: selection.AuthorID, Most: int32(selection.Limit),
	})
	if err != nil {
		return nil, translate(err)
	}
	found := make([]proposals.Record, len(rows))
	for i, row := range rows {
		found[i] = proposals.Record{
			Environment: environment, ID: row.ID, Version: uint64(row.Version), State: proposals.State(row.State), AuthorID: row.AuthorID,
			Summary: row.Summary, ExpiresAt: row.ExpiresAt, ClosedAt: orZero(row.ClosedAt),
			ClosedBy: row.ClosedBy, ClosedByID: row.ClosedByID, Revision: uint64(row.Revision), Sequence: uint64(row.Sequence),
		}
	}
	return found, nil
}

// Update implements proposals.Store.
func (s *Proposals) Update(ctx context.Context, r proposals.Record) error {
	return s.recorded(ctx, r.Environment, "updateProposal", func(q *dbsqlc.Queries) error {
		noteMade(ctx, r.ID)
		n, err := q.UpdateProposal(ctx, dbsqlc.UpdateProposalParams{
			Environment: r.Environment, ID: r.ID, Version: int64(r.Version), State: string(r.State), Summary: r.Summary, Details: r.Details, Sealed: r.Sealed,
			ExpiresAt: r.ExpiresAt, ClosedAt: orNil(r.ClosedAt), ClosedBy: r.ClosedBy, ClosedByID: r.ClosedByID,
		})
		if err != nil {
			return fmt.Errorf("write proposal: %w", err)
		}
		if n != 1 {
			return errProposalMoved()
		}
		return nil
	})
}

// Maker implements proposals.Store. The record is what tells: it outlives the token, and nobody changes it unseen.
func (s *Proposals) Maker(ctx context.Context, token string) (string, error) {
	events, err := s.db.Audit().Events(ctx, "", audit.Question{
		Operation: "createAccessToken", Outcome: audit.OutcomeDone, Objects: []string{access.AccessTokens, token}, Limit: 1,
	})
	if err != nil || len(events) == 0 {
		return "", err
	}
	return events[0].Columns.Actor, nil
}

// Expire implements proposals.Store.
func (s *Proposals) Expire(ctx context.Context, at time.Time, limit int) (int, error) {
	n, err := s.db.q.ExpireProposals(ctx, dbsqlc.ExpireProposalsParams{At: at, Most: int32(limit)})
	return int(n), translate(err)
}

// Forget implements proposals.Store.
func (s *Proposals) Forget(ctx context.Context, before time.Time, limit int) (int, error) {
	n, err := s.db.q.ForgetProposals(ctx, dbsqlc.ForgetProposalsParams{ClosedBefore: &before, Most: int32(limit)})
	return int(n), translate(err)
}

// LockProposal implements publish.ProposalsTx.
func (tx *writeTx) LockProposal(ctx context.Context, environment, id string, version uint64) error {
	now, err := tx.q.LockProposal(ctx, dbsqlc.LockProposalParams{Environment: environment, ID: id})
	if errors.Is(err, pgx.ErrNoRows) {
		return errProposalMoved()
	}
	if err != nil {
		return fmt.Errorf("lock proposal: %w", err)
	}
	if uint64(now) != version {
		return errProposalMoved()
	}
	return nil
}

// PublishProposal implements publish.ProposalsTx.
func (tx *writeTx) PublishProposal(ctx context.Context, environment string, p publish.Publication) error {
	n, err := tx.q.PublishProposal(ctx, dbsqlc.PublishProposalParams{
		Environment: environment, ID: p.ID, Version: int64(p.Version), ClosedAt: &p.At, ClosedBy: p.By, ClosedByID: p.ByID,
		Revision: int64(p.Revision), Sequence: int64(p.Sequence),
	})
	if err != nil {
		return fmt.Errorf("close proposal: %w", err)
	}
	if n != 1 {
		return errProposalMoved()
	}
	return nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
