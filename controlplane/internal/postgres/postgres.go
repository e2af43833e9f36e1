package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/migrations"
)

// DB is the database: a pool of connections, and every domain's Store.
type DB struct {
	pool *pgxpool.Pool
	q    *dbsqlc.Queries
}

// Open connects to the database of a URL (DATABASE_URL), which may name several hosts: the one that takes writes is
// used, and after a failover the next. The schema must be there: see Migrate.
func Open(ctx context.Context, url string) (*DB, error) {
	config, err := poolConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err) // pgx leaves the password out
	}
	config.ConnConfig.RuntimeParams["application_name"] = "sallyport-control"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &DB{pool: pool, q: dbsqlc.New(pool)}, nil
}

// Close closes every connection, after those in use are given back.
func (db *DB) Close() { db.pool.Close() }

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.pool.Ping(ctx) }

// Migrate brings the database of a URL to the schema of this build. Of replicas that start at the same
// time one does it, and the others wait.
func Migrate(ctx context.Context, url string) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	prepare(config, url)
	conn := stdlib.OpenDB(*config)
	defer func() { _ = conn.Close() }()                                        // nothing is pending on it
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // every second, for five minutes
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, migrations.FS, goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// transaction runs f in a transaction, and commits it when f returns nil.
func (db *DB) transaction(ctx context.Context, options pgx.TxOptions, f func(pgx.Tx, *dbsqlc.Queries) error) error {
	err := pgx.BeginTxFunc(ctx, db.pool, options, func(tx pgx.Tx) error {
		q := db.q.WithTx(tx)
		restartReservation(ctx)
		if err := f(tx, q); err != nil {
			return err
		}
		return markCommitted(ctx, q, options)
	})
	return translate(err)
}

// snapshot runs f on one state of the database.
func (db *DB) snapshot(ctx context.Context, f func(pgx.Tx, *dbsqlc.Queries) error) error {
	return db.transaction(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}

// Notify tells those who listen, once the transaction is committed, that an environment changed.
func Notify(ctx context.Context, q *dbsqlc.Queries, environment string) error {
	if err := q.NotifyCommit(ctx, environment); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// Pool returns the connections, for the parts of this package that are stores of their own.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }
