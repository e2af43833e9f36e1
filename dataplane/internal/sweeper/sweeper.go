package sweeper

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Look is between two looks: a timer fires at most so much later than it is set to, and never earlier.
const Look = 50 * time.Millisecond

const shards = 16

// Sweeper looks after timers while Run runs. It is safe for concurrent use.
type Sweeper struct {
	begun  time.Time
	now    atomic.Int64 // nanoseconds since begun, at the last look
	wall   atomic.Int64 // nanoseconds since 1970, by the system's clock at the last look
	next   atomic.Uint32
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	first *Timer
	_     [40]byte // a cache line of its own
}

// New returns a sweeper without timers.
func New() *Sweeper {
	s := &Sweeper{begun: time.Now()}
	s.wall.Store(s.begun.UnixNano())
	return s
}

// Timer is due at one time, or at none. It belongs to one sweeper from Add to Remove. Set and Stop are for one goroutine at a time.
type Timer struct {
	at         atomic.Int64 // when it is due; 0: never; fired
	sweeper    *Sweeper
	fire       func()
	prev, next *Timer // guarded by the shard's lock
	shard      uint32
}

// fired is what a due timer is set to.
const fired = -1

// Add takes a timer in. fire is called when it is due, by the sweeper's goroutine: it must not wait, and neither Add nor Remove. It may
// Set the timer again.
func (s *Sweeper) Add(t *Timer, fire func()) {
	t.sweeper, t.fire, t.shard = s, fire, s.next.Add(1)%shards
	t.at.Store(0)
	at := &s.shards[t.shard]
	at.mu.Lock()
	defer at.mu.Unlock()
	t.prev, t.next = nil, at.first
	if at.first != nil {
		at.first.prev = t
	}
	at.first = t
}

// Remove lets a timer go: once it has returned, fire isn't called any more.
func (s *Sweeper) Remove(t *Timer) {
	at := &s.shards[t.shard]
	at.mu.Lock()
	defer at.mu.Unlock()
	if t.prev == nil {
		at.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}

// Set makes the timer due in d, whatever it was set to. false: it has fired since it was last set, and what it ended has ended.
func (t *Timer) Set(d time.Duration) bool {
	at := t.sweeper.now.Load() + int64(d+Look) // the last look may have been that long ago
	return t.at.Swap(at) != fired
}

// Stop makes the timer never due; false as with Set.
func (t *Timer) Stop() bool { return t.at.Swap(0) != fired }

// Now is the time of the last look. It goes on evenly, whatever is done to the system's clock: deadlines are told by it.
func (s *Sweeper) Now() time.Time { return s.begun.Add(time.Duration(s.now.Load())) }

// Wall is what the system's clock said at the last look: what people are told.
func (s *Sweeper) Wall() time.Time { return time.Unix(0, s.wall.Load()) }

// Run looks until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(Look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			s.wall.Store(now.UnixNano())
			s.look(now.Sub(s.begun))
		}
	}
}

func (s *Sweeper) look(now time.Duration) {
	s.now.Store(int64(now))
	for i := range s.shards {
		s.shards[i].look(int64(now))
	}
}

func (s *shard) look(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := s.first; t != nil; t = t.next {
		if at := t.at.Load(); at > 0 && at <= now && t.at.CompareAndSwap(at, fired) {
			t.fire()
		}
	}
}
