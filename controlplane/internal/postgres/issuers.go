package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// LockKeySets implements publish.KeySetTx.
func (tx *writeTx) LockKeySets(ctx context.Context, environment string, issuers []string) (map[string]directory.KeySet, error) {
	rows, err := tx.q.LockIssuerKeys(ctx, dbsqlc.LockIssuerKeysParams{Environment: environment, Issuers: issuers})
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it locks
	}
	sets := make(map[string]directory.KeySet, len(rows))
	for _, row := range rows {
		set, err := readKeySet(row.Issuer, row.Keys)
		if err != nil {
			return nil, err
		}
		set.Deleted = row.Deleted
		sets[row.Issuer] = set
	}
	return sets, nil
}

// LockLeasedKeySet implements publish.KeySetTx.
func (tx *writeTx) LockLeasedKeySet(ctx context.Context, environment, issuer, lease string) (directory.KeySet, bool, error) {
	stored, err := tx.q.LockIssuerKeysLeased(ctx, dbsqlc.LockIssuerKeysLeasedParams{Environment: environment, Issuer: issuer, Lease: lease})
	if errors.Is(err, pgx.ErrNoRows) {
		return directory.KeySet{}, false, nil
	}
	if err != nil {
		return directory.KeySet{}, false, err //nolint:wrapcheck // the caller says what it locks
	}
	set, err := readKeySet(issuer, stored)
	return set, true, err
}

// PlanKeySet implements publish.KeySetTx.
func (tx *writeTx) PlanKeySet(ctx context.Context, environment string, set directory.KeySet, plan publish.KeyPlan) error {
	tx.wrote = true
	stored, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("write down its keys: %w", err)
	}
	return tx.q.PlanIssuerKeys(ctx, dbsqlc.PlanIssuerKeysParams{
		Environment: environment, Issuer: set.Issuer, Keys: stored, Fetches: plan.Fetches, Moved: plan.Moved, Deleted: plan.Deleted,
	})
}

// KeepKeySet implements publish.KeySetTx.
func (tx *writeTx) KeepKeySet(ctx context.Context, environment string, set directory.KeySet) error {
	tx.wrote = true
	stored, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("write down its keys: %w", err)
	}
	return tx.q.KeepIssuerKeys(ctx, dbsqlc.KeepIssuerKeysParams{Environment: environment, Issuer: set.Issuer, Keys: stored})
}

// ReportKeySet implements publish.KeySetTx.
func (tx *writeTx) ReportKeySet(ctx context.Context, environment string, set directory.KeySet, report publish.KeyReport) error {
	tx.wrote = true
	stored, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("write down its keys: %w", err)
	}
	return tx.q.ReportIssuerKeys(ctx, dbsqlc.ReportIssuerKeysParams{
		Environment: environment, Issuer: set.Issuer, Keys: stored, After: report.Next.Seconds(), Fetched: report.Fetched, Settled: report.Believed,
		Empty: report.Empty, Failures: int32(report.Failures), Error: report.Error,
	})
}

func readKeySet(issuer string, stored []byte) (directory.KeySet, error) {
	set := directory.KeySet{Issuer: issuer}
	if err := json.Unmarshal(stored, &set); err != nil {
		return set, fmt.Errorf("keys of %s as stored: %w", issuer, err)
	}
	return set, nil
}

// Issuers keeps when issuers are asked, and who asks.
type Issuers struct{ db *DB }

var _ issuers.Store = (*Issuers)(nil)

// Issuers returns the issuers of this database.
func (db *DB) Issuers() *Issuers { return &Issuers{db} }

// ClaimDue implements issuers.Store.
func (s *Issuers) ClaimDue(ctx context.Context, lease string, lasting time.Duration, most int) ([]issuers.Claim, error) {
	rows, err := s.db.q.ClaimDueIssuers(ctx, dbsqlc.ClaimDueIssuersParams{Lease: lease, Lasting: lasting.Seconds(), Most: int32(most)})
	if err != nil {
		return nil, translate(err)
	}
	claims := make([]issuers.Claim, len(rows))
	for i, row := range rows {
		claims[i] = claimOf(dbsqlc.ClaimIssuerRow(row), lease)
	}
	return claims, nil
}

// ClaimIssuer implements issuers.Store.
func (s *Issuers) ClaimIssuer(ctx context.Context, environment, issuer, lease string, lasting time.Duration, demand issuers.Demand) (issuers.Claim, bool, error) {
	row, err := s.db.q.ClaimIssuer(ctx, dbsqlc.ClaimIssuerParams{
		Environment: environment, Issuer: issuer, Lease: lease, Lasting: lasting.Seconds(), Every: demand.Every.Seconds(), Burst: ahead(demand).Seconds(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return issuers.Claim{}, false, nil
	}
	if err != nil {
		return issuers.Claim{}, false, translate(err)
	}
	return claimOf(row, lease), true, nil
}

// ahead is how far beyond now the bucket may be promised already, for one more to be given.
func ahead(demand issuers.Demand) time.Duration { return demand.Every * time.Duration(demand.Burst-1) }

func claimOf(row dbsqlc.ClaimIssuerRow, lease string) issuers.Claim {
	return issuers.Claim{
		Environment: row.Environment, Issuer: row.Issuer, Lease: lease, Failures: int(row.Failures),
		Empty: time.Duration(row.EmptyMs) * time.Millisecond, Moved: time.Duration(row.MovedMs) * time.Millisecond,
	}
}

// Release implements issuers.Store.
func (s *Issuers) Release(ctx context.Context, claim issuers.Claim) error {
	return translate(s.db.q.ReleaseIssuer(ctx, dbsqlc.ReleaseIssuerParams{Environment: claim.Environment, Issuer: claim.Issuer, Lease: claim.Lease}))
}

// State implements issuers.Store.
func (s *Issuers) State(ctx context.Context, environment, issuer string, demand issuers.Demand) (issuers.State, error) {
	row, err := s.db.q.GetIssuerKeys(ctx, dbsqlc.GetIssuerKeysParams{Environment: environment, Issuer: issuer})
	if err != nil {
		return issuers.State{}, orNotFound(err, "there is no issuer %q in this environment", issuer)
	}
	set, err := readKeySet(issuer, row.Keys)
	if err != nil {
		return issuers.State{}, problem.Wrap(err, problem.Internal, "")
	}
	return issuers.State{
		Set: set, AttemptedAt: orZero(row.AttemptedAt), FetchedAt: orZero(row.FetchedAt), NextAt: orZero(row.NextAt), Failures: int(row.Failures),
		Error: row.Error, Sequence: uint64(row.Sequence), Leased: row.Leased,
		Bounded: max(time.Duration(row.DemandedMs)*time.Millisecond-ahead(demand), 0),
	}, nil
}

// Health implements issuers.Store.
func (s *Issuers) Health(ctx context.Context) (time.Duration, int, error) {
	row, err := s.db.q.OldestIssuerKeys(ctx)
	if err != nil {
		return 0, 0, translate(err)
	}
	return time.Duration(row.Seconds) * time.Second, int(row.Failing), nil
}
