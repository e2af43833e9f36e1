package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/sallyport/sallyport/deploy/local/process"
	"github.com/sallyport/sallyport/deploy/local/stack"
)

// program is the process of an edge, over its restarts.
type program interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	kill() error
}

// part is one that the local stack runs.
type part struct {
	stack *stack.Stack
	name  string
}

func (p *part) start(ctx context.Context) error {
	return p.stack.Revive(ctx, p.name) //nolint:wrapcheck // says which
}

func (p *part) kill() error {
	return p.stack.Kill(p.name) //nolint:wrapcheck // says which
}

func (p *part) stop(ctx context.Context) error {
	pid := p.stack.PID(p.name)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	return poll(ctx, stopBound, func() error {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return nil
		}
		return fmt.Errorf("%s still runs", p.name)
	})
}

// child is one that the harness runs itself. Its first start alone is given the join token: an identity that isn't kept is
// found out at the second.
type child struct {
	spec      process.Spec
	joinToken string
	leave     func() // ends the way to its operator

	mu      sync.Mutex
	running *process.Process
}

func (c *child) start(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	spec := c.spec
	if c.joinToken != "" {
		spec.Env = append(spec.Env, "SALLYPORT_JOIN_TOKEN="+c.joinToken)
		c.joinToken = ""
	}
	started, err := process.Start(spec)
	if err != nil {
		return err //nolint:wrapcheck // says which
	}
	c.running = started
	return nil
}

func (c *child) stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil
	}
	defer func() { c.running = nil }()
	return c.running.Stop(ctx) //nolint:wrapcheck // says which
}

func (c *child) kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		c.running.Kill()
		c.running = nil
	}
	return nil
}
