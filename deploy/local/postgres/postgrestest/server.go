package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/deploy/local/postgres"
)

// slots bounds how many test processes of one user may have a server at once.
const slots = 64

// shared is this process's server. It has no end of its own: the server dies with the process.
var shared lazyServer

// lazyServer starts its server for the first test that asks. A failed start is tried again by the next.
type lazyServer struct {
	mu     sync.Mutex
	server *server
}

func (l *lazyServer) get(ctx context.Context) (*server, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil {
		return l.server, nil
	}
	started, err := start(ctx)
	if err != nil {
		return nil, err
	}
	l.server = started
	return started, nil
}

// server is a running one and the templates made on it.
type server struct {
	postgres *postgres.Server

	mu        sync.Mutex
	templates map[string]*template
}

// template is one migration's database, made by whoever asks first while the others wait.
type template struct {
	once sync.Once
	name string
	err  error
}

// start takes the first free slot and cleans up what an earlier process left there.
func start(ctx context.Context) (*server, error) {
	home, err := slotHome()
	if err != nil {
		return nil, err
	}
	for slot := range slots {
		running, err := postgres.Start(ctx, postgres.Config{
			Dir:       filepath.Join(home, "slot-"+strconv.Itoa(slot)),
			Throwaway: true,
		})
		if errors.Is(err, postgres.ErrInUse) {
			continue
		}
		if err != nil {
			return nil, err
		}
		started := &server{postgres: running, templates: map[string]*template{}}
		if err := started.dropLeftovers(ctx); err != nil {
			return nil, errors.Join(err, running.Stop(ctx))
		}
		return started, nil
	}
	return nil, fmt.Errorf("all %d slots in %s are in use", slots, home)
}

// slotHome is in the cache of whoever runs the tests. Clusters of different origins of binaries lie apart, so that
// SALLYPORT_POSTGRES=npm doesn't fight with what the machine has.
func slotHome() (string, error) {
	source := os.Getenv("SALLYPORT_POSTGRES")
	if source == "" {
		source = string(postgres.SourceAny)
	}
	cache, err := postgres.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "tests-"+filepath.Base(source)), nil
}

// dropLeftovers drops the databases of a process that used this slot before. On somebody else's server
// it touches nothing: they may belong to tests that run now.
func (s *server) dropLeftovers(ctx context.Context) error {
	if s.postgres.External() {
		return nil
	}
	conn, err := pgx.Connect(ctx, s.postgres.DSN(""))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", namePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, "DROP DATABASE "+quote(name)+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop %s, left by an earlier run: %w", name, err)
		}
	}
	return nil
}

// template returns the name of the key's template, migrating it at the first call. A failed migration fails every
// test that needs it.
func (s *server) template(ctx context.Context, key string, migrate Migrate) (string, error) {
	s.mu.Lock()
	made, ok := s.templates[key]
	if !ok {
		made = &template{name: databaseName("template")}
		s.templates[key] = made
	}
	s.mu.Unlock()
	made.once.Do(func() { made.err = s.migrated(context.WithoutCancel(ctx), made.name, migrate) })
	return made.name, made.err
}
