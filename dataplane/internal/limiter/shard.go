package limiter

import (
	"math"
	"sync"
	"sync/atomic"
)

// firstSlots is the size of a shard's first table.
const firstSlots = 8

// cell is what is known of one caller. It fills half a cache line: most limits have one window, and then a request finds
// key and TAT with one load from main memory.
type cell struct {
	key   Key    // zero: the slot is empty
	first moment // the first window's TAT
}

// shard is one part of a table: an open-addressed hash table with linear probing, its cells inline and without a pointer.
type shard struct {
	mu     sync.Mutex
	used   int32
	others int32    // how many windows there are but for the first
	cells  []cell   // a power of two many
	more   []moment // the other windows' TATs, others per slot

	// freeAt is no later than when the first of the cells is back at its full allowance. TATs only grow, so that a bound
	// found by a search stays one: until then there is nothing to search for. Read without the lock, written under it.
	freeAt atomic.Int64

	_ [56]byte // fills two cache lines, so that shards share none
}

// find returns the TATs of a key's cell, if it has one.
func (s *shard) find(key Key) (tats, bool) {
	if s.used == 0 {
		return tats{}, false
	}
	mask := len(s.cells) - 1
	for i := int(key.high) & mask; ; i = (i + 1) & mask {
		switch s.cells[i].key {
		case key:
			return s.at(i), true
		case Key{}:
			return tats{}, false
		}
	}
}

func (s *shard) at(slot int) tats {
	others := int(s.others)
	return tats{first: &s.cells[slot].first, more: s.more[slot*others : (slot+1)*others]}
}

// insert adds a cell for a key that has none. There must be room.
func (s *shard) insert(key Key) tats {
	mask := len(s.cells) - 1
	i := int(key.high) & mask
	for s.cells[i].key != (Key{}) {
		i = (i + 1) & mask
	}
	s.cells[i] = cell{key: key}
	s.used++
	added := s.at(i)
	clear(added.more)
	return added
}

// makeRoom makes sure that one more cell fits: by dropping cells that are back at their full allowance, which nobody
// misses, or by growing when that would leave it more than half full. It returns how many it dropped.
func (s *shard) makeRoom(now int64) (dropped int) {
	if 4*(int(s.used)+1) <= 3*len(s.cells) {
		return 0
	}
	before := s.used
	kept, earliest := s.survey(now)
	if 2*(kept+1) > len(s.cells) {
		s.grow(now)
	} else {
		s.purge(now)
	}
	s.freeAt.Store(earliest)
	return int(before - s.used)
}

// grow moves the cells that aren't back into a table twice as large.
func (s *shard) grow(now int64) {
	old := shard{cells: s.cells, more: s.more, others: s.others}
	slots := max(2*len(old.cells), firstSlots)
	s.cells, s.more, s.used = make([]cell, slots), make([]moment, slots*int(s.others)), 0
	for i := range old.cells {
		if was := old.at(i); old.cells[i].key != (Key{}) && was.fullAt() > now {
			s.insert(old.cells[i].key).copy(was)
		}
	}
}

// purge drops the cells that are back, in place.
func (s *shard) purge(now int64) {
	for i := range s.cells {
		for s.cells[i].key != (Key{}) && s.at(i).fullAt() <= now {
			s.remove(i) // and maybe moves another one here
		}
	}
}

// survey counts the cells that aren't back at their full allowance, and finds when the first of them is.
func (s *shard) survey(now int64) (kept int, earliest int64) {
	earliest = math.MaxInt64
	for i := range s.cells {
		if s.cells[i].key == (Key{}) {
			continue
		}
		if at := s.at(i).fullAt(); at > now {
			earliest = min(earliest, at)
			kept++
		}
	}
	return kept, earliest
}

// evict drops one cell that is back at its full allowance; false: there is none.
func (s *shard) evict(now int64) bool {
	if s.freeAt.Load() > now {
		return false
	}
	earliest := int64(math.MaxInt64)
	for i := range s.cells {
		if s.cells[i].key == (Key{}) {
			continue
		}
		at := s.at(i).fullAt()
		if at <= now {
			s.remove(i)
			return true
		}
		earliest = min(earliest, at)
	}
	s.freeAt.Store(earliest)
	return false
}

// remove empties a slot and moves up what had to probe past it.
func (s *shard) remove(hole int) {
	mask := len(s.cells) - 1
	for i := (hole + 1) & mask; s.cells[i].key != (Key{}); i = (i + 1) & mask {
		home := int(s.cells[i].key.high) & mask
		if (i-home)&mask >= (i-hole)&mask {
			s.cells[hole].key = s.cells[i].key
			s.at(hole).copy(s.at(i))
			hole = i
		}
	}
	s.cells[hole].key = Key{}
	s.used--
}

// noteFree lowers the bound for a new cell.
func (s *shard) noteFree(at int64) {
	if at < s.freeAt.Load() {
		s.freeAt.Store(at)
	}
}
