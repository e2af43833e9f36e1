package limits

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// watchEvery is how often all environments are held against their limits.
	watchEvery = time.Minute
	// countTimeout bounds the counting.
	countTimeout = 20 * time.Second
)

// Counts are how many objects of each collection environments have, and what their configurations take: environment → name → used.
type Counts map[string]map[string]uint64

// Store counts.
type Store interface {
	// Counts returns those of one environment, or of all for "".
	Counts(ctx context.Context, environment string) (Counts, error)
}

// Stats is what is counted of limits.
type Stats struct {
	// Alarming is how many limits, over all environments, are used by half or more.
	Alarming atomic.Int64
}

// Limits answers how near environments are to their limits, and raises the alarm.
type Limits struct {
	store Store
	log   *slog.Logger
	stats *Stats
}

// New returns the limits of what a store counts.
func New(store Store, log *slog.Logger, stats *Stats) *Limits {
	return &Limits{store: store, log: log, stats: stats}
}

// Of returns every limit of an environment.
func (l *Limits) Of(ctx context.Context, environment string) ([]Limit, error) {
	counts, err := l.store.Counts(ctx, environment)
	if err != nil {
		return nil, err
	}
	return All(func(name string) uint64 { return counts[environment][name] }), nil
}

// Run holds all environments against their limits until ctx ends. What is alarming is said once, and again when it was over meanwhile.
func (l *Limits) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	said := map[string]bool{}
	for {
		said = l.look(ctx, said)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look raises the alarms that weren't said yet, and returns all that hold.
func (l *Limits) look(ctx context.Context, said map[string]bool) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	counts, err := l.store.Counts(ctx, "")
	if err != nil {
		if ctx.Err() == nil {
			l.log.Warn("can't count what environments hold", "error", err)
		}
		return said
	}
	holding := map[string]bool{}
	for environment, used := range counts {
		for _, limit := range All(func(name string) uint64 { return used[name] }) {
			if !limit.Alarming() {
				continue
			}
			key := environment + " " + limit.Name
			if holding[key] = true; !said[key] {
				l.log.Warn("half of a limit is used", "environment", environment, "limit", limit.Name, "used", limit.Used, "most", limit.Most)
			}
		}
	}
	l.stats.Alarming.Store(int64(len(holding)))
	return holding
}
