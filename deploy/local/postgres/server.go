package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	startTimeout = 60 * time.Second // crash recovery of a big cluster included
	stopTimeout  = 30 * time.Second
	startTries   = 5
)

// ErrInUse says that another process, or another Server of this one, runs the cluster in that folder.
var ErrInUse = errors.New("the cluster is in use by another process")

// Config says which cluster to run, and how. The zero value of every field but Dir is usable.
type Config struct {
	Dir    string       // holds the cluster, its password and its log; made when it isn't there
	Port   int          // TCP port on 127.0.0.1; 0 picks a free one
	Logger *slog.Logger // nil: silent

	// Throwaway trades durability for speed (fsync off), and makes the cluster anew when it doesn't
	// come up. For tests alone.
	Throwaway bool

	Source Source              // where binaries may come from; empty: SALLYPORT_POSTGRES, else anywhere
	Getenv func(string) string // nil: os.Getenv
}

// Server is a running PostgreSQL server, or one that somebody else runs ([Server.External]).
// It holds no goroutine. Its methods may be called from several goroutines.
type Server struct {
	dsn    func(database string) string
	dir    string
	source string
	log    *slog.Logger

	process *process // nil when external
	lock    *os.File
}

// Start runs the cluster in cfg.Dir, making it first when there is none, and returns when it answers.
// When DATABASE_URL is set it starts nothing and returns that server, without connecting to it.
// ctx bounds the start only; the server lives until [Server.Stop], or until this process ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if dsn := cfg.Getenv("DATABASE_URL"); dsn != "" {
		return external(dsn, cfg.Logger)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout+downloadTimeout)
	defer cancel()
	server, err := start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("local postgres: %w", err)
	}
	return server, nil
}

func start(ctx context.Context, cfg Config) (*Server, error) {
	owner, err := currentOwner()
	if err != nil {
		return nil, err
	}
	cluster, err := openCluster(cfg, owner)
	if err != nil {
		return nil, err
	}
	server, err := cluster.start(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, cluster.lock.Close())
	}
	return server, nil
}

// start brings the locked cluster up. A throw-away one that doesn't come up is made anew, once.
func (c *cluster) start(ctx context.Context, cfg Config) (*Server, error) {
	server, err := c.bringUp(ctx, cfg)
	if err == nil || !cfg.Throwaway || ctx.Err() != nil || !c.exists() {
		return server, err
	}
	cfg.Logger.Warn("test cluster doesn't come up, making it anew", "dir", c.dir, "error", err)
	if err := os.RemoveAll(c.data()); err != nil {
		return nil, err
	}
	return c.bringUp(ctx, cfg)
}

func (c *cluster) bringUp(ctx context.Context, cfg Config) (*Server, error) {
	locator := Locator{Source: cfg.Source, Getenv: cfg.Getenv, Logger: cfg.Logger, owner: c.owner}
	major, err := c.major()
	if err != nil {
		return nil, err
	}
	binaries, err := locator.Find(ctx, major)
	if err != nil {
		return nil, err
	}
	if err := c.settle(ctx, binaries); err != nil {
		return nil, err
	}
	if !c.exists() {
		cfg.Logger.Info("making a database cluster", "dir", c.dir, "postgres", binaries.Version)
		if err := c.init(ctx, binaries, cfg.Throwaway); err != nil {
			return nil, err
		}
	}
	return c.run(ctx, binaries, cfg)
}

// run starts the server process. It tries again when the port was taken between our choosing and the
// server's binding it, and while the backends of a server killed a moment ago still hold its memory.
func (c *cluster) run(ctx context.Context, binaries Binaries, cfg Config) (*Server, error) {
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		port, err := choosePort(cfg.Port)
		if err != nil {
			return nil, err
		}
		server := &Server{
			dsn:    func(database string) string { return localDSN(port, password, database) },
			dir:    c.dir,
			source: binaries.Source,
			log:    cfg.Logger,
			lock:   c.lock,
		}
		server.process, err = c.launch(ctx, binaries, port, password, cfg.Throwaway)
		if err == nil {
			cfg.Logger.Info("database is up", "pid", server.PID(), "port", port,
				"dir", c.dir, "postgres", binaries.Version, "binaries", binaries.Dir)
			return server, nil
		}
		var failed *startError
		if try == startTries || !errors.As(err, &failed) || !failed.passing(cfg.Port) {
			return nil, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// DSN returns the URL of a database on this server, password included: don't log it. It is also true
// of a database that isn't there yet ([Server.EnsureDatabase]). Empty means the one that is always
// there: postgres, or what DATABASE_URL names.
func (s *Server) DSN(database string) string { return s.dsn(database) }

// PID is the server's process id, 0 when it isn't ours.
func (s *Server) PID() int {
	if s.process == nil {
		return 0
	}
	return s.process.pid
}

// Dir is where the cluster lies; it may differ from Config.Dir when root starts it. Empty when external.
func (s *Server) Dir() string { return s.dir }

// Source says where the binaries came from: "DATABASE_URL", "npm", or how they were found.
func (s *Server) Source() string { return s.source }

// External reports whether DATABASE_URL named the server, so that nothing was started.
func (s *Server) External() bool { return s.process == nil }

// Wait blocks until the server has ended, however it did, or until ctx is done (its error). After a nil
// error the folder is free for another [Start]. An external server never ends.
func (s *Server) Wait(ctx context.Context) error {
	if s.process == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := s.process.wait(ctx); err != nil {
		return err
	}
	return s.release()
}

// Stop ends the server: open transactions are rolled back, everything committed is written. When ctx ends
// first (or 30 s pass), the server is ended at once, which its next start repairs, and Stop returns an
// error. Stopping what has ended, or is external, does nothing.
func (s *Server) Stop(ctx context.Context) error {
	if s.process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := s.process.stop(ctx)
	if errors.Is(err, errStillRunning) {
		return fmt.Errorf("local postgres: stop: %w", err)
	}
	return errors.Join(err, s.release())
}

func (s *Server) release() error {
	s.process.dismissWatchdog()
	if err := s.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("local postgres: release %s: %w", s.dir, err)
	}
	return nil
}

// startError is a server that ended, or didn't answer, while starting; its log says why.
type startError struct {
	cause error
	log   string
}

func (e *startError) Error() string {
	return fmt.Sprintf("the server didn't start: %v; its log ends with:\n%s", e.cause, e.log)
}

func (e *startError) Unwrap() error { return e.cause }

// passing reports whether another try can help. A port that the caller fixed stays taken.
func (e *startError) passing(fixedPort int) bool {
	if containsAny(e.log, "could not bind", "could not create any TCP/IP sockets") {
		return fixedPort == 0
	}
	return containsAny(e.log, "pre-existing shared memory block")
}

// logTail returns the end of the server's log, for an error.
func logTail(path string) string {
	const most = 2 << 10
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > most {
		if _, err := file.Seek(-most, io.SeekEnd); err != nil {
			return "(no log: " + err.Error() + ")"
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	return string(text)
}

func portArgument(port int) string { return "port=" + strconv.Itoa(port) }
