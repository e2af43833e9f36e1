package usage

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// upkeepInterval is how often partitions are seen to.
	upkeepInterval = time.Minute
	// upkeepTimeout bounds one pass.
	upkeepTimeout = 50 * time.Second
	// maxDrops bounds what one pass drops.
	maxDrops = 64
	// jump is how far the database's clock may go between two passes without being doubted.
	jump = 24 * time.Hour
	// holdOff is how long nothing is dropped after a jump.
	holdOff = 24 * time.Hour
)

// Clock is what the database knows of the time.
type Clock struct {
	Now time.Time
	// PassedAt is when the latest pass was; zero: there was none.
	PassedAt time.Time
	// HeldUntil is until when nothing is dropped.
	HeldUntil time.Time
}

// Partitions keeps the parts of usage's tables.
type Partitions interface {
	// Exclusively runs f unless another replica is running such a function, and tells whether it did.
	Exclusively(ctx context.Context, f func(context.Context) error) (bool, error)
	// Clock returns the database's time, and what the latest pass left.
	Clock(ctx context.Context) (Clock, error)
	// SetClock notes a pass.
	SetClock(ctx context.Context, c Clock) error
	// List returns the names of the partitions that there are.
	List(ctx context.Context) ([]string, error)
	// Create makes those partitions that aren't there.
	Create(ctx context.Context, wanted []Partition) error
	// Drop removes a partition with all that is in it. It gives up at once when others hold it.
	Drop(ctx context.Context, name string) error
	// ForgetNames forgets the names of what was deleted before a time.
	ForgetNames(ctx context.Context, before time.Time) error
}

// UpkeepStats counts upkeep.
type UpkeepStats struct {
	Dropped atomic.Uint64 // partitions
	Failed  atomic.Uint64 // passes
	Held    atomic.Int64  // 1 while nothing is dropped because the database's clock jumped
}

// Upkeep makes the partitions of the near future, and drops those of which nothing is kept any more. Each
// replica runs one; one of them at a time does something.
type Upkeep struct {
	store Partitions
	log   *slog.Logger
	stats *UpkeepStats
}

// NewUpkeep returns the upkeep of the tables in store.
func NewUpkeep(store Partitions, log *slog.Logger, stats *UpkeepStats) *Upkeep {
	return &Upkeep{store: store, log: log, stats: stats}
}

// Run sees to the partitions at once and every minute, until ctx ends. A pass that fails is tried again
// at the next: what is taken finds its partitions made half a day ahead, or makes them.
func (u *Upkeep) Run(ctx context.Context) error {
	tick := time.NewTicker(upkeepInterval)
	defer tick.Stop()
	for {
		if err := u.Pass(ctx); err != nil && ctx.Err() == nil {
			u.stats.Failed.Add(1)
			u.log.Warn("can't see to the partitions of usage; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Pass sees to the partitions once, unless another replica is at it.
func (u *Upkeep) Pass(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upkeepTimeout)
	defer cancel()
	_, err := u.store.Exclusively(ctx, u.pass)
	return err
}

func (u *Upkeep) pass(ctx context.Context) error {
	clock, err := u.store.Clock(ctx)
	if err != nil {
		return fmt.Errorf("upkeep of usage: %w", err)
	}
	if err := u.store.Create(ctx, Wanted(clock.Now)); err != nil {
		return fmt.Errorf("upkeep of usage: %w", err)
	}
	if u.doubt(&clock) {
		return u.store.SetClock(ctx, clock)
	}
	// Noted before anything is dropped: a pass that can't note itself would never see a jump.
	if err := u.store.SetClock(ctx, clock); err != nil {
		return fmt.Errorf("upkeep of usage: %w", err)
	}
	existing, err := u.store.List(ctx)
	if err != nil {
		return fmt.Errorf("upkeep of usage: %w", err)
	}
	expired := Expired(existing, clock.Now)
	for _, name := range expired[:min(len(expired), maxDrops)] {
		if err := u.store.Drop(ctx, name); err != nil {
			return fmt.Errorf("drop expired usage: %w", err)
		}
		u.stats.Dropped.Add(1)
		u.log.Info("dropped expired usage", "partition", name)
	}
	return u.store.ForgetNames(ctx, clock.Now.Add(-keepNames))
}

// doubt tells whether nothing may be dropped at this time of the clock, and sets what the next pass is to
// know. What a clock that was stepped ahead says is old may be of today: so after a jump somebody has a
// day to set it right. An outage of more than a day looks the same, and costs a day's disk.
func (u *Upkeep) doubt(clock *Clock) bool {
	if !clock.PassedAt.IsZero() && clock.Now.Sub(clock.PassedAt) > jump {
		clock.HeldUntil = clock.Now.Add(holdOff)
		u.log.Error("the database's clock is far ahead of where it last was: no usage is dropped for a day; set it right if it is wrong",
			"was", clock.PassedAt, "is", clock.Now)
	}
	// A clock that went back has nothing to hold for longer than a day either.
	if clock.HeldUntil.After(clock.Now.Add(holdOff)) {
		clock.HeldUntil = clock.Now.Add(holdOff)
	}
	clock.PassedAt = clock.Now
	held := clock.HeldUntil.After(clock.Now)
	u.stats.Held.Store(0)
	if held {
		u.stats.Held.Store(1)
	}
	return held
}
