package stack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deploy/local/postgres"
	"github.com/sallyport/sallyport/deploy/local/process"
)

const (
	rootKeyBytes  = 32
	tokenFile     = "token"
	rootKeyFile   = "root.key"
	joinTokenLife = "15m"
)

func (s *Stack) startControl(ctx context.Context) error {
	if err := s.ensureRootKey(); err != nil {
		return err
	}
	for n := 1; n <= s.cfg.Replicas; n++ {
		err := s.launch(&part{name: Replica(n), spec: func(context.Context) (process.Spec, error) { return s.controlSpec(n), nil }})
		if err != nil {
			return err
		}
		if err := s.awaitPart(ctx, Replica(n)); err != nil {
			return err
		}
	}
	if err := s.ensureToken(ctx); err != nil {
		return err
	}
	return s.ensureEnvironment(ctx)
}

func (s *Stack) controlSpec(n int) process.Spec {
	args := []string{"serve", "--admin-listen", s.at.admins[n-1], "--edge-listen", s.at.edgeAPIs[n-1]}
	if s.cfg.OwnBus {
		args = append(args, "--nats-url", s.BusURL())
	} else {
		args = append(args, "--bus-listen", s.at.bus, "--data-dir", filepath.Join(s.cfg.Dir, "control"))
	}
	return process.Spec{
		Path: s.cfg.binary("sallyport-control"), Args: append(args, s.cfg.ControlArgs...),
		// A variable, since a program that knows no console knows no flag for it either.
		Env: append(s.controlEnv(), "SALLYPORT_CONSOLE_LISTEN="+s.at.consoles[n-1]), Output: s.prefixed(Replica(n)),
	}
}

func (s *Stack) startDemo(ctx context.Context) error {
	err := s.launch(&part{name: Demo, spec: func(context.Context) (process.Spec, error) {
		return process.Spec{Path: s.cfg.binary("demo"), Args: []string{"--listen", s.at.demo}, Output: s.prefixed(Demo)}, nil
	}})
	if err != nil {
		return err
	}
	return s.awaitPart(ctx, Demo)
}

func (s *Stack) startEdges(ctx context.Context) error {
	for n := 1; n <= s.cfg.Edges; n++ {
		if err := s.launch(&part{name: Edge(n), spec: func(ctx context.Context) (process.Spec, error) { return s.edgeSpec(ctx, n) }}); err != nil {
			return err
		}
	}
	for n := 1; n <= s.cfg.Edges; n++ {
		if err := s.awaitPart(ctx, Edge(n)); err != nil {
			return err
		}
	}
	return nil
}

// edgeSpec gives the edge a fresh join token each time: one that keeps an identity doesn't use it.
func (s *Stack) edgeSpec(ctx context.Context, n int) (process.Spec, error) {
	dir := filepath.Join(s.cfg.Dir, Edge(n))
	var env []string
	// While the control plane is away an edge starts from the identity it has.
	if token, err := s.Control(ctx, "join-token", "create", "--environment", s.cfg.Environment, "--uses", "1", "--expires", joinTokenLife); err == nil {
		env = append(env, "SALLYPORT_JOIN_TOKEN="+token)
	} else if _, kept := os.Stat(dir); kept != nil {
		return process.Spec{}, err
	}
	return process.Spec{
		Path: s.cfg.binary("sallyport-edge"),
		Args: append([]string{
			"serve", "--control", s.EdgeAPIAddress(), "--listen", s.at.edges[n-1], "--admin-listen", s.at.edgeAdmins[n-1],
			"--data-dir", dir, "--name", Edge(n),
		}, s.cfg.EdgeArgs...),
		Env:    env,
		Output: s.prefixed(Edge(n)),
	}, nil
}

func (s *Stack) controlEnv() []string {
	// A NATS_URL in the caller's shell, as the env file of a stack sets it, would be another bus.
	return []string{"NATS_URL=", "DATABASE_URL=" + s.DatabaseURL(), "SALLYPORT_ROOT_KEY_FILE=" + filepath.Join(s.cfg.Dir, rootKeyFile)}
}

