package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/deploy/local/stack"
	"github.com/sallyport/sallyport/sdk/sallyport"
)

// Loopback is where the services of tests listen: edges refuse it unless the environment's settings allow it.
const Loopback = "127.0.0.0/8"

const (
	sharedEnvironment = "test"
	stopBound         = 60 * time.Second
	readyBound        = 60 * time.Second
)

// Config is what a stack is made of.
type Config struct {
	// Edges of the environment that all stories share.
	Edges int
	// ControlArgs are added to the control plane's command line.
	ControlArgs []string
	// Durable keeps the database's promises over a power loss, as in production: for measuring. Tests do without.
	Durable bool
}

// Stack is a running product.
type Stack struct {
	// API is the admin API, as an owner.
	API *sallyport.ClientWithResponses

	local  *stack.Stack
	bin    string
	dir    string
	output *os.File
	shared *Environment
	names  atomic.Uint64
}

// Start runs a stack of its own, whose shared environment is ready: its edges are connected, and may reach loopback.
func Start(ctx context.Context, cfg Config) (_ *Stack, failed error) {
	bin, err := Programs()
	if err != nil {
		return nil, err
	}
	// A database of our own, whatever the caller's shell points at.
	if err := os.Unsetenv("DATABASE_URL"); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	s := &Stack{bin: bin}
	defer func() {
		if failed != nil {
			failed = errors.Join(failed, s.explain(), s.Close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "sallyport-test-"); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	if s.output, err = os.CreateTemp("", "sallyport-test-*.log"); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	s.local, err = stack.Start(ctx, stack.Config{
		Dir: s.dir, Bin: bin, Environment: sharedEnvironment, Edges: cfg.Edges, Output: s.output,
		Logger: slog.New(slog.NewTextHandler(s.output, nil)), Throwaway: !cfg.Durable, ControlArgs: cfg.ControlArgs,
	})
	if err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	if s.API, err = sallyport.New(s.local.URL(), s.local.Token()); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	s.shared = &Environment{Name: sharedEnvironment, Stack: s}
	for n := 1; n <= cfg.Edges; n++ {
		s.shared.Edges = append(s.shared.Edges, newEdge(stack.Edge(n), s.local.EdgeURL(n), s.local.EdgeAdminURL(n),
			&part{stack: s.local, name: stack.Edge(n)}))
	}
	if err := s.shared.open(ctx, Loopback); err != nil {
		return nil, err
	}
	return s, nil
}

// Shared returns the environment that all stories share.
func (s *Stack) Shared() *Environment { return s.shared }

// URL returns where the admin API is.
func (s *Stack) URL() string { return s.local.URL() }

// Token returns an owner's access token.
func (s *Stack) Token() string { return s.local.Token() }

// KillControl ends the control plane at once, as a crash would.
func (s *Stack) KillControl() error {
	return s.local.Kill(stack.Control) //nolint:wrapcheck // says which
}

// ReviveControl starts the control plane again, and returns once it is ready.
func (s *Stack) ReviveControl(ctx context.Context) error {
	return s.local.Revive(ctx, stack.Control) //nolint:wrapcheck // says which
}

// KillDatabase ends the database at once, as a crash would.
func (s *Stack) KillDatabase(ctx context.Context) error {
	return s.local.KillDatabase(ctx) //nolint:wrapcheck // says which
}

// ReviveDatabase starts the database again, and returns once it answers.
func (s *Stack) ReviveDatabase(ctx context.Context) error {
	return s.local.ReviveDatabase(ctx) //nolint:wrapcheck // says which
}

// Environ is what a shell needs to run the control plane's commands beside this stack: where its database and root key are, and
// the programs.
func (s *Stack) Environ() []string {
	return append(s.local.ControlEnv(), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// DatabaseDir returns where the database's files lie.
func (s *Stack) DatabaseDir() string { return s.local.DatabaseDir() }

// LogFile returns the file that takes what the programs print.
func (s *Stack) LogFile() string { return s.output.Name() }

// Close stops everything and removes what it kept, but for the log.
func (s *Stack) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopBound)
	defer cancel()
	var failed []error
	if s.local != nil {
		database := s.local.DatabaseDir()
		failed = append(failed, s.local.Stop(ctx))
		if database != "" { // it lies elsewhere when root runs the tests
			failed = append(failed, os.RemoveAll(database))
		}
	}
	if s.output != nil {
		failed = append(failed, s.output.Close())
	}
	if s.dir != "" {
		failed = append(failed, os.RemoveAll(s.dir))
	}
	return errors.Join(failed...)
}

// unique returns a number that nobody else gets.
func (s *Stack) unique() string { return strconv.FormatUint(s.names.Add(1), 10) }

const (
	// logLooked is how much of the log's end is looked at when something failed, in bytes, and logShown how many lines of it
	// are shown.
	logLooked = 4 << 20
	logShown  = 60
)

// explain returns what the programs printed last, access logs left out, as an error to join.
func (s *Stack) explain() error {
	if s.output == nil {
		return nil
	}
	info, err := s.output.Stat()
	if err != nil {
		return fmt.Errorf("harness: %w", err)
	}
	from := max(info.Size()-logLooked, 0)
	text, err := io.ReadAll(io.NewSectionReader(s.output, from, info.Size()-from))
	if err != nil {
		return fmt.Errorf("harness: %w", err)
	}
	var told []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, `"msg":"request"`) && !strings.Contains(line, `"msg":"admin request"`) {
			told = append(told, line)
		}
	}
	told = told[max(len(told)-logShown, 0):]
	return fmt.Errorf("the programs printed last (all of it, with access logs: %s):\n%s", s.LogFile(), strings.Join(told, ""))
}

// Programs returns the folder of the built programs.
func Programs() (string, error) {
	if named := os.Getenv("SALLYPORT_BIN"); named != "" {
		return named, nil
	}
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("harness: %w", err)
	}
	for {
		bin := filepath.Join(at, "bin")
		if _, err := os.Stat(filepath.Join(bin, "sallyport-control")); err == nil {
			return bin, nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("harness: the programs aren't built: run make build, or name their folder in SALLYPORT_BIN")
		}
		at = filepath.Dir(at)
	}
}
