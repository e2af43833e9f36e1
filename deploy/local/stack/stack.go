package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deploy/local/postgres"
)

const (
	database     = "sallyport"
	readyTimeout = 60 * time.Second
)

// Stack is a running product. Its methods are safe for concurrent use.
type Stack struct {
	cfg      Config
	at       addresses
	database string // name of its folder
	token    string

	ctx    context.Context //nolint:containedctx // the stack's own life, which Start bounds
	cancel context.CancelFunc
	output sync.Mutex
	client *http.Client

	mu       sync.Mutex
	postgres *postgres.Server
	standby  *postgres.Server // until it is promoted; nil: there is none
	former   *postgres.Server // what it was promoted instead of
	both     string           // DSN of the database and its standby; empty: there is none
	parts    map[string]*part
	order    []string
	changed  func()
	watcher  sync.WaitGroup
}

// Start starts everything and returns once all of it is ready. What it started ends with Stop, or with ctx.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	at, err := cfg.choose()
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(ctx)
	s := &Stack{cfg: cfg, at: at, ctx: life, cancel: cancel, parts: make(map[string]*part), changed: func() {}, client: &http.Client{Timeout: requestTimeout}}
	if err := s.startAll(ctx); err != nil {
		stop, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancelStop()
		return nil, errors.Join(err, s.Stop(stop))
	}
	return s, nil
}

func (s *Stack) startAll(ctx context.Context) error {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"database", s.startPostgres},
		{"standby", s.startStandby},
		{"bus", s.startBus},
		{"control plane", s.startControl},
		{"demo service", s.startDemo},
		{"edges", s.startEdges},
	}
	for _, step := range steps {
		if step.name == "standby" && !s.cfg.Standby || step.name == "bus" && !s.cfg.OwnBus {
			continue
		}
		s.cfg.Progress(step.name)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("start the %s: %w", step.name, err)
		}
	}
	return nil
}

func (s *Stack) startPostgres(ctx context.Context) error {
	if err := s.nameDatabase(); err != nil {
		return err
	}
	server, err := postgres.Start(ctx, s.postgresConfig(s.cfg.Ports.Postgres))
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	s.setPostgres(server)
	if err := server.EnsureDatabase(ctx, database); err != nil {
		return err //nolint:wrapcheck // says what
	}
	if s.cfg.Restart && !server.External() {
		s.watcher.Go(func() { s.watchPostgres(server) })
	}
	return nil
}

// nameDatabase gives the state folder a name of its own, at random. The cluster of a stack that root runs lies elsewhere, under
// a hash of its folder: whoever removes the state folder, and with it the root key, must not find the old data again.
func (s *Stack) nameDatabase() error {
	file := filepath.Join(s.cfg.Dir, "database")
	kept, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		kept = []byte("postgres-" + strings.ToLower(rand.Text()))
		err = os.WriteFile(file, kept, 0o600)
	}
	s.database = strings.TrimSpace(string(kept))
	return err //nolint:wrapcheck // names the file
}

func (s *Stack) postgresConfig(port int) postgres.Config {
	return postgres.Config{
		Dir: filepath.Join(s.cfg.Dir, s.database), Port: port, Logger: s.cfg.Logger, Throwaway: s.cfg.Throwaway,
	}
}

// watchPostgres starts the database again when it dies.
func (s *Stack) watchPostgres(server *postgres.Server) {
	for {
		err := server.Wait(s.ctx)
		if s.ctx.Err() != nil {
			return
		}
		s.cfg.Logger.Warn("a part died and is started again", "part", Postgres, "ended", fmt.Sprint(err))
		for {
			if !sleep(s.ctx, leastPause) {
				return
			}
			next, err := postgres.Start(s.ctx, s.postgresConfig(portOf(server.DSN(database))))
			if err == nil {
				server = next
				s.setPostgres(next)
				break
			}
			s.cfg.Logger.Error("a part could not be started again", "part", Postgres, "error", err)
		}
	}
}

func (s *Stack) setPostgres(server *postgres.Server) {
	s.mu.Lock()
	s.postgres = server
	changed := s.changed
	s.mu.Unlock()
	changed()
}

// launch adds a part and starts it.
func (s *Stack) launch(p *part) error {
	p.restart, p.log = s.cfg.Restart, s.cfg.Logger
	p.changed = func() {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		changed()
	}
	s.mu.Lock()
	s.parts[p.name] = p
	s.order = append(s.order, p.name)
	s.mu.Unlock()
	return p.start(s.ctx)
}

// part finds a part by name.
func (s *Stack) part(name string) (*part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.parts[name]
	if !ok {
		return nil, fmt.Errorf("the stack has no part %q", name)
	}
	return p, nil
}

// Kill ends a part at once, as a crash would. Unless the stack restarts what dies, it stays dead until Revive.
func (s *Stack) Kill(name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	p.current().Kill()
	return nil
}

// Revive starts a part that was killed, and returns once it is ready.
func (s *Stack) Revive(ctx context.Context, name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	if err := p.start(s.ctx); err != nil {
		return err
	}
	return s.awaitPart(ctx, name)
}

// Stop ends everything: those who ask before those who answer.
func (s *Stack) Stop(ctx context.Context) error {
	s.mu.Lock()
	order := append([]string(nil), s.order...)
	s.mu.Unlock()
	var failed []error
	for i := len(order) - 1; i >= 0; i-- {
		p, err := s.part(order[i])
		if err == nil {
			err = p.stop(ctx)
		}
		failed = append(failed, err)
	}
	s.cancel()
	s.client.CloseIdleConnections()
	for _, p := range s.parts {
		p.watcher.Wait()
	}
	s.watcher.Wait()
	s.mu.Lock()
	servers := []*postgres.Server{s.standby, s.postgres, s.former}
	s.mu.Unlock()
	for _, server := range servers {
		if server == nil {
			continue
		}
		failed = append(failed, server.Stop(ctx))
		if s.cfg.Throwaway && !server.External() {
			failed = append(failed, os.RemoveAll(server.Dir()))
		}
	}
	return errors.Join(failed...)
}

// prefixed returns an output that names the part on each line.
func (s *Stack) prefixed(name string) *lines {
	return &lines{name: name, out: s.cfg.Output, lock: &s.output}
}
