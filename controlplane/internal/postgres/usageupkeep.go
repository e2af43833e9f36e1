package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
)

var _ usage.Partitions = (*Usage)(nil)

// Advisory locks of usage.
const (
	upkeepLock    = 0x73706f7274_0b01 // "sport", and a number: held by the replica that sees to partitions
	partitionLock = 0x73706f7274_0b02 // held while partitions are made
)

// partitionLockTimeout bounds how long a change of the partitions waits for those who use them: whoever
// comes after it waits behind it.
const partitionLockTimeout = "2s"

// Exclusively implements usage.Partitions.
func (u *Usage) Exclusively(ctx context.Context, f func(context.Context) error) (ran bool, err error) {
	// The lock ends with the transaction, and so with the connection: none stays behind. f works on others.
	err = pgx.BeginFunc(ctx, u.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", int64(upkeepLock)).Scan(&ran); err != nil || !ran {
			return translate(err)
		}
		return f(ctx)
	})
	return ran, err
}

// Clock implements usage.Partitions.
func (u *Usage) Clock(ctx context.Context) (usage.Clock, error) {
	rows, err := u.queries.GetUsageUpkeep(ctx)
	if err != nil || len(rows) != 1 {
		return usage.Clock{}, fmt.Errorf("read the clock of upkeep: %w", translate(err))
	}
	clock := usage.Clock{Now: rows[0].Now}
	if rows[0].PassedAt != nil && rows[0].HeldUntil != nil {
		clock.PassedAt, clock.HeldUntil = *rows[0].PassedAt, *rows[0].HeldUntil
	}
	return clock, nil
}

// SetClock implements usage.Partitions.
func (u *Usage) SetClock(ctx context.Context, c usage.Clock) error {
	err := u.queries.PutUsageUpkeep(ctx, dbsqlc.PutUsageUpkeepParams{PassedAt: c.PassedAt, HeldUntil: c.HeldUntil})
	if err != nil {
		return fmt.Errorf("note the clock of upkeep: %w", translate(err))
	}
	return nil
}

// List implements usage.Partitions.
func (u *Usage) List(ctx context.Context) ([]string, error) {
	rows, err := u.pool.Query(ctx, `
		SELECT child.relname::text FROM pg_inherits i
		JOIN pg_class child ON child.oid = i.inhrelid
		JOIN pg_class parent ON parent.oid = i.inhparent
		WHERE parent.relkind = 'p' AND parent.relnamespace = current_schema()::regnamespace AND parent.relname LIKE 'usage\_%'
		ORDER BY child.relname`)
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", translate(err))
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list partitions: %w", translate(err))
	}
	return names, nil
}

// Create implements usage.Partitions.
func (u *Usage) Create(ctx context.Context, wanted []usage.Partition) error {
	existing, err := u.List(ctx)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(existing))
	for _, name := range existing {
		there[name] = true
	}
	for _, p := range wanted {
		if there[p.Name] {
			continue
		}
		if err := u.create(ctx, p); err != nil {
			return fmt.Errorf("make partition %s: %w", p.Name, translate(err))
		}
	}
	return nil
}

func (u *Usage) create(ctx context.Context, p usage.Partition) error {
	return u.changePartitions(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT add_usage_partition($1, $2, $3, $4)", p.Table, p.Name, p.From, p.To)
		return err
	})
}

// Drop implements usage.Partitions.
func (u *Usage) Drop(ctx context.Context, name string) error {
	err := u.changePartitions(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+pgx.Identifier{name}.Sanitize())
		return err
	})
	if err != nil {
		return fmt.Errorf("drop partition %s: %w", name, translate(err))
	}
	return nil
}

// changePartitions runs f alone of all that change partitions.
func (u *Usage) changePartitions(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, u.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(partitionLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+partitionLockTimeout+"'"); err != nil {
			return err
		}
		return f(tx)
	})
}

// ForgetNames implements usage.Partitions.
func (u *Usage) ForgetNames(ctx context.Context, before time.Time) error {
	if err := u.queries.ForgetUsageNames(ctx, before); err != nil {
		return fmt.Errorf("forget names: %w", translate(err))
	}
	return nil
}

// makePartitions makes all that are wanted by now.
func (u *Usage) makePartitions(ctx context.Context) error {
	now, err := u.queries.UsageTime(ctx)
	if err != nil {
		return fmt.Errorf("make partitions: %w", err)
	}
	return u.Create(ctx, usage.Wanted(now))
}
