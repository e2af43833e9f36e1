package upstream

import (
	"sync/atomic"
	"time"
)

// longestEjection is how long a target that never does any good is out of rotation at most.
const longestEjection = 5 * time.Minute

// health is how a target fares, as far as requests tell. It is the state that pickers ask, and that checks of other kinds are to write.
type health struct {
	failures atomic.Uint32 // one behind the other
	until    atomic.Int64  // ejected until then; 0: it isn't
	times    atomic.Uint32 // ejected without having done any good since
}

// available tells whether requests are to be sent to the target.
func (h *health) available(now time.Time) bool {
	until := h.until.Load()
	return until == 0 || now.UnixNano() >= until
}

// began takes note of the head of an answer. Those by which a server says that it can't serve anybody count as failures.
func (h *health) began(p *Pool, t *target, status int) {
	if !serves(status) {
		h.failed(p, t)
	}
}

// serves tells whether a server that answers with a status serves.
func serves(status int) bool {
	const badGateway, unavailable, gatewayTimeout = 502, 503, 504
	return status != badGateway && status != unavailable && status != gatewayTimeout
}

// answered takes note of an answer that is there as a whole. Its head alone forgives nothing: a server may break off each of its answers.
func (h *health) answered(status int) {
	if h.failures.Load() != 0 && serves(status) { // nothing is written while all is well
		h.failures.Store(0)
		h.times.Store(0)
	}
}

// failed takes note of a failure, and ejects the target after too many, unless too many others are.
func (h *health) failed(p *Pool, t *target) {
	rule := &p.spec.Ejection
	failures := h.failures.Add(1)
	if rule.ConsecutiveFailures == 0 || failures < rule.ConsecutiveFailures || rule.MaxPercent == 0 {
		return
	}
	r := p.registry
	r.ejecting.Lock()
	defer r.ejecting.Unlock()
	now := r.cfg.Sweeper.Now()
	if !h.available(now) || !p.mayEject(now) {
		return
	}
	times := h.times.Add(1)
	const doublings = 10 // more than lead to the longest
	out := min(rule.BaseTime<<min(times-1, doublings), longestEjection)
	h.until.Store(now.Add(out).UnixNano())
	t.counts.ejections.Add(1)
	r.cfg.Logger.Warn("a target is out of rotation for a while: it failed again and again", "target", t.key.address, "failures", failures, "seconds", out.Seconds())
}

// mayEject tells whether one more of the pool's targets may be out of rotation.
func (p *Pool) mayEject(now time.Time) bool {
	const all = 100
	out := 1
	for i := range p.members {
		if !p.members[i].target.health.available(now) {
			out++
		}
	}
	return out*all <= int(p.spec.Ejection.MaxPercent)*len(p.members)
}
