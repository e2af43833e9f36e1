package signin

import (
	"context"
	"log/slog"
	"time"
)

const (
	// forgetEvery is how often what has expired is removed, and forgetLimit how much of each kind at a time.
	forgetEvery = 10 * time.Minute
	forgetLimit = 1000
	// forgetTimeout bounds one removal.
	forgetTimeout = 30 * time.Second
)

// Keeper removes what has expired: sessions, invitations, what is remembered of sign-ins at providers. None of it counts any more by then.
type Keeper struct {
	store SessionStore
	log   *slog.Logger
	now   func() time.Time
}

// NewKeeper returns a keeper that works while Run does.
func NewKeeper(store SessionStore, log *slog.Logger) *Keeper {
	return &Keeper{store: store, log: log, now: time.Now}
}

// Run removes what has expired until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			k.forget(ctx)
		}
	}
}

func (k *Keeper) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, forgetTimeout)
	defer cancel()
	for {
		n, err := k.store.Forget(ctx, k.now(), forgetLimit)
		if err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "expired sessions can't be removed; trying again later", "error", err)
		}
		if err != nil || n == 0 {
			return
		}
	}
}
