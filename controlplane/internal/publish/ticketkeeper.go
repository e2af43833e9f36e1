package publish

import (
	"context"
	"log/slog"
	"time"
)

const (
	// TicketLife is for how long new session tickets are sealed with one key, where nobody says otherwise.
	TicketLife = 12 * time.Hour
	// ticketLook is how often a replica looks for keys that are to be renewed: also how long those of an epoch that has ended may go on.
	ticketLook    = 5 * time.Second
	ticketTimeout = 30 * time.Second
)

// TicketKeeper renews every environment's ticket keys when it is time. Replicas may all do so: each looks again behind the lock.
type TicketKeeper struct {
	publisher *Publisher
	life      time.Duration
	log       *slog.Logger
}

// NewTicketKeeper returns a keeper that gives each key a life.
func NewTicketKeeper(publisher *Publisher, life time.Duration, log *slog.Logger) *TicketKeeper {
	return &TicketKeeper{publisher: publisher, life: life, log: log}
}

// Run renews keys until ctx ends.
func (k *TicketKeeper) Run(ctx context.Context) error {
	tick := time.NewTicker(min(ticketLook, k.life))
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

func (k *TicketKeeper) settle(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, ticketTimeout)
	defer cancel()
	if err := k.publisher.SettleAllTickets(bounded, k.life); err != nil && ctx.Err() == nil {
		k.log.Warn("can't renew the keys that session tickets are sealed with; trying again", "error", err)
	}
}
