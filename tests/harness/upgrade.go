package harness

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/deploy/local/process"
)

// Process is one process of an edge, of which there are two while one takes over from the other.
type Process struct{ process *process.Process }

// Kill ends it at once, as a crash would.
func (p *Process) Kill() { p.process.Kill() }

// Await returns how it ended.
func (p *Process) Await(ctx context.Context) error {
	select {
	case <-p.process.Done():
		return p.process.Err() //nolint:wrapcheck // says how
	case <-ctx.Done():
		return fmt.Errorf("process %d still runs: %w", p.process.PID(), ctx.Err())
	}
}

var errNotOurs = errors.New("harness: the edge isn't one that the harness starts by itself")

// StartNext starts the next process of a running edge, which takes over; args come behind those that the edge has. The edge stays the
// process that runs until Became.
func (e *Edge) StartNext(args ...string) (*Process, error) {
	own, ok := e.program.(*child)
	if !ok {
		return nil, errNotOurs
	}
	spec := own.spec
	spec.Args = append(append(append([]string(nil), spec.Args...), "--take-over"), args...)
	next, err := process.Start(spec)
	if err != nil {
		return nil, err //nolint:wrapcheck // says which
	}
	return &Process{next}, nil
}

// Became makes the next process the edge's, once its operator is answered by it, and returns the one before, which may be at work still.
func (e *Edge) Became(ctx context.Context, next *Process, before Status) (*Process, error) {
	own, ok := e.program.(*child)
	if !ok {
		return nil, errNotOurs
	}
	var ended error
	err := poll(ctx, readyBound, func() error {
		select {
		case <-next.process.Done():
			ended = fmt.Errorf("the next process of %s ended: %w", e.Name, next.process.Err())
			return nil
		default:
		}
		now, err := e.Status(ctx)
		if err == nil && now.Boot == before.Boot {
			err = fmt.Errorf("%s is the process that it was", e.Name)
		}
		return err
	})
	if err := errors.Join(err, ended); err != nil {
		return nil, err
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	last := &Process{own.running}
	own.running = next.process
	return last, nil
}

// Upgrade lets the next process of an edge take over, and returns the one before.
func (e *Edge) Upgrade(ctx context.Context) (*Process, error) {
	before, err := e.Status(ctx)
	if err != nil {
		return nil, err
	}
	next, err := e.StartNext()
	if err != nil {
		return nil, err
	}
	last, err := e.Became(ctx, next, before)
	if err != nil {
		next.Kill()
		return nil, err
	}
	return last, nil
}

// Process returns the edge's process.
func (e *Edge) Process() (*Process, error) {
	own, ok := e.program.(*child)
	if !ok {
		return nil, errNotOurs
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	return &Process{own.running}, nil
}
