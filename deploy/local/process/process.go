package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Spec is what to run.
type Spec struct {
	// Name is for people.
	Name string
	// Path of the binary, and its arguments.
	Path string
	Args []string
	// Env is added to the parent's.
	Env []string
	// Output takes what it prints.
	Output io.Writer
}

// Process is a running, or ended, child.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	err error
}

// Start starts a child.
func Start(spec Spec) (*Process, error) {
	cmd := exec.Command(spec.Path, spec.Args...) //nolint:noctx // a child's life is Stop's and Kill's, not a context's
	cmd.Env = append(os.Environ(), spec.Env...)
	cmd.Stdout, cmd.Stderr = spec.Output, spec.Output
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = time.Second
	p := &Process{spec: spec, cmd: cmd, done: make(chan struct{})}
	if err := startWithParent(cmd, p.done); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the child is gone.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the child ended; nil while it runs, or when it ended well.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Stop asks the child to end, and makes it once ctx ends.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.spec.Name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end when asked, and was killed", p.spec.Name)
	}
}

// Kill ends the child at once, as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // only fails when it is gone already
	<-p.done
}
