package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
)

// maxLacking bounds how many nodes that lack a capability are named.
const maxLacking = 20

func (tx *writeTx) LackingNodes(ctx context.Context, environment string, capability uint32) ([]publish.Lacking, error) {
	rows, err := tx.q.ListLackingNodes(ctx, dbsqlc.ListLackingNodesParams{Environment: environment, Capability: int64(capability), Most: maxLacking})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	lacking := make([]publish.Lacking, len(rows))
	for i, row := range rows {
		lacking[i] = publish.Lacking{ID: row.ID, Name: row.Name, Capability: uint32(row.Capability)}
	}
	return lacking, nil
}

func (tx *writeTx) Fleet(ctx context.Context, environment string) ([]string, error) {
	return tx.q.ListFleet(ctx, environment)
}

func (tx *writeTx) FleetEntry(ctx context.Context, environment string) (digest.Hash, bool, error) {
	key := directory.FleetKey()
	hash, err := tx.q.FleetEntryHash(ctx, dbsqlc.FleetEntryHashParams{Environment: environment, Key: key[:]})
	if errors.Is(err, pgx.ErrNoRows) {
		return digest.Hash{}, false, nil
	}
	if err != nil {
		return digest.Hash{}, false, fmt.Errorf("read the fleet's entry: %w", err)
	}
	return digest.Hash(hash), true, nil
}

func (tx *writeTx) FleetEnvironments(ctx context.Context) ([]string, error) {
	key := directory.FleetKey()
	return tx.q.ListFleetEnvironments(ctx, key[:])
}
