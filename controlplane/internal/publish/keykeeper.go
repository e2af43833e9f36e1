package publish

import (
	"context"
	"log/slog"
	"time"
)

const (
	// TicketLife is for how long new session tickets are sealed with one key, where nobody says otherwise.
	TicketLife = 12 * time.Hour
	// IdentityLife is how long identity tokens are signed with one key, where nobody says otherwise.
	IdentityLife = 7 * 24 * time.Hour
	// keyLook is how often a replica looks for keys that are to be renewed: also how long those of an epoch that has ended may go on.
	keyLook    = 5 * time.Second
	keyTimeout = 30 * time.Second
)

// KeyKeeper renews keys of every environment when it is time. Replicas may all do so: each looks again behind the lock.
type KeyKeeper struct {
	settleAll func(ctx context.Context, life time.Duration) error
	life      time.Duration
	log       *slog.Logger
}

// NewTicketKeeper returns a keeper that gives each key which session tickets are sealed with a life.
func NewTicketKeeper(publisher *Publisher, life time.Duration, log *slog.Logger) *KeyKeeper {
	return &KeyKeeper{settleAll: publisher.SettleAllTickets, life: life, log: log.With("keys", "of session tickets")}
}

// NewIdentityKeeper returns a keeper that gives each key which identity tokens are signed with a life.
func NewIdentityKeeper(publisher *Publisher, life time.Duration, log *slog.Logger) *KeyKeeper {
	return &KeyKeeper{settleAll: publisher.SettleAllIdentityKeys, life: life, log: log.With("keys", "of identity tokens")}
}

// Run renews keys until ctx ends.
func (k *KeyKeeper) Run(ctx context.Context) error {
	tick := time.NewTicker(min(keyLook, k.life))
	defer tick.Stop()
	for {
		k.settle(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (k *KeyKeeper) settle(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, keyTimeout)
	defer cancel()
	if err := k.settleAll(bounded, k.life); err != nil && ctx.Err() == nil {
		k.log.Warn("can't renew keys; trying again", "error", err)
	}
}
