package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// busLock is the key of the advisory lock that an embedded bus holds.
	busLock int64 = 0x53414c4c59425553 // "SALLYBUS"
	// claimPatience is how long a claim waits for whoever held it before: a process that is being replaced is
	// on its way out.
	claimPatience = 5 * time.Second
	claimRetry    = 250 * time.Millisecond
	// claimLook is how often the claim's connection is looked at, and claimTimeout bounds a look.
	claimLook    = time.Second
	claimTimeout = 5 * time.Second
)

// ErrBusClaimed says that another process runs the installation's embedded bus.
var ErrBusClaimed = errors.New("the embedded bus runs elsewhere")

// errBusFreed says that the claim is free by now.
var errBusFreed = errors.New("claim the bus: whoever had it has just given it back")

// BusClaim is the right to run the embedded bus, of which an installation has one: streams in two places would
// hold a half of the usage each, and revocations would reach one of them.
//
// It is an advisory lock of a connection of its own. When that breaks (a failover of the database, say) the lock is
// gone, and is taken again as soon as the database is back; meanwhile the bus goes on. Only when somebody
// else has taken it does the bus have to end.
type BusClaim struct {
	config *pgx.ConnConfig
	name   string // by which we know our own connections in the database
	log    *slog.Logger
	conn   *pgx.Conn
}

// ClaimBus takes the claim, or fails with ErrBusClaimed, which says what to do instead. Run keeps it.
func (db *DB) ClaimBus(ctx context.Context, log *slog.Logger) (*BusClaim, error) {
	c := &BusClaim{config: db.pool.Config().ConnConfig, name: "sallyport-bus " + rand.Text()[:8], log: log}
	c.config.RuntimeParams["application_name"] = c.name
	// A machine that is switched off must not hold the claim for the two hours that TCP would give it.
	for name, value := range map[string]string{
		"tcp_keepalives_idle": "3", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "tcp_user_timeout": "9000",
	} {
		c.config.RuntimeParams[name] = value
	}
	deadline := time.Now().Add(claimPatience)
	for {
		err := c.take(ctx)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, ErrBusClaimed) && !errors.Is(err, errBusFreed) || time.Now().After(deadline) || ctx.Err() != nil {
			return nil, err
		}
		wait(ctx, claimRetry)
	}
}

// Run keeps the claim until ctx ends; it is still held then, for Drop. Its error is that somebody else has it.
func (c *BusClaim) Run(ctx context.Context) error {
	look := time.NewTicker(claimLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		if c.held(ctx) || ctx.Err() != nil {
			continue
		}
		err := c.take(ctx)
		if errors.Is(err, ErrBusClaimed) {
			return err
		}
		if err == nil {
			c.log.Info("the bus is claimed again")
		}
	}
}

// held tells whether the claim's connection lives, and drops one that doesn't.
func (c *BusClaim) held(ctx context.Context) bool {
	if c.conn == nil {
		return false
	}
	looking, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if c.conn.Ping(looking) == nil {
		return true
	}
	if ctx.Err() == nil {
		c.log.Warn("the connection that claims the bus broke; the bus goes on and claims it again")
		c.Drop()
	}
	return false
}

// Drop gives the claim back. Doing it again does no harm; not while Run runs.
func (c *BusClaim) Drop() {
	if c.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.conn.Close(ctx) // it is gone either way
	c.conn = nil
}

// take connects and takes the lock.
func (c *BusClaim) take(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if c.conn, err = pgx.ConnectConfig(ctx, c.config); err != nil {
		c.conn = nil
		return fmt.Errorf("claim the bus: %w", err)
	}
	defer func() {
		if err != nil {
			c.Drop()
		}
	}()
	var taken bool
	if err := c.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", busLock).Scan(&taken); err != nil {
		return fmt.Errorf("claim the bus: %w", err)
	}
	if taken {
		return nil
	}
	return c.refused(ctx)
}

// refused says who has the claim. Where that is a connection of ours which the database doesn't know to be dead
// yet, it is ended.
func (c *BusClaim) refused(ctx context.Context) error {
	const holder = `
SELECT a.pid, a.application_name = $2, coalesce(host(a.client_addr), 'a local socket'), a.backend_start
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid = ($1::bigint >> 32)::int4::oid AND l.objid = ($1::bigint & 4294967295)::int8::oid
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	var pid int32
	var own bool
	var from string
	var since time.Time
	err := c.conn.QueryRow(ctx, holder, busLock, c.name).Scan(&pid, &own, &from, &since)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errBusFreed
	case err != nil:
		return fmt.Errorf("claim the bus: %w", err)
	case own:
		if _, err := c.conn.Exec(ctx, "SELECT pg_terminate_backend($1)", pid); err != nil {
			return fmt.Errorf("claim the bus: end our own connection of before: %w", err)
		}
		return errBusFreed
	}
	return fmt.Errorf("%w: a process at %s has run the bus of this database since %s, and there is one bus only. To run several control planes, "+
		"run the bus as a process of its own (sallyport-control bus), or a NATS server (sallyport-control bus init), and give each control plane its URL in NATS_URL",
		ErrBusClaimed, from, since.UTC().Format(time.RFC3339))
}
