package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/controlplane/internal/signin"
	"github.com/sallyport/sallyport/proto/digest"
)

var _ secrets.SealedStore = (*DB)(nil)

// replicaLock is held, shared, by the connection on which a replica listens.
const replicaLock = 0x5a11_0001

// kindRoot is how changes of the root key are called where all rotations are written down.
const kindRoot fleet.RotationKind = "root"

// Reseal implements secrets.SealedStore. Whatever gets a sealed column belongs here.
func (db *DB) Reseal(ctx context.Context, reseal func(purpose string, sealed []byte) ([]byte, error)) (things int, err error) {
	ctx = audit.Ensure(ctx, audit.Command, "rotateRoot")
	err = db.recorded(ctx, "rotateRoot", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		if err := lockReplicas(ctx, q); err != nil {
			return err
		}
		if err := q.LockSealed(ctx); err != nil {
			return fmt.Errorf("lock what is sealed: %w", err)
		}
		materials, err := resealMaterials(ctx, q, reseal)
		if err != nil {
			return err
		}
		entries, err := resealEntries(ctx, q, reseal)
		if err != nil {
			return err
		}
		others, err := resealOthers(ctx, q, reseal)
		if err != nil {
			return err
		}
		ways, err := resealSignIn(ctx, q, reseal)
		if err != nil {
			return err
		}
		things = materials + entries + others + ways
		audit.Note(ctx, audit.Change{Action: "rotate", Collection: "root-key", ID: "root", After: audit.Facts(map[string]string{"sealed_anew": strconv.Itoa(things)})})
		now := time.Now().UTC()
		return writeRotation(ctx, q, &fleet.Rotation{Kind: kindRoot, AnnouncedAt: now, ActiveAt: now, RetiredAt: now})
	})
	return things, err
}

func resealMaterials(ctx context.Context, q *dbsqlc.Queries, reseal func(string, []byte) ([]byte, error)) (int, error) {
	rows, err := q.ListMaterials(ctx)
	if err != nil {
		return 0, fmt.Errorf("list materials: %w", err)
	}
	for _, row := range rows {
		sealed, err := reseal(secrets.MaterialPurpose(row.Name), row.Sealed)
		if err != nil {
			return 0, err
		}
		if err := q.ResealMaterial(ctx, dbsqlc.ResealMaterialParams{Name: row.Name, Sealed: sealed}); err != nil {
			return 0, fmt.Errorf("write material %s: %w", row.Name, err)
		}
	}
	return len(rows), nil
}

func resealEntries(ctx context.Context, q *dbsqlc.Queries, reseal func(string, []byte) ([]byte, error)) (int, error) {
	rows, err := q.ListSealedEntries(ctx)
	if err != nil {
		return 0, fmt.Errorf("list sealed entries: %w", err)
	}
	for _, row := range rows {
		if len(row.Key) != len(digest.Key{}) {
			return 0, fmt.Errorf("an entry's key of %d bytes", len(row.Key))
		}
		sealed, err := reseal(directory.SealedFor(row.Environment, digest.Key(row.Key)), row.Entry)
		if err != nil {
			return 0, err
		}
		if err := q.ResealEntry(ctx, dbsqlc.ResealEntryParams{Environment: row.Environment, Key: row.Key, Entry: sealed}); err != nil {
			return 0, fmt.Errorf("write an entry of %s: %w", row.Environment, err)
		}
	}
	return len(rows), nil
}

// resealOthers seals what proposals were filed with, answers kept for their idempotency keys, and what webhooks sign with.
func resealOthers(ctx context.Context, q *dbsqlc.Queries, reseal func(string, []byte) ([]byte, error)) (int, error) {
	filed, err := q.ListSealedProposals(ctx)
	if err != nil {
		return 0, fmt.Errorf("list proposals: %w", err)
	}
	for _, row := range filed {
		sealed, err := reseal(proposals.SealedFor(row.Environment, row.ID), row.Sealed)
		if err != nil {
			return 0, err
		}
		if err := q.ResealProposal(ctx, dbsqlc.ResealProposalParams{Environment: row.Environment, ID: row.ID, Sealed: sealed}); err != nil {
			return 0, fmt.Errorf("write proposal %s: %w", row.ID, err)
		}
	}
	kept, err := q.ListKeptReplies(ctx)
	if err != nil {
		return 0, fmt.Errorf("list kept answers: %w", err)
	}
	for _, row := range kept {
		if len(row.Scope) != len(idempotency.Scope{}) {
			return 0, fmt.Errorf("an idempotency key's scope of %d bytes", len(row.Scope))
		}
		sealed, err := reseal(idempotency.SealedFor(idempotency.Scope(row.Scope)), row.Sealed)
		if err != nil {
			return 0, err
		}
		if err := q.ResealKeptReply(ctx, dbsqlc.ResealKeptReplyParams{Scope: row.Scope, Sealed: sealed}); err != nil {
			return 0, fmt.Errorf("write a kept answer: %w", err)
		}
	}
	hooks, err := resealWebhooks(ctx, q, reseal)
	return len(filed) + len(kept) + hooks, err
}

