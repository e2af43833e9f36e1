package configsync

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause is a wait that doubles each time, with jitter, so that a fleet doesn't return in step.
type pause struct {
	least, most time.Duration
	next        time.Duration
}

// step returns how long to wait now: between half and all of the current length.
func (p *pause) step() time.Duration {
	p.next = min(max(p.next, p.least), p.most)
	length := p.next/2 + rand.N(p.next/2+1) // #nosec G404 -- no secret, only to spread a fleet
	p.next *= 2
	return length
}

// reset makes the next wait the shortest.
func (p *pause) reset() { p.next = 0 }

// wait waits for one step, or until ctx ends.
func (p *pause) wait(ctx context.Context) error {
	timer := time.NewTimer(p.step())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
