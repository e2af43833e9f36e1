package postgres

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/limits"
)

// Counts implements limits.Store.
func (db *DB) Counts(ctx context.Context, environment string) (limits.Counts, error) {
	counts := make(limits.Counts)
	add := func(environment, name string, n int64) {
		if counts[environment] == nil {
			counts[environment] = make(map[string]uint64)
		}
		counts[environment][name] += uint64(n)
	}
	objects, err := db.q.ObjectCounts(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("count the configuration: %w", err)
	}
	for _, row := range objects {
		add(row.Environment, row.Collection, row.Objects)
		add(row.Environment, limits.ConfigurationBytes, row.Bytes)
	}
	rows, err := db.q.DirectoryCounts(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("count the directory: %w", err)
	}
	for _, row := range rows {
		add(row.Environment, row.Collection, row.Objects)
	}
	return counts, nil
}
