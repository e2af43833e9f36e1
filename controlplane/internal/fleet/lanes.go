package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Wakes tells which environments have a new commit. It may tell too often, and late: the lanes poll.
type Wakes interface {
	// Subscribe returns a channel of environment ids, and what ends the subscription.
	Subscribe() (<-chan string, func())
}

// ErrStopped says that the lanes no longer run.
var ErrStopped = errors.New("the control plane is stopping")

// Lanes holds the lanes that some session looks at. A lane lives from its first session to its last.
type Lanes struct {
	store  LaneStore
	signer *Signer
	epochs Epochs
	wakes  Wakes
	log    *slog.Logger
	stats  *Stats

	ctx  context.Context // of the lanes' goroutines; ends with Run
	stop context.CancelFunc
	live sync.WaitGroup

	mu   sync.Mutex
	open map[laneKey]*openLane
}

type laneKey struct {
	environment string
	kind        edgev1.Lane
}

// openLane is a lane and how many look at it.
type openLane struct {
	lane  *Lane
	users int
	stop  context.CancelFunc
	ready chan struct{} // closed when the first head was read, or failed to be
	err   error
}

// NewLanes returns lanes drawn from store. They work while Run does. Without epochs, a node that is ahead of the database is only refused.
func NewLanes(store LaneStore, signer *Signer, epochs Epochs, wakes Wakes, log *slog.Logger, stats *Stats) *Lanes {
	ctx, stop := context.WithCancel(context.Background())
	return &Lanes{
		store: store, signer: signer, epochs: epochs, wakes: wakes, log: log, stats: stats,
		ctx: ctx, stop: stop, open: make(map[laneKey]*openLane),
	}
}

// Run passes wakes on to the lanes until ctx ends, then stops them all.
func (ls *Lanes) Run(ctx context.Context) error {
	defer ls.live.Wait()
	defer ls.shut()
	wakes, cancel := ls.wakes.Subscribe()
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return nil
		case environment, ok := <-wakes:
			if !ok {
				return nil
			}
			ls.Wake(environment)
		}
	}
}

// shut stops all lanes, and lets none be opened again.
func (ls *Lanes) shut() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.stop()
}

// Wake makes the environment's lanes read their heads soon. It never blocks.
func (ls *Lanes) Wake(environment string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	// The directory first: a revocation must not wait for a compile.
	for _, kind := range []edgev1.Lane{edgev1.Lane_LANE_DIRECTORY, edgev1.Lane_LANE_CONFIGURATION} {
		if open := ls.open[laneKey{environment, kind}]; open != nil {
			select {
			case open.lane.wake <- struct{}{}:
			default: // it is about to read anyway
			}
		}
	}
}

// Open returns a lane whose head has been read, and what gives it back.
func (ls *Lanes) Open(ctx context.Context, environment string, kind edgev1.Lane) (*Lane, func(), error) {
	key := laneKey{environment, kind}
	open, err := ls.acquire(key)
	if err != nil {
		return nil, nil, err
	}
	release := sync.OnceFunc(func() { ls.release(key, open) })
	select {
	case <-open.ready:
	case <-ctx.Done():
		release()
		return nil, nil, ctx.Err()
	}
	if open.err != nil {
		release()
		return nil, nil, fmt.Errorf("read the first head: %w", open.err)
	}
	return open.lane, release, nil
}

func (ls *Lanes) acquire(key laneKey) (*openLane, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.ctx.Err() != nil {
		return nil, ErrStopped
	}
	if open := ls.open[key]; open != nil {
		open.users++
		return open, nil
	}
	lane, err := newLane(ls.ctx, key.environment, key.kind, ls.source(key), ls.signer, ls.epochs, ls.log, ls.stats)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ls.ctx)
	open := &openLane{lane: lane, users: 1, stop: stop, ready: make(chan struct{})}
	ls.open[key] = open
	ls.live.Go(func() { ls.keep(ctx, key, open) })
	return open, nil
}

// keep is the life of one lane.
func (ls *Lanes) keep(ctx context.Context, key laneKey, open *openLane) {
	open.err = open.lane.Refresh(ctx)
	if open.err != nil {
		// The next to ask shall try again instead of finding this failure.
		ls.forget(key, open)
	}
	close(open.ready)
	if open.err == nil {
		open.lane.run(ctx)
	}
}

func (ls *Lanes) release(key laneKey, open *openLane) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if open.users--; open.users > 0 {
		return
	}
	open.stop()
	if ls.open[key] == open {
		delete(ls.open, key)
	}
}

func (ls *Lanes) forget(key laneKey, open *openLane) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.open[key] == open {
		delete(ls.open, key)
	}
}

func (ls *Lanes) source(key laneKey) laneSource {
	if key.kind == edgev1.Lane_LANE_DIRECTORY {
		return directorySource{ls.store, key.environment}
	}
	return configurationSource{ls.store, key.environment}
}
