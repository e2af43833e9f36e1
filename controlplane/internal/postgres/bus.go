package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
)

// SetNodeEnabled turns a node off or on. What else "off" means is written in the same transaction: that its
// bus JWTs are revoked, and the news to all replicas. A renewal waits for the node's row, and then finds it
// disabled.
func (f *Fleet) SetNodeEnabled(ctx context.Context, environment, id string, enabled bool) error {
	err := f.recorded(ctx, environment, operationOf(enabled), func(queries *dbsqlc.Queries) error {
		if enabled {
			return oneRow(queries.EnableNode(ctx, dbsqlc.EnableNodeParams{Environment: environment, ID: id}))
		}
		if _, err := queries.DisableNode(ctx, dbsqlc.DisableNodeParams{Environment: environment, ID: id}); err != nil {
			return err
		}
		if err := queries.RevokeBusKey(ctx, id); err != nil {
			return fmt.Errorf("revoke the node's bus JWTs: %w", err)
		}
		return errors.Join(queries.DropBusRevocations(ctx, time.Now().Add(-2*fleet.RevocationLife)), queries.NotifyDisabled(ctx, id))
	})
	return orNotFound(err, "there is no such node")
}

func operationOf(enabled bool) string {
	if enabled {
		return "enableNode"
	}
	return "disableNode"
}

// BusRevocations returns whom the bus must turn away.
func (f *Fleet) BusRevocations(ctx context.Context, since time.Time, limit int) ([]fleet.BusRevocation, error) {
	rows, err := f.queries.ListBusRevocations(ctx, dbsqlc.ListBusRevocationsParams{Since: since, Most: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list whom the bus must turn away: %w", translate(err))
	}
	revoked := make([]fleet.BusRevocation, len(rows))
	for i, row := range rows {
		revoked[i] = fleet.BusRevocation{Key: row.BusKey, Until: row.RevokedUntil}
	}
	return revoked, nil
}
