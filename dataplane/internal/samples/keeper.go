package samples

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

// Keeper keeps samples for one policy. It is safe for concurrent use; nil keeps none.
type Keeper struct {
	ring   *Ring
	policy id.ID
	oneIn  uint64
	keep   time.Duration
	seen   atomic.Uint64
}

// Keeper returns one that keeps one of so many requests that pass, and those that are refused, for a time; nil where the node keeps none.
func (r *Ring) Keeper(policy id.ID, oneIn uint32, keep time.Duration) *Keeper {
	if r == nil || oneIn == 0 || keep <= 0 {
		return nil
	}
	return &Keeper{ring: r, policy: policy, oneIn: uint64(oneIn), keep: keep}
}

// Wants tells whether an inspected request is to be kept.
func (k *Keeper) Wants(refused bool) bool {
	if k == nil {
		return false
	}
	return refused || k.seen.Add(1)%k.oneIn == 0
}

// Keep keeps a request of a route. Nothing of the sample is held on to: its bytes are sealed before it returns.
func (k *Keeper) Keep(route id.ID, s *Sample) {
	k.ring.keep(route, k.policy, s, k.keep)
}
