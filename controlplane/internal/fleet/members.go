package fleet

import (
	"context"
	"log/slog"
	"time"
)

const (
	// settleEvery is how often all environments are settled: what a replica that died meanwhile left undone.
	settleEvery = time.Minute
	// settleTimeout bounds that.
	settleTimeout = 30 * time.Second
)

// Settler makes the directory say who is in the fleet, as the database has it by now.
type Settler interface {
	SettleFleet(ctx context.Context, environment string) error
	SettleFleets(ctx context.Context) error
}

// Members tells nodes who is in the fleet, so that each knows its share of what is limited for all of them. A node is in it
// from its enrolment until it says goodbye or is disabled; one that is silent stays in it: it may well serve.
type Members struct {
	settler Settler
	log     *slog.Logger
}

// NewMembers returns the members as a settler tells them.
func NewMembers(settler Settler, log *slog.Logger) *Members {
	return &Members{settler: settler, log: log}
}

// Settle tells an environment's nodes who is in the fleet now.
func (m *Members) Settle(ctx context.Context, environment string) error {
	if m == nil {
		return nil
	}
	return m.settler.SettleFleet(ctx, environment)
}

// Run settles all environments, now and then, until ctx ends.
func (m *Members) Run(ctx context.Context) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for {
		m.settleAll(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *Members) settleAll(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := m.settler.SettleFleets(bounded); err != nil && ctx.Err() == nil {
		m.log.Warn("can't tell the nodes who is in the fleet; trying again", "in", settleEvery, "error", err)
	}
}
