package access

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// paceRate is how many requests a second one caller may go on making: more than a tool that reads a whole environment one
	// object at a time makes over a few connections, so that only a script that has run wild meets it.
	paceRate = 5000
	// paceBurst is how many it may make at once.
	paceBurst = 10_000
	// paceCallers bounds the memory: the caller that asked longest ago is forgotten first, and begins anew.
	paceCallers = 8192
)

// Pace bounds how fast one caller makes requests, so that the others have their share (GCRA: one time per caller). It is safe for
// concurrent use.
type Pace struct {
	now func() time.Time

	mu   sync.Mutex
	full *lru.LRU[string, time.Time] // when the caller's whole burst is back
}

// NewPace returns a Pace that has seen nobody.
func NewPace() *Pace {
	return &Pace{now: time.Now, full: newLRU[string, time.Time](paceCallers)}
}

// Wait counts a request of a caller, by the id of its credential, and returns how long it has to wait instead; 0: not at all.
func (p *Pace) Wait(caller string) time.Duration {
	const interval = time.Second / paceRate
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	full, ok := p.full.Get(caller)
	if !ok || full.Before(now) {
		full = now
	}
	full = full.Add(interval)
	if wait := full.Sub(now) - paceBurst*interval; wait > 0 {
		return wait
	}
	p.full.Add(caller, full)
	return 0
}
