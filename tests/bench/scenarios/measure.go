package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/tests/bench/load"
	"github.com/sallyport/sallyport/tests/bench/machine"
	"github.com/sallyport/sallyport/tests/bench/peers"
)

// openShare of what a gateway took in the closed loop is offered to it in the open one, and pacedShare where gateways are compared at one rate.
const (
	openShare  = 0.7
	pacedShare = 0.5
)

// turn is one contestant's turn in one round.
type turn struct {
	scenario  *scenario
	times     times
	running   peers.Running
	protocol  load.Protocol
	threads   int
	paced     *float64 // rate that all take; the first turn finds it
	alongside func(context.Context) error
}

// take measures one turn.
func (t *turn) take(ctx context.Context) (sample, error) {
	switch t.scenario.method {
	case idle:
		return t.idle(ctx)
	case pacing:
		return t.pace(ctx)
	default:
		return t.loop(ctx)
	}
}

// loop is the closed loop, and the open one if the scenario tells latencies.
func (t *turn) loop(ctx context.Context) (s sample, _ error) {
	clients, err := load.Connect(ctx, t.protocol, t.scenario.lines)
	if err != nil {
		return s, err //nolint:wrapcheck // says what
	}
	defer clients.Close()
	s.take(clients.Closed(ctx, t.times.warm))
	before, err := t.look()
	if err != nil {
		return s, err
	}
	closed := clients.Closed(ctx, t.times.closed)
	after, err := t.look()
	if err != nil {
		return s, err
	}
	s.take(closed)
	s.spent(before, after, closed, t.threads)
	s.rate = closed.Rate()
	if !t.scenario.latencies || closed.Answered == 0 {
		return s, ctx.Err() //nolint:wrapcheck // the caller's own
	}
	s.openRate = openShare * s.rate
	open, latencies, err := clients.Open(ctx, s.openRate, t.times.open)
	s.take(open)
	s.p50, s.p99 = latencies.Percentile(50), latencies.Percentile(99)
	return s, errors.Join(err, ctx.Err())
}

// pace is an open loop at one rate for all, while something else goes on.
func (t *turn) pace(ctx context.Context) (s sample, _ error) {
	clients, err := load.Connect(ctx, t.protocol, t.scenario.lines)
	if err != nil {
		return s, err //nolint:wrapcheck // says what
	}
	defer clients.Close()
	warm := clients.Closed(ctx, t.times.warm)
	s.take(warm)
	if *t.paced == 0 {
		*t.paced = pacedShare * warm.Rate()
	}
	s.openRate = *t.paced
	beside, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- t.beside(beside) }()
	before, err := t.look()
	if err != nil {
		return s, err
	}
	open, latencies, err := clients.Open(ctx, s.openRate, t.times.paced)
	if err != nil {
		return s, err //nolint:wrapcheck // says what
	}
	after, err := t.look()
	if err != nil {
		return s, err
	}
	end()
	s.take(open)
	s.spent(before, after, open, t.threads)
	s.p50, s.p99 = latencies.Percentile(50), latencies.Percentile(99)
	return s, errors.Join(<-ended, ctx.Err())
}

func (t *turn) beside(ctx context.Context) error {
	if t.alongside == nil {
		return nil
	}
	return t.alongside(ctx)
}

// idle opens connections, lets each be used once, and looks by how much memory grew once they have been still for a while.
func (t *turn) idle(ctx context.Context) (s sample, _ error) {
	if err := t.wakeUp(ctx); err != nil {
		return s, err
	}
	before, err := t.look()
	if err != nil {
		return s, err
	}
	clients, err := load.Connect(ctx, t.protocol, t.scenario.lines)
	if err != nil {
		return s, err //nolint:wrapcheck // says what
	}
	defer clients.Close()
	if err := wait(ctx, t.times.settle); err != nil {
		return s, err
	}
	after, err := t.look()
	if err != nil {
		return s, err
	}
	s.memory, s.growth = after.gateway.Memory, after.gateway.Memory-before.gateway.Memory
	return s, nil
}

// wakeUp lets a new process take what it needs for its first requests.
func (t *turn) wakeUp(ctx context.Context) error {
	clients, err := load.Connect(ctx, t.protocol, plainLines)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	defer clients.Close()
	woke := clients.Closed(ctx, t.times.warm)
	return errors.Join(woke.Failure, ctx.Err())
}

// take adds what failed.
func (s *sample) take(r load.Result) {
	s.failed += r.Failed
	if s.failure == nil {
		s.failure = r.Failure
	}
}

// used is what the gateway and we have used so far.
type used struct {
	gateway machine.Usage
	own     time.Duration
}

func (t *turn) look() (u used, err error) {
	if u.gateway, err = machine.UsageOf(t.running.PID()); err != nil {
		return u, err //nolint:wrapcheck // says of whom
	}
	u.own, err = machine.OwnTime()
	return u, err //nolint:wrapcheck // says what
}

// spent works out what a unit cost, and how much of its processors a gateway used.
func (s *sample) spent(before, after used, in load.Result, threads int) {
	s.memory = after.gateway.Memory
	processor := after.gateway.Processor - before.gateway.Processor
	if in.Answered > 0 {
		s.processor = float64(processor.Microseconds()) / float64(in.Answered)
		s.clients = float64((after.own - before.own).Microseconds()) / float64(in.Answered)
	}
	s.busy = processor.Seconds() / in.Took.Seconds() / float64(threads)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}
