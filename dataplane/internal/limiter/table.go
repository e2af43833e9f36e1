package limiter

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
)

// Bounds of a table's size, in cells.
const (
	MinCells = 64
	MaxCells = 4 << 20

	cellsPerShard  = 1024 // of a full table: what one search for a cell to evict walks over
	maxOtherShards = 8    // how many further shards such a search looks into
)

// Table holds the cells of one limit, one per caller. It is safe for concurrent use: a request locks one of many shards
// for the time of the arithmetic. Its memory grows with the callers it sees.
type Table struct {
	limit  Limit
	shared *sharing // nil: all of the limit is this node's
	hasher Hasher
	max    int64
	used   atomic.Int64 // cells in all shards, or about to be; written by new callers only
	shards []shard

	overflow struct {
		sync.Mutex
		tats [MaxWindows]moment
	}
	crowded atomic.Uint64 // requests counted in the overflow cell
}

// NewTable returns an empty table of at most cells cells. Errors wrap ErrOutOfRange.
func NewTable(limit Limit, cells int) (*Table, error) {
	if cells < MinCells || cells > MaxCells {
		return nil, fmt.Errorf("%w: %d cells, %d to %d are possible", ErrOutOfRange, cells, MinCells, MaxCells)
	}
	if limit.Windows() == 0 {
		return nil, fmt.Errorf("%w: no windows", ErrOutOfRange)
	}
	t := &Table{limit: limit, hasher: NewHasher(), max: int64(cells)}
	t.shards = make([]shard, 1<<bits.Len(uint((cells-1)/cellsPerShard)))
	for i := range t.shards {
		t.shards[i].others = int32(limit.Windows() - 1)
		t.shards[i].freeAt.Store(math.MaxInt64)
	}
	return t, nil
}

// NewSharedTable is NewTable for a limit of which only a share is this node's, however often that changes: no cell is
// lost by it.
func NewSharedTable(limit Limit, cells int, shares Shares) (*Table, error) {
	t, err := NewTable(limit, cells)
	if err != nil {
		return nil, err
	}
	t.shared = newSharing(limit, shares)
	return t, nil
}

// limitAt returns what holds now.
func (t *Table) limitAt(now int64) Limit {
	if t.shared == nil {
		return t.limit
	}
	return t.shared.limit(now)
}

// Limit returns the limit that the table counts against, all of it.
func (t *Table) Limit() Limit { return t.limit }

// Hasher returns what makes the table's keys.
func (t *Table) Hasher() *Hasher { return &t.hasher }

// Cells returns how many callers have a cell.
func (t *Table) Cells() int { return int(t.used.Load()) }

// Shared returns how many requests were counted in the overflow cell.
func (t *Table) Shared() uint64 { return t.crowded.Load() }

// Take decides on one request of a caller at now, in nanoseconds of a monotonic clock, and charges every window if all
// have room, none otherwise. It doesn't allocate for a caller that has a cell.
func (t *Table) Take(key Key, now int64) Verdict {
	now = clamp(now)
	limit := t.limitAt(now)
	s := t.shard(key)
	s.mu.Lock()
	if cell, ok := s.find(key); ok {
		v := limit.take(cell, now, true)
		s.mu.Unlock()
		return v
	}
	if cell, ok := t.insert(s, key, now); ok {
		v := limit.take(cell, now, true)
		s.noteFree(cell.fullAt())
		s.mu.Unlock()
		return v
	}
	s.mu.Unlock()
	return t.takeElsewhere(limit, s, key, now)
}

// Peek says what Take would, and changes nothing.
func (t *Table) Peek(key Key, now int64) Verdict {
	now = clamp(now)
	limit := t.limitAt(now)
	var fresh [MaxWindows]moment
	s := t.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if cell, ok := s.find(key); ok {
		return limit.take(cell, now, false)
	}
	return limit.take(tatsOf(fresh[:]), now, false)
}

// clamp keeps times where the arithmetic holds.
func clamp(now int64) int64 { return min(max(now, 0), horizon) }

func (t *Table) shard(key Key) *shard { return &t.shards[key.low&uint64(len(t.shards)-1)] }

// insert gives a caller a cell in its shard, which is locked; false: the table is full, and nothing in this shard may go.
func (t *Table) insert(s *shard, key Key, now int64) (tats, bool) {
	if t.used.Add(1) > t.max {
		t.used.Add(-1)
		if !s.evict(now) {
			return tats{}, false
		}
	}
	t.used.Add(-int64(s.makeRoom(now)))
	return s.insert(key), true
}

// takeElsewhere makes room for a caller in another shard than its own, or counts it in the overflow cell.
func (t *Table) takeElsewhere(limit Limit, s *shard, key Key, now int64) Verdict {
	if !t.evictElsewhere(s, now) {
		return t.takeShared(limit, now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cell, ok := s.find(key) // maybe given one meanwhile
	if !ok {
		if cell, ok = t.insert(s, key, now); !ok {
			return t.takeShared(limit, now) // somebody else was quicker
		}
	}
	v := limit.take(cell, now, true)
	s.noteFree(cell.fullAt())
	return v
}

func (t *Table) evictElsewhere(own *shard, now int64) bool {
	searched := 0
	for i := range t.shards {
		s := &t.shards[i]
		if s == own || s.freeAt.Load() > now {
			continue
		}
		s.mu.Lock()
		evicted := s.evict(now)
		s.mu.Unlock()
		if evicted {
			t.used.Add(-1)
			return true
		}
		if searched++; searched == maxOtherShards {
			break
		}
	}
	return false
}

func (t *Table) takeShared(limit Limit, now int64) Verdict {
	t.crowded.Add(1)
	t.overflow.Lock()
	defer t.overflow.Unlock()
	v := limit.take(tatsOf(t.overflow.tats[:]), now, true)
	v.Shared = true
	return v
}
