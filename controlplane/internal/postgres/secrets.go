package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
)

var _ secrets.Store = (*DB)(nil)

// Material implements secrets.Store.
func (db *DB) Material(ctx context.Context, name string) ([]byte, error) {
	sealed, err := db.q.GetMaterial(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return sealed, translate(err)
}

// AddMaterial implements secrets.Store.
func (db *DB) AddMaterial(ctx context.Context, name string, sealed []byte) ([]byte, error) {
	err := db.q.InsertMaterial(ctx, dbsqlc.InsertMaterialParams{Name: name, Sealed: sealed, CreatedAt: time.Now().UTC()})
	if err != nil {
		return nil, translate(err)
	}
	return db.Material(ctx, name)
}
