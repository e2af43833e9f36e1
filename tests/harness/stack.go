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
	// Bin is the folder of the programs; empty: the ones that were built last.
	Bin string
	// Replicas is how many control planes there are; 0: one. Several share a bus with a process of its own.
	Replicas int
	// OwnBus gives the bus a process of its own also where there is one control plane.
	OwnBus bool
	// NATSServer makes an unchanged nats-server the bus.
	NATSServer bool
	// Standby gives the database a synchronous replica.
	Standby bool
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
	bin, err := cfg.bin()
	if err != nil {
		return nil, err
	}
	// A database of our own, whatever the caller's shell points at.
	if err := os.Unsetenv("DATABASE_URL"); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	// Token issuers and receivers of events are on loopback. A control plane that doesn't know this setting passes it over.
	if err := os.Setenv("SALLYPORT_OUTBOUND_ALLOW", Loopback); err != nil {
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
	natsServer := ""
	if cfg.NATSServer {
		if natsServer, err = buildNATSServer(ctx, s.dir); err != nil {
			return nil, err
		}
	}
	s.local, err = stack.Start(ctx, stack.Config{
		Replicas: cfg.Replicas, OwnBus: cfg.OwnBus, NATSServer: natsServer, Standby: cfg.Standby,
		Dir: s.dir, Bin: bin, Environment: sharedEnvironment, Edges: cfg.Edges, Output: s.output,
		Logger: slog.New(slog.NewTextHandler(s.output, nil)), Throwaway: !cfg.Durable,
		ControlArgs: cfg.ControlArgs,
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

// Environ is what a shell needs to run the control plane's commands beside this stack: where its database and root key are, and
// the programs.
func (s *Stack) Environ() []string {
	return append(s.local.ControlEnv(), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// DatabaseDir returns where the database's files lie; "" when it isn't ours.
func (s *Stack) DatabaseDir() string {
	dirs := s.local.DatabaseDirs()
	if len(dirs) == 0 {
		return ""
	}
	return dirs[0]
}

// LogFile returns the file that takes what the programs print.
func (s *Stack) LogFile() string { return s.output.Name() }

// Close stops everything and removes what it kept, but for the log.
func (s *Stack) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopBound)
	defer cancel()
	var failed []error
	if s.local != nil {
		databases := s.local.DatabaseDirs()
		failed = append(failed, s.local.Stop(ctx))
		for _, database := range databases { // they lie elsewhere when root runs the tests
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

func (c *Config) bin() (string, error) {
	if c.Bin != "" {
		return c.Bin, nil
	}
	return Programs()
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
