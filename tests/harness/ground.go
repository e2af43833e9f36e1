package harness

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/deploy/local/postgres"
	"github.com/sallyport/sallyport/deploy/local/stack"
	"github.com/sallyport/sallyport/sdk/sallyport"
)

// KillControl ends the first control plane at once, as a crash would.
func (s *Stack) KillControl() error { return s.KillReplica(1) }

// ReviveControl starts the first control plane again, and returns once it is ready.
func (s *Stack) ReviveControl(ctx context.Context) error { return s.ReviveReplica(ctx, 1) }

// KillReplica ends the n-th control plane, counted from 1, at once.
func (s *Stack) KillReplica(n int) error {
	return s.local.Kill(stack.Replica(n)) //nolint:wrapcheck // says which
}

// ReviveReplica starts the n-th control plane again, and returns once it is ready.
func (s *Stack) ReviveReplica(ctx context.Context, n int) error {
	return s.local.Revive(ctx, stack.Replica(n)) //nolint:wrapcheck // says which
}

// Replica returns the admin API of the n-th control plane, counted from 1, as an owner.
func (s *Stack) Replica(n int) (*sallyport.ClientWithResponses, error) {
	api, err := sallyport.New(s.local.ReplicaURL(n), s.local.Token())
	if err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	return api, nil
}

// KillBus ends the bus at once; it must have a process of its own.
func (s *Stack) KillBus() error {
	return s.local.Kill(stack.Bus) //nolint:wrapcheck // says which
}

// ReviveBus starts the bus again, and returns once it listens.
func (s *Stack) ReviveBus(ctx context.Context) error {
	return s.local.Revive(ctx, stack.Bus) //nolint:wrapcheck // says which
}

// KillDatabase ends the database at once, as a crash would.
func (s *Stack) KillDatabase(ctx context.Context) error {
	return s.local.KillDatabase(ctx) //nolint:wrapcheck // says which
}

// ReviveDatabase starts the database again, and returns once it answers.
func (s *Stack) ReviveDatabase(ctx context.Context) error {
	return s.local.ReviveDatabase(ctx) //nolint:wrapcheck // says which
}

// FailOver makes the standby the database, once the one before was killed, and returns once it takes writes.
func (s *Stack) FailOver(ctx context.Context) error {
	return s.local.FailOver(ctx) //nolint:wrapcheck // says what
}

// Control runs a command of the control plane's program against the stack's database, and returns what it prints.
func (s *Stack) Control(ctx context.Context, args ...string) (string, error) {
	return s.local.Control(ctx, args...) //nolint:wrapcheck // says which
}

// EdgeAPIAddress returns where edges are synced, host:port.
func (s *Stack) EdgeAPIAddress() string { return s.local.EdgeAPIAddress() }

// BusAddress returns where the bus is, host:port.
func (s *Stack) BusAddress() string { return strings.TrimPrefix(s.local.BusURL(), "tls://") }

// buildNATSServer builds nats-server of the version that the product embeds.
func buildNATSServer(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/sallyport/sallyport").Output()
	if err != nil {
		return "", fmt.Errorf("harness: find the product's module: %w", errors.Join(err, ctx.Err()))
	}
	program := filepath.Join(dir, "nats-server")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/nats-io/nats-server/v2")
	build.Dir = string(root[:len(root)-1])
	build.Env = append(build.Environ(), "GOWORK=off") // by its own list of modules
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("harness: build nats-server: %w: %s", err, output)
	}
	return program, nil
}

// CanFailOver tells whether the PostgreSQL of this machine can have a standby.
func CanFailOver(ctx context.Context) bool { return postgres.CanStandBy(ctx) }
