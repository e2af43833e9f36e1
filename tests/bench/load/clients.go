package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/tests/bench/machine"
)

const (
	// tick is between two times at which requests of an open loop are due.
	tick = 100 * time.Microsecond
	// patience is how long an open loop waits for answers after its end.
	patience = 2 * time.Second
	// breath is what a line takes after a failure before it connects again.
	breath = 10 * time.Millisecond
	// dialling is how many lines connect at the same time.
	dialling = 64
)

// Clients are lines that are connected.
type Clients struct {
	protocol Protocol
	lines    []Line
}

// Connect connects that many lines, and lets each ask once.
func Connect(ctx context.Context, protocol Protocol, lines int) (_ *Clients, failed error) {
	c := &Clients{protocol: protocol, lines: make([]Line, lines)}
	defer func() {
		if failed != nil {
			c.Close()
		}
	}()
	var next atomic.Int64
	var broken onceError
	var connecting sync.WaitGroup
	for range min(dialling, lines) {
		connecting.Go(func() {
			for n := int(next.Add(1) - 1); n < lines && broken.get() == nil && ctx.Err() == nil; n = int(next.Add(1) - 1) {
				line, err := protocol.Dial(ctx, n)
				if err == nil {
					c.lines[n] = line
					err = line.Exchange(0)
				}
				broken.set(err)
			}
		})
	}
	connecting.Wait()
	if err := errors.Join(broken.get(), ctx.Err()); err != nil {
		return nil, fmt.Errorf("connect %d clients: %w", lines, err)
	}
	return c, nil
}

// Close closes all lines.
func (c *Clients) Close() {
	for _, line := range c.lines {
		if line != nil {
			_ = line.Close() // nobody asks any more
		}
	}
}

// Result is what came of a loop.
type Result struct {
	// Answered rightly, and Failed: another answer, none, or no connection.
	Answered, Failed int
	// Took is how long the loop was.
	Took time.Duration
	// Failure is the first one.
	Failure error
}

// Rate is how many were answered in a second.
func (r Result) Rate() float64 { return float64(r.Answered) / r.Took.Seconds() }

// Closed lets every line ask for that long as soon as it was answered, and at least once.
func (c *Clients) Closed(ctx context.Context, d time.Duration) Result {
	var ended atomic.Bool
	timer := time.AfterFunc(d, func() { ended.Store(true) })
	defer timer.Stop()
	unhook := context.AfterFunc(ctx, func() { ended.Store(true) })
	defer unhook()
	results := make([]Result, len(c.lines))
	began := time.Now()
	var asking sync.WaitGroup
	for n := range c.lines {
		asking.Go(func() {
			var own Result
			for i := 1; ; i++ {
				c.exchange(ctx, n, i, &own)
				if ended.Load() {
					break
				}
			}
			results[n] = own
		})
	}
	asking.Wait()
	all := sum(results)
	all.Took = time.Since(began)
	return all
}

// exchange lets a line ask, and connects it again after a failure.
func (c *Clients) exchange(ctx context.Context, n, i int, into *Result) {
	err := error(nil)
	if c.lines[n] == nil {
		c.lines[n], err = c.protocol.Dial(ctx, n)
	}
	if err == nil {
		if err = c.lines[n].Exchange(i); err == nil {
			into.Answered++
			return
		}
		_ = c.lines[n].Close() // of no use any more
		c.lines[n] = nil
	}
	if ctx.Err() != nil {
		return // it is we who end
	}
	into.Failed++
	if into.Failure == nil {
		into.Failure = err
	}
	time.Sleep(breath)
}

// Open lets requests be due at that rate (per second) for that long: at ticks of 100 µs, a drawn number (Poisson) at each. Latencies count from when
// they were due. Those unanswered two seconds after the end have failed, and count with the time that they waited until then.
func (c *Clients) Open(ctx context.Context, rate float64, d time.Duration) (Result, Latencies, error) {
	ticker, err := machine.NewTicker(tick)
	if err != nil {
		return Result{}, nil, err //nolint:wrapcheck // says what
	}
	defer func() { _ = ticker.Close() }() // it has ticked
	due := schedule(rate, d)
	queue := make(chan time.Duration, len(due))
	results, latencies := make([]Result, len(c.lines)), make([]Latencies, len(c.lines))
	asking, leave := context.WithTimeout(ctx, d+patience)
	defer leave()
	began := time.Now()
	var working sync.WaitGroup
	for n := range c.lines {
		working.Go(func() {
			for at := range queue {
				if asking.Err() == nil {
					c.exchange(asking, n, 1, &results[n])
				} else {
					results[n].Failed++
				}
				latencies[n] = append(latencies[n], time.Since(began)-at)
			}
		})
	}
	err = c.release(asking, ticker, due, queue, began)
	close(queue)
	working.Wait()
	all := sum(results)
	all.Took = d
	var each Latencies
	for _, own := range latencies {
		each = append(each, own...)
	}
	return all, each, err
}

// release puts requests into the queue when they are due. The queue has room for all: a gateway that is slow delays none.
func (c *Clients) release(ctx context.Context, ticker *machine.Ticker, due []time.Duration, queue chan<- time.Duration, began time.Time) error {
	for next := 0; next < len(due) && ctx.Err() == nil; {
		if err := ticker.Wait(); err != nil {
			return err //nolint:wrapcheck // says what
		}
		for now := time.Since(began); next < len(due) && due[next] <= now; next++ {
			queue <- due[next]
		}
	}
	return ctx.Err() //nolint:wrapcheck // the caller's own
}

// schedule draws when requests are due. It is the same for the same rate.
func schedule(rate float64, d time.Duration) []time.Duration {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	due := make([]time.Duration, 0, int(rate*d.Seconds()*1.1)+1)
	for at := tick; at <= d; at += tick {
		for range poisson(random, rate*tick.Seconds()) {
			due = append(due, at)
		}
	}
	return due
}

// poisson draws how many of independent events happen where so many are to be expected (Knuth's method: the mean is small).
func poisson(random *rand.Rand, mean float64) int {
	limit, product := math.Exp(-mean), random.Float64()
	n := 0
	for ; product > limit; n++ {
		product *= random.Float64()
	}
	return n
}

func sum(results []Result) (all Result) {
	for _, r := range results {
		all.Answered += r.Answered
		all.Failed += r.Failed
		if all.Failure == nil {
			all.Failure = r.Failure
		}
	}
	return all
}

// onceError keeps the first error.
type onceError struct {
	mu  sync.Mutex
	err error
}

func (o *onceError) set(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

func (o *onceError) get() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
