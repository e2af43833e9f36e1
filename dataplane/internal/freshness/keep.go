package freshness

import (
	"context"
	"log/slog"
	"time"
)

// Store keeps a record over restarts.
type Store interface {
	KeepFreshness(Record) error
}

const (
	keepLeast = 2 * time.Second
	keepMost  = 30 * time.Second
	// keepShare of a limit is what a restart may cost of it.
	keepShare = 5
)

// Keep records how fresh the node is until ctx ends, and then once more. It writes only while limit, which is looked at each second,
// isn't 0: every fifth of it, at least 2 s and at most 30 s apart.
func (f *Freshness) Keep(ctx context.Context, store Store, limit func() time.Duration, log *slog.Logger) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var kept time.Time
	keep := func(now time.Time) {
		r, known := f.Record(now)
		if !known {
			return
		}
		kept = now
		if err := store.KeepFreshness(r); err != nil {
			log.Error("how fresh the node is can't be kept: after a restart it counts as stale too early", "error", err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			if limit() > 0 {
				keep(time.Now())
			}
			return nil
		case now := <-tick.C:
			if most := limit(); most > 0 && now.Sub(kept) >= min(max(most/keepShare, keepLeast), keepMost) {
				keep(now)
			}
		}
	}
}
