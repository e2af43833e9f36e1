package postgres

import (
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// connectTimeout bounds making one connection, unless the URL says otherwise. Hosts are tried one after the
	// other, so that of several each has less.
	connectTimeout     = 5 * time.Second
	connectTimeoutEach = 2 * time.Second
	// A server that is gone without a word is noticed by the kernel: on an idle connection after probeAfter and
	// probes that nobody answers, on a busy one after silenceBound.
	probeAfter   = 3 * time.Second
	probeEvery   = 2 * time.Second
	probes       = 3
	silenceBound = 9 * time.Second
	// poolLook is how often idle connections are looked at, and poolPing bounds the ping of one before it is used.
	poolLook = 5 * time.Second
	poolPing = 2 * time.Second
	// connectionLife is how long a connection is used at most, so that all hosts of a cluster see theirs again.
	connectionLife = 30 * time.Minute
)

// maxConnections is how many connections the pool has at the most, unless the URL says otherwise by
// pool_max_conns. Most requests wait for the database rather than compute; three replicas fit into the 100
// connections that PostgreSQL allows by default.
const maxConnections = 24

// poolConfig reads DATABASE_URL.
func poolConfig(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	prepare(config.ConnConfig, url)
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = maxConnections
	}
	config.HealthCheckPeriod, config.PingTimeout = poolLook, poolPing
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = connectionLife, connectionLife/10
	return config, nil
}

// prepare makes connections go to the server that takes writes, of all that the URL names, and end soon after
// that one does. Nothing of ours reads from a standby: what it tells may be older than what was acknowledged.
func prepare(config *pgx.ConnConfig, url string) {
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
		if severalHosts(config) {
			config.ConnectTimeout = connectTimeoutEach
		}
	}
	if !strings.Contains(url, "target_session_attrs") {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes},
		Control: func(network, _ string, conn syscall.RawConn) error {
			if !strings.HasPrefix(network, "tcp") {
				return nil // a Unix socket
			}
			return boundSilence(conn, silenceBound)
		},
	}
	config.DialFunc = dialer.DialContext
}

func severalHosts(config *pgx.ConnConfig) bool {
	for _, other := range config.Fallbacks { // the same host again, with and without TLS, is among them
		if other.Host != config.Host || other.Port != config.Port {
			return true
		}
	}
	return false
}
