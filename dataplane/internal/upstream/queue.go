package upstream

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// waiter is a request that waits until a target has a connection for it.
type waiter struct {
	wake chan struct{} // it may look again
	gone chan struct{} // nobody waits for its answer any more
}

// Cut implements pipeline.Cutter.
func (w *waiter) Cut() {
	select {
	case w.gone <- struct{}{}:
	default:
	}
}

// take returns a connection for a request: an idle one, or a new one; it waits for one where as many are open as may be.
func (t *target) take(a *attempt) (*conn, error) {
	most := a.pool.spec.Connections.MaxPerTarget
	if most == 0 || t.waiting.Load() == 0 { // who came first is first
		if c, taken, err := t.tryTake(a, most); taken {
			return c, err
		}
	}
	return t.wait(a, most)
}

// tryTake takes what can be had without waiting for others.
func (t *target) tryTake(a *attempt, most int) (c *conn, taken bool, err error) {
	if !a.fresh {
		if idle := t.pop(a.stripe, a.pool.guard); idle != nil {
			return idle, true, nil
		}
	}
	if !t.reserve(most) {
		if !a.fresh {
			return nil, false, nil
		}
		idle := t.pop(a.stripe, a.pool.guard) // a new one takes the place of one that nobody uses
		if idle == nil {
			return nil, false, nil
		}
		idle.close()
		if !t.reserve(most) {
			return nil, false, nil
		}
	}
	c, err = t.dial(a)
	if err != nil {
		t.unreserve()
	}
	return c, true, err
}

func (t *target) wait(a *attempt, most int) (*conn, error) {
	w := &waiter{wake: make(chan struct{}, 1), gone: make(chan struct{}, 1)}
	if !t.enqueue(w, a.pool.spec.Connections.Queue) {
		t.counts.queueFull.Add(1)
		return nil, errQueueFull
	}
	defer t.leaveQueue(w)
	_ = a.ex.Abort.Hold(w)
	patience, late := a.within(a.pool.spec.Connections.QueueTimeout)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		if c, taken, err := t.tryTake(a, most); taken {
			return c, err
		}
		select {
		case <-w.wake:
			t.enqueueFirst(w)
		case <-w.gone:
			return nil, pipeline.ErrGone
		case <-timer.C:
			t.counts.queueTimeout.Add(1)
			if late != nil {
				return nil, late
			}
			return nil, errQueueTimeout
		}
	}
}

// enqueue adds a waiter, unless as many wait as may.
func (t *target) enqueue(w *waiter, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) >= most {
		return false
	}
	t.queue = append(t.queue, w)
	t.waiting.Store(int32(len(t.queue)))
	return true
}

// enqueueFirst puts a waiter back that was woken: until it has looked again, it stays the first.
func (t *target) enqueueFirst(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = slices.Insert(t.queue, 0, w)
	t.waiting.Store(int32(len(t.queue)))
}

// leaveQueue takes a waiter out. If it was woken meanwhile, the next one is in its place.
func (t *target) leaveQueue(w *waiter) {
	t.mu.Lock()
	if i := slices.Index(t.queue, w); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		t.waiting.Store(int32(len(t.queue)))
	}
	t.mu.Unlock()
	select {
	case <-w.wake:
		t.wakeNext()
	default:
	}
}

// wakeNext lets the first that waits look again.
func (t *target) wakeNext() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return
	}
	w := t.queue[0]
	t.queue = slices.Delete(t.queue, 0, 1)
	t.waiting.Store(int32(len(t.queue)))
	w.wake <- struct{}{}
}
