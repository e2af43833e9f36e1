package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/callers"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
)

// Callers implements callers.Store.
func (db *DB) Callers(ctx context.Context, environment string, there callers.Place, after string, most int) ([]callers.Consumer, error) {
	rows, err := db.q.SelectCallers(ctx, dbsqlc.SelectCallersParams{Environment: environment, After: after, Most: int32(most)})
	if err != nil {
		return nil, translate(err)
	}
	found, places, ids := make([]callers.Consumer, len(rows)), make(map[string]int, len(rows)), make([]string, len(rows))
	for i, row := range rows {
		found[i] = callers.Consumer{ID: row.ID, Name: row.Name, Out: row.Out}
		if err := json.Unmarshal(row.Labels, &found[i].Labels); err != nil {
			return nil, fmt.Errorf("labels of the consumer %s: %w", row.ID, err)
		}
		places[row.ID], ids[i] = i, row.ID
	}
	keys, err := db.q.ListScopesOfCallers(ctx, dbsqlc.ListScopesOfCallersParams{Environment: environment, Consumers: ids, Places: []string{there.Route, there.Service}})
	if err != nil {
		return nil, translate(err)
	}
	for _, key := range keys {
		owner := &found[places[key.Consumer]]
		owner.Keys = append(owner.Keys, key.Scopes)
	}
	return found, nil
}

// ConsumerNames implements callers.Store.
func (db *DB) ConsumerNames(ctx context.Context, environment string, ids []string) (map[string]string, error) {
	rows, err := db.q.ListConsumerNames(ctx, dbsqlc.ListConsumerNamesParams{Environment: environment, Ids: ids})
	if err != nil {
		return nil, translate(err)
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		names[row.ID] = row.Name
	}
	return names, nil
}