// ControlEnv is what the control plane's commands take from their environment.
func (s *Stack) ControlEnv() []string { return s.controlEnv() }

// Control runs a command of the control plane's program against the stack's database, and returns what it prints.
func (s *Stack) Control(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.cfg.binary("sallyport-control"), args...)
	cmd.Env = append(os.Environ(), s.controlEnv()...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sallyport-control %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(problems.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

func (s *Stack) ensureRootKey() error {
	file := filepath.Join(s.cfg.Dir, rootKeyFile)
	if _, err := os.Stat(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err //nolint:wrapcheck // names the file
	}
	key := make([]byte, rootKeyBytes)
	rand.Read(key)                                                                        // never fails: the runtime ends the process instead
	return os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600) //nolint:wrapcheck // names the file
}

// ensureToken makes an access token at the first start, and takes the kept one later.
func (s *Stack) ensureToken(ctx context.Context) error {
	file := filepath.Join(s.cfg.Dir, tokenFile)
	kept, err := os.ReadFile(file)
	if err == nil {
		s.token = strings.TrimSpace(string(kept))
		if s.tokenWorks(ctx) {
			return nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err //nolint:wrapcheck // names the file
	}
	name := "local-" + rand.Text()[:8]
	if s.token, err = s.Control(ctx, "token", "create", "--name", strings.ToLower(name)); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(s.token+"\n"), 0o600) //nolint:wrapcheck // names the file
}

// URL returns where the admin API is, without its path; of several control planes, the first one's.
func (s *Stack) URL() string { return s.ReplicaURL(1) }

// ReplicaURL returns where the n-th control plane's admin API is, counted from 1.
func (s *Stack) ReplicaURL(n int) string { return "http://" + s.at.admins[n-1] }

// ConsoleURL returns where the console is; of several control planes, the first one's.
func (s *Stack) ConsoleURL() string { return "http://" + s.at.consoles[0] }

// Token returns an owner's access token.
func (s *Stack) Token() string { return s.token }

// EdgeURL returns where the n-th edge serves, counted from 1.
func (s *Stack) EdgeURL(n int) string { return "http://" + s.at.edges[n-1] }

// EdgeAdminURL returns where the n-th edge's operator looks.
func (s *Stack) EdgeAdminURL(n int) string { return "http://" + s.at.edgeAdmins[n-1] }

// DemoAddress returns where the demo service is, host:port.
func (s *Stack) DemoAddress() string { return s.at.demo }

// EdgeAPIAddress returns where edges are synced, host:port; of several control planes, with commas between.
func (s *Stack) EdgeAPIAddress() string { return strings.Join(s.at.edgeAPIs, ",") }

// BusURL returns where the bus is.
func (s *Stack) BusURL() string { return "tls://" + s.at.bus }

// Dir returns where state lies.
func (s *Stack) Dir() string { return s.cfg.Dir }

// Edges returns how many there are.
func (s *Stack) Edges() int { return s.cfg.Edges }

// DatabaseURL returns the database's DSN, which names the standby too.
func (s *Stack) DatabaseURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.both != "" {
		return s.both
	}
	return s.postgres.DSN(database)
}

// DatabaseDirs returns where the files of the database lie, and those of its standby; none when it isn't ours.
func (s *Stack) DatabaseDirs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var dirs []string
	for _, server := range []*postgres.Server{s.postgres, s.standby, s.former} {
		if server != nil && !server.External() {
			dirs = append(dirs, server.Dir())
		}
	}
	return dirs
}

// PID returns a part's process id; 0: it isn't ours, or doesn't run.
func (s *Stack) PID(name string) int {
	if name == Postgres {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.postgres.PID()
	}
	p, err := s.part(name)
	if err != nil || p.current() == nil {
		return 0
	}
	return p.current().PID()
}

// Changed sets what is called whenever a process id changes.
func (s *Stack) Changed(changed func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = changed
}

func portOf(dsn string) int {
	u, err := url.Parse(dsn)
	if err != nil {
		return 0
	}
	_, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}
