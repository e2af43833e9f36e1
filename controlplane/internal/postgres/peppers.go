package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
)

// kindPepper is how rotations of peppers are called where all are written down.
const kindPepper fleet.RotationKind = "pepper"

// LockPeppers implements publish.PepperTx. A key that comes needs its pepper's row to stay, and waits for the lock.
func (tx *writeTx) LockPeppers(ctx context.Context, environment string) ([]publish.PepperUse, error) {
	if _, err := tx.q.LockPeppers(ctx, environment); err != nil {
		return nil, err
	}
	rows, err := tx.q.CountPepperKeys(ctx, environment) // behind the lock: it sees what was committed before
	if err != nil {
		return nil, fmt.Errorf("count the keys: %w", err)
	}
	peppers := make([]publish.PepperUse, len(rows))
	for i, row := range rows {
		peppers[i] = publish.PepperUse{Version: uint32(row.Version), EntryKey: digest.Key(row.EntryKey), Keys: int(row.Keys), Expired: int(row.Expired)}
	}
	return peppers, nil
}

// KeysOfPepper implements publish.PepperTx.
func (tx *writeTx) KeysOfPepper(ctx context.Context, environment string, version uint32, limit int) ([]string, error) {
	return tx.q.NamesOfPepperKeys(ctx, dbsqlc.NamesOfPepperKeysParams{Environment: environment, Pepper: int32(version), Most: int32(limit)})
}

// WritePeppers implements publish.PepperTx.
func (tx *writeTx) WritePeppers(ctx context.Context, environment string, before uint32, added directory.Pepper, removed []uint32) error {
	tx.wrote = true
	versions := make([]int32, len(removed))
	for i, version := range removed {
		versions[i] = int32(version)
	}
	if err := tx.q.DeletePeppers(ctx, dbsqlc.DeletePeppersParams{Environment: environment, Versions: versions}); err != nil {
		return fmt.Errorf("remove peppers: %w", err)
	}
	err := tx.q.InsertPepper(ctx, dbsqlc.InsertPepperParams{
		Environment: environment, Version: int32(added.Version), EntryKey: added.Entry.Key[:], CreatedAt: added.CreatedAt,
	})
	if err != nil {
		return fmt.Errorf("add a pepper: %w", err)
	}
	at := added.CreatedAt
	return writeRotation(ctx, tx.q, &fleet.Rotation{
		Kind: kindPepper, Environment: environment, Old: strconv.FormatUint(uint64(before), 10), New: strconv.FormatUint(uint64(added.Version), 10),
		AnnouncedAt: at, ActiveAt: at, RetiredAt: at,
	})
}

// Sealed implements publish.PepperTx.
func (tx *writeTx) Sealed(ctx context.Context, environment string) (keys []digest.Key, secrets []string, err error) {
	rows, err := tx.q.ListSealedKeys(ctx, environment)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		keys = append(keys, digest.Key(row))
	}
	secrets, err = tx.q.ListSecretIDs(ctx, environment)
	return keys, secrets, err
}
