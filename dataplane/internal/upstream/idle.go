package upstream

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds on connections that nobody uses.
const (
	idleTimeout      = 60 * time.Second
	maxAge           = 10 * time.Minute // so that a balancer in front of the target, and a new certificate, get their turn
	idlePerTarget    = 1024
	leastIdleOnShelf = 64
)

// shelf holds idle connections, the last one used on top: the others grow old, and end. Each processor mostly has a shelf to itself.
type shelf struct {
	count atomic.Int32
	mu    sync.Mutex
	conns []*conn
	_     [24]byte // a cache line of its own
}

// push puts a connection on top, and returns the one that there is no room for any more. The shelf is locked, and isn't any more then.
func (s *shelf) push(c *conn, most int) (old *conn) {
	defer s.mu.Unlock()
	if len(s.conns) >= most {
		old = s.conns[0]
		s.conns = append(s.conns[:0], s.conns[1:]...)
	}
	s.conns = append(s.conns, c)
	s.count.Store(int32(len(s.conns)))
	return old
}

// pop takes the top one off; nil: there is none. busy: somebody else is at the shelf, whom only who is to wait waits for.
func (s *shelf) pop(wait bool) (top *conn, busy bool) {
	switch {
	case s.count.Load() == 0:
		return nil, false
	case wait:
		s.mu.Lock()
	case !s.mu.TryLock():
		return nil, true
	}
	defer s.mu.Unlock()
	last := len(s.conns) - 1
	if last < 0 {
		return nil, false
	}
	top = s.conns[last]
	s.conns[last] = nil
	s.conns = s.conns[:last]
	s.count.Store(int32(last))
	return top, false
}

// take takes those off that which is true of.
func (s *shelf) take(which func(*conn) bool) (taken []*conn) {
	if s.count.Load() == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.conns[:0]
	for _, c := range s.conns {
		if which(c) {
			taken = append(taken, c)
		} else {
			kept = append(kept, c)
		}
	}
	clear(s.conns[len(kept):])
	s.conns = kept
	s.count.Store(int32(len(kept)))
	return taken
}

// put takes a connection back that another request may use.
func (t *target) put(c *conn, stripe uint32) {
	now := t.registry.cfg.Sweeper.Now()
	if now.Sub(c.opened) > c.maxAge || !t.stillThere(c) {
		c.close()
		return
	}
	c.idleSince = now
	if old := t.freeShelf(stripe).push(c, t.perShelf); old != nil {
		old.close()
	}
	if t.dropped.Load() {
		t.closeIdle(func(*conn) bool { return true })
	}
	if t.waiting.Load() > 0 {
		t.wakeNext()
	}
}

// freeShelf locks a shelf that nobody is at, the stripe's own if it can be had. A lock is held for some nanoseconds, but its holder may lose
// his processor meanwhile.
func (t *target) freeShelf(stripe uint32) *shelf {
	for i := range uint32(len(t.shelves)) {
		if s := &t.shelves[(stripe+i)&t.mask]; s.mu.TryLock() {
			return s
		}
	}
	own := &t.shelves[stripe&t.mask]
	own.mu.Lock()
	return own
}

// pop returns an idle connection that the guard lets through; nil: there is none. It waits for others only where all else is empty.
func (t *target) pop(stripe uint32, guard *Guard) *conn {
	c, busy := t.popFrom(stripe, guard, false)
	if c == nil && busy {
		c, _ = t.popFrom(stripe, guard, true)
	}
	return c
}

func (t *target) popFrom(stripe uint32, guard *Guard, wait bool) (_ *conn, skipped bool) {
	for i := range uint32(len(t.shelves)) {
		for {
			c, busy := t.shelves[(stripe+i)&t.mask].pop(wait)
			skipped = skipped || busy
			if c == nil {
				break
			}
			if c.passes(guard) {
				return c, false
			}
			c.close()
		}
	}
	return nil, skipped
}

// passes tells whether the guard lets the connection through: it may be another than the one that let it be opened.
func (c *conn) passes(guard *Guard) bool {
	if c.guard != guard {
		if guard.Check(c.remote) != nil {
			return false
		}
		c.guard = guard
	}
	return true
}

// idle returns how many connections nobody uses.
func (t *target) idle() (n int64) {
	for i := range t.shelves {
		n += int64(t.shelves[i].count.Load())
	}
	return n
}

// inFlight returns how many connections are in use or being opened: one carries one request.
func (t *target) inFlight() int64 { return max(t.open.Load()-t.idle(), 0) }

// closeIdle closes the idle connections that which is true of.
func (t *target) closeIdle(which func(*conn) bool) {
	for i := range t.shelves {
		for _, c := range t.shelves[i].take(which) {
			c.close()
		}
	}
}

// purge closes the idle connections that a guard doesn't let through.
func (t *target) purge(guard *Guard) {
	t.closeIdle(func(c *conn) bool { return !c.passes(guard) })
}

// stillThere tells whether a connection leads to an address that the target still has.
func (t *target) stillThere(c *conn) bool {
	known := t.known.Load()
	if known == nil || c.knew == known {
		return true
	}
	c.knew = known
	return slices.Contains(known.addresses, c.remote)
}

// leave closes the idle connections to addresses that the target doesn't have any more.
func (t *target) leave(addresses []netip.AddrPort) {
	t.closeIdle(func(c *conn) bool { return !slices.Contains(addresses, c.remote) })
}
