package basic

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const (
	atOnce  = 2 // digests that a node computes at a time: 38 MiB
	waiting = 64
	patient = 5 * time.Second
)

// turns lets a few compute at a time.
type turns struct {
	free chan struct{}
	line atomic.Int32 // who waits
}

func newTurns() *turns { return &turns{free: make(chan struct{}, atOnce)} }

// take takes a turn if there is one at once, or, when it may wait, once there is; false: there is none. Who has taken one gives it back.
func (t *turns) take(ex *pipeline.Exchange, wait bool) bool {
	select {
	case t.free <- struct{}{}:
		return true
	default:
	}
	if !wait {
		return false
	}
	defer t.line.Add(-1)
	if t.line.Add(1) > waiting {
		return false
	}
	gone := &cut{done: make(chan struct{})}
	if ex.Abort != nil {
		if ex.Abort.Hold(gone) != nil {
			return false
		}
		defer func() { _ = ex.Abort.Hold(nil) }() // the cause is looked at by whoever answers
	}
	late := time.NewTimer(patient)
	defer late.Stop()
	select {
	case t.free <- struct{}{}:
		return true
	case <-late.C:
	case <-gone.done:
	}
	return false
}

func (t *turns) giveBack() { <-t.free }

// cut ends a wait whose client is gone.
type cut struct {
	once sync.Once
	done chan struct{}
}

// Cut implements pipeline.Cutter.
func (c *cut) Cut() { c.once.Do(func() { close(c.done) }) }