// resealSignIn seals second factors, and what we prove ourselves with to sign-in providers.
func resealSignIn(ctx context.Context, q *dbsqlc.Queries, reseal func(string, []byte) ([]byte, error)) (int, error) {
	factors, err := q.ListSealedSecondFactors(ctx)
	if err != nil {
		return 0, fmt.Errorf("list second factors: %w", err)
	}
	for _, row := range factors {
		sealed, err := reseal(signin.FactorSealedFor(row.UserID), row.Sealed)
		if err != nil {
			return 0, err
		}
		if err := q.ResealSecondFactor(ctx, dbsqlc.ResealSecondFactorParams{UserID: row.UserID, Sealed: sealed}); err != nil {
			return 0, fmt.Errorf("write the second factor of %s: %w", row.UserID, err)
		}
	}
	providers, err := q.ListSealedProviders(ctx)
	if err != nil {
		return 0, fmt.Errorf("list sign-in providers: %w", err)
	}
	for _, row := range providers {
		sealed, err := reseal(signin.ProviderSealedFor(row.ID), row.ClientSecret)
		if err != nil {
			return 0, err
		}
		if err := q.ResealProvider(ctx, dbsqlc.ResealProviderParams{ID: row.ID, ClientSecret: sealed}); err != nil {
			return 0, fmt.Errorf("write sign-in provider %s: %w", row.ID, err)
		}
	}
	return len(factors) + len(providers), nil
}

// EnvironmentIDs returns all environments.
func (db *DB) EnvironmentIDs(ctx context.Context) ([]string, error) {
	rows, err := db.q.EnvironmentPositions(ctx)
	if err != nil {
		return nil, translate(err)
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids, nil
}

// WhileAlone runs f while no replica runs on this database; secrets.ErrInUse, wrapped, when one does.
func (db *DB) WhileAlone(ctx context.Context, f func(context.Context) error) error {
	return db.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(_ pgx.Tx, q *dbsqlc.Queries) error {
		if err := lockReplicas(ctx, q); err != nil {
			return err
		}
		return f(ctx)
	})
}

// lockReplicas keeps replicas from running until the transaction ends.
func lockReplicas(ctx context.Context, q *dbsqlc.Queries) error {
	alone, err := q.TryLockReplicas(ctx, replicaLock)
	if err != nil {
		return fmt.Errorf("look for replicas: %w", err)
	}
	if !alone {
		return secrets.ErrInUse
	}
	return nil
}

// ForgetSealed removes what hangs on material that is lost, and that: the trust, join tokens, and the nodes' right to
// be served by certificates that nobody can check any more. It is for [DB.WhileAlone].
func (db *DB) ForgetSealed(ctx context.Context) error {
	ctx = audit.Ensure(ctx, audit.Command, "loseRoot")
	audit.Note(ctx, audit.Change{Action: "lose", Collection: "root-key", ID: "root"})
	return db.recorded(ctx, "loseRoot", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		var err error
		now := time.Now().UTC()
		for _, forget := range []func() error{
			func() error { return q.ForgetTrust(ctx) },
			func() error { return q.EndRotations(ctx, &now) },
			func() error { return q.DisableNodes(ctx) },
			func() error { return q.ForgetJoinTokens(ctx) },
			func() error { return q.WithdrawSealedProposals(ctx, &now) },
			func() error { return q.ForgetKeptReplies(ctx) },
			func() error { return q.DisableWebhooks(ctx) },
			func() error { return q.ForgetPasswordsOfSecondFactors(ctx) },
			func() error { return q.ForgetSecondFactors(ctx) },
			func() error { return q.ForgetRecoveryCodes(ctx) },
			func() error { return q.ForgetClientSecrets(ctx) },
			func() error { return q.ForgetAllSessions(ctx) },
			func() error { return q.ForgetMaterials(ctx) },
			func() error {
				return writeRotation(ctx, q, &fleet.Rotation{Kind: kindRoot, Old: "lost", AnnouncedAt: now, ActiveAt: now, RetiredAt: now})
			},
		} {
			if err == nil {
				err = forget()
			}
		}
		if err != nil {
			return fmt.Errorf("forget what was sealed: %w", err)
		}
		return nil
	})
}
