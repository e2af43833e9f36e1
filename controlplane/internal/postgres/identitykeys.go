package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/digest"
)

// LockIdentityKeys implements publish.IdentityTx. It locks first and reads then, as LockRows does.
func (tx *writeTx) LockIdentityKeys(ctx context.Context, environment string) (keys directory.Identity, epoch uint64, known bool, err error) {
	if _, err := tx.q.LockIdentityKeys(ctx, environment); errors.Is(err, pgx.ErrNoRows) {
		return keys, 0, false, nil
	} else if err != nil {
		return keys, 0, false, err //nolint:wrapcheck // the caller says what it locks
	}
	row, err := tx.q.GetIdentityKeys(ctx, environment)
	if err != nil {
		return keys, 0, false, fmt.Errorf("read them: %w", err)
	}
	return directory.Identity{
		Version: uint32(row.Version), Epoch: uint64(row.Epoch), RotatedAt: row.RotatedAt,
		Entry: directory.Entry{Key: digest.Key(row.Key), Bytes: row.Entry, Sealed: row.Sealed, Gone: row.Entry == nil},
	}, uint64(row.EpochNow), true, nil
}

// HasIdentityKeys implements publish.IdentityTx.
func (tx *writeTx) HasIdentityKeys(ctx context.Context, environment string) (bool, error) {
	return tx.q.HasIdentityKeys(ctx, environment)
}

// WriteIdentityKeys implements publish.IdentityTx.
func (tx *writeTx) WriteIdentityKeys(ctx context.Context, environment string, keys directory.Identity) error {
	tx.wrote = true
	row := dbsqlc.UpsertIdentityKeysParams{
		Environment: environment, Version: int32(keys.Version), Epoch: int64(keys.Epoch), EntryKey: keys.Entry.Key[:], RotatedAt: keys.RotatedAt,
		PublicSet: keys.Set,
	}
	if !keys.TrimAt.IsZero() {
		row.TrimAt = &keys.TrimAt
	}
	return tx.q.UpsertIdentityKeys(ctx, row)
}

// StaleIdentityKeys implements publish.IdentityTx.
func (tx *writeTx) StaleIdentityKeys(ctx context.Context, madeBefore, now time.Time) ([]string, error) {
	return tx.q.ListStaleIdentityKeys(ctx, dbsqlc.ListStaleIdentityKeysParams{MadeBefore: madeBefore, Now: &now})
}

// IdentitySet returns what services may see of the identity keys of an environment, by its id or name; false: it has none, or isn't there.
func (db *DB) IdentitySet(ctx context.Context, idOrName string) ([]byte, bool, error) {
	set, err := db.q.GetIdentitySet(ctx, idOrName)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return set, err == nil, translate(err)
}
