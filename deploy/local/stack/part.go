package stack

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/deploy/local/process"
)

const (
	stopTimeout  = 15 * time.Second
	leastPause   = 200 * time.Millisecond
	mostPause    = 10 * time.Second
	settledAfter = 30 * time.Second
)

// part is one program of the stack, over its restarts.
type part struct {
	name    string
	spec    func(ctx context.Context) (process.Spec, error) // asked anew for each start
	restart bool
	log     *slog.Logger
	changed func() // a new process id is known

	mu      sync.Mutex
	process *process.Process
	stopped bool
	watcher sync.WaitGroup
}

// start starts the program, and watches it until stop.
func (p *part) start(ctx context.Context) error {
	started, err := p.run(ctx, true)
	if err != nil {
		return err
	}
	if p.restart {
		p.watcher.Go(func() { p.watch(ctx, started) })
	}
	return nil
}

// run starts the program once. After stop it does so only if revive is set; nil without an error says that it did not.
func (p *part) run(ctx context.Context, revive bool) (*process.Process, error) {
	spec, err := p.spec(ctx)
	if err != nil {
		return nil, err
	}
	spec.Name = p.name
	p.mu.Lock()
	if p.stopped && !revive {
		p.mu.Unlock()
		return nil, nil //nolint:nilnil // stopped is no failure, and there is nothing to watch
	}
	started, err := process.Start(spec)
	if err == nil {
		p.process, p.stopped = started, false
	}
	p.mu.Unlock()
	if err != nil {
		return nil, err //nolint:wrapcheck // says which
	}
	p.changed()
	return started, nil
}

// watch starts the program again when it dies, until it is stopped.
func (p *part) watch(ctx context.Context, running *process.Process) {
	pause := leastPause
	for running != nil {
		began := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-running.Done():
		}
		if time.Since(began) > settledAfter {
			pause = leastPause
		}
		running = p.again(ctx, running, &pause)
	}
}

// again starts the program anew until that succeeds, with pauses that grow; nil: it is not to run any more.
func (p *part) again(ctx context.Context, died *process.Process, pause *time.Duration) *process.Process {
	for {
		if p.isStopped() || !sleep(ctx, *pause) {
			return nil
		}
		*pause = min(2**pause, mostPause)
		p.log.Warn("a part died and is started again", "part", p.name, "ended", fmt.Sprint(died.Err()))
		next, err := p.run(ctx, false)
		if err == nil {
			return next
		}
		p.log.Error("a part could not be started again", "part", p.name, "error", err)
	}
}

func (p *part) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// current returns the running process, or the last one.
func (p *part) current() *process.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// stop ends the program for good.
func (p *part) stop(ctx context.Context) error {
	p.mu.Lock()
	p.stopped = true
	running := p.process
	p.mu.Unlock()
	if running == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return running.Stop(ctx) //nolint:wrapcheck // says which
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
