package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoBaseBackup says that the PostgreSQL found has no pg_basebackup, without which there is no standby: the npm
// package's has none.
var ErrNoBaseBackup = errors.New("this PostgreSQL has no pg_basebackup: install one with its client programs")

// promoteSeconds bounds a promotion.
const promoteSeconds = 30

// StartStandby runs a streaming replica of a server that Start runs, in a folder of its own, and returns when it
// answers reads. When the folder holds none yet it is copied from the primary. It is made synchronous by
// [Server.RequireStandby].
func StartStandby(ctx context.Context, cfg Config, primary *Server) (*Server, error) {
	if primary.External() {
		return nil, errors.New("local postgres: a server that DATABASE_URL names gets no standby")
	}
	cfg.Getenv = func(name string) string { // this one is ours
		if name == "DATABASE_URL" {
			return ""
		}
		return os.Getenv(name)
	}
	owner, err := currentOwner()
	if err != nil {
		return nil, err
	}
	cluster, err := openCluster(cfg, owner)
	if err != nil {
		return nil, fmt.Errorf("local postgres: %w", err)
	}
	if !cluster.exists() {
		if err := cluster.copyFrom(ctx, cfg, primary); err != nil {
			return nil, errors.Join(fmt.Errorf("local postgres: make a standby: %w", err), cluster.lock.Close())
		}
	}
	if err := cluster.lock.Close(); err != nil {
		return nil, fmt.Errorf("local postgres: %w", err)
	}
	cfg.Throwaway = false // it would be made anew, as a primary
	return Start(ctx, cfg)
}

// copyFrom makes the cluster a copy that follows the primary.
func (c *cluster) copyFrom(ctx context.Context, cfg Config, primary *Server) error {
	source := &cluster{dir: primary.dir, owner: c.owner}
	major, err := source.major()
	if err != nil {
		return err
	}
	binaries, err := Locator{Source: cfg.Source, Getenv: cfg.Getenv, Logger: cfg.Logger, owner: c.owner}.Find(ctx, major)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(binaries.Dir, "pg_basebackup")); err != nil {
		return fmt.Errorf("%w: %w", ErrNoBaseBackup, err)
	}
	password, err := source.password()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.dir, "password"), []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	fresh := filepath.Join(c.dir, "data.new")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	from, err := url.Parse(primary.DSN(""))
	if err != nil {
		return err
	}
	command := c.command(ctx, binaries, "pg_basebackup", "-h", from.Hostname(), "-p", from.Port(), "-U", superuser,
		"-D", fresh, "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync", "--no-password") // #nosec G204 -- the server is ours
	command.Env = append(command.Env, "PGPASSWORD="+password)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w: %s", err, bytes.TrimSpace(output))
	}
	return os.Rename(fresh, c.data())
}

// RequireStandby makes every commit wait for a standby, so that none that was acknowledged is lost with the primary. It
// returns once a standby is there.
func (s *Server) RequireStandby(ctx context.Context) error {
	return s.with(ctx, func(conn *pgx.Conn) error {
		for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		for {
			var there bool
			if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')").Scan(&there); err != nil {
				return err
			}
			if there {
				return nil
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	})
}

// Promote makes a standby the primary, and returns once it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	return s.with(ctx, func(conn *pgx.Conn) error {
		var promoted bool
		if err := conn.QueryRow(ctx, "SELECT pg_promote(true, $1)", promoteSeconds).Scan(&promoted); err != nil {
			return err
		}
		if !promoted {
			return fmt.Errorf("it was not promoted within %d s", promoteSeconds)
		}
		return nil
	})
}

func (s *Server) with(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.dsn(""))
	if err != nil {
		return fmt.Errorf("local postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := do(conn); err != nil {
		return fmt.Errorf("local postgres: %w", err)
	}
	return nil
}

// DSNOfAll is the URL of a database on whichever of these servers takes writes: a primary of ours and its standbys.
func DSNOfAll(database string, servers ...*Server) (string, error) {
	var hosts []string
	var all *url.URL
	for _, s := range servers {
		one, err := url.Parse(s.DSN(database))
		if err != nil {
			return "", fmt.Errorf("local postgres: %w", err)
		}
		hosts, all = append(hosts, one.Host), one
	}
	if all == nil {
		return "", errors.New("local postgres: no server is named")
	}
	all.Host = strings.Join(hosts, ",")
	query := all.Query()
	query.Set("target_session_attrs", "read-write")
	all.RawQuery = query.Encode()
	return all.String(), nil
}

// CanStandBy tells whether the PostgreSQL that Start would run can have a standby.
func CanStandBy(ctx context.Context) bool {
	owner, err := currentOwner()
	if err != nil {
		return false
	}
	binaries, err := Locator{owner: owner}.Find(ctx, 0)
	if err != nil {
		return false
	}
	_, err = os.Stat(filepath.Join(binaries.Dir, "pg_basebackup"))
	return err == nil
}
