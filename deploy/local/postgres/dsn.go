package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	superuser      = "sallyport" // the cluster's owner role
	firstDatabase  = "postgres"  // exists in every cluster
	duplicateState = "42P04"     // duplicate_database
)

// external wraps the server that DATABASE_URL names.
func external(dsn string, log *slog.Logger) (*Server, error) {
	if _, err := pgx.ParseConfig(dsn); err != nil {
		// The parser's error repeats the URL with its password masked, yet not in all its forms.
		return nil, errors.New("local postgres: DATABASE_URL is no PostgreSQL URL (postgres://user:password@host:port/database) and no key=value list")
	}
	log.Info("using the database that DATABASE_URL names")
	return &Server{
		dsn:    func(database string) string { return withDatabase(dsn, database) },
		source: "DATABASE_URL",
		log:    log,
	}, nil
}

// withDatabase names another database on the server of a DSN in either of its two forms.
func withDatabase(dsn, database string) string {
	if database == "" {
		return dsn
	}
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return dsn + " dbname='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(database) + "'" // the last one counts
	}
	parsed, err := url.Parse(dsn)
	if err != nil {
		return dsn // not reached: external has parsed it
	}
	query := parsed.Query()
	query.Del("dbname") // would win over the path
	parsed.RawQuery = query.Encode()
	parsed.Path = "/" + database
	return parsed.String()
}

// localDSN is the URL of a database on the server that we run.
func localDSN(port int, password, database string) string {
	if database == "" {
		database = firstDatabase
	}
	dsn := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return dsn.String()
}

// EnsureDatabase creates the database unless it exists.
func (s *Server) EnsureDatabase(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, s.dsn(""))
	if err != nil {
		return fmt.Errorf("local postgres: create database %s: %w", database, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&exists); err != nil {
		return fmt.Errorf("local postgres: look for database %s: %w", database, err)
	}
	if exists {
		return nil
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize())
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == duplicateState {
		return nil // another process was faster
	}
	if err != nil {
		return fmt.Errorf("local postgres: create database %s: %w", database, err)
	}
	return nil
}

// choosePort returns the wanted port, or one that is free now.
func choosePort(wanted int) (int, error) {
	if wanted < 0 || wanted > 65535 {
		return 0, fmt.Errorf("port %d: want 1 to 65535, or 0 for a free one", wanted)
	}
	if wanted != 0 {
		return wanted, nil
	}
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, fmt.Errorf("look for a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}
