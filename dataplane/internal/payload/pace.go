package payload

import (
	"errors"
	"io"
	"sync"
	"time"
)

// ErrSlow says that a body that is waited for whole comes too slowly.
var ErrSlow = errors.New("the body comes too slowly to be held in memory meanwhile")

// How long a body may take that is held in memory meanwhile. What streams through may take longer: it holds nothing.
const (
	patience      = 15 * time.Second // with any body
	leastRate     = 16 << 10         // bytes a second, beyond patience
	shortPatience = 3 * time.Second  // while more than half of the node's memory is taken
)

// pace measures how long a body is waited for. The clock that ends it runs only while somebody waits: whatever it stops is this request's.
type pace struct {
	waited time.Duration // in Reads before
	since  time.Time
	stops  bool // a read that takes too long is ended
	timer  *time.Timer

	mu      sync.Mutex
	waiting bool
	late    bool
}

func (p *pace) begin(stops bool) {
	p.since, p.stops = time.Now(), stops
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = true
}

// end returns ErrSlow if the body was stopped.
func (p *pace) end() error {
	p.waited += time.Since(p.since)
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
	if p.late {
		return ErrSlow
	}
	return nil
}

// stop ends a read that is under way, unless nobody waits for it any more.
func (p *pace) stop(source io.Reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting {
		p.late = true
		stop(source)
	}
}

// judge says whether a body that isn't at its end has come fast enough, and sees to it that the next read ends in time.
func (p *pace) judge(length int, memory *Memory, source io.Reader) error {
	allowed := patience
	if memory.scarce() {
		allowed = shortPatience
	}
	allowed += time.Duration(length) * time.Second / leastRate
	left := allowed - p.waited - time.Since(p.since)
	if left <= 0 {
		return ErrSlow
	}
	switch {
	case !p.stops:
	case p.timer == nil:
		p.timer = time.AfterFunc(left, func() { p.stop(source) })
	default:
		p.timer.Reset(left)
	}
	return nil
}
