package limiter

import (
	"math"
	"sync"
	"sync/atomic"
)

// firstSlots is the size of a shard's first table.
const firstSlots = 8

// shard is one part of a table: an open-addressed hash table with linear probing, its cells inline and without a pointer.
type shard struct {
	mu      sync.Mutex
	windows int
	used    int
	keys    []Key    // a power of two many; the zero key is an empty slot
	tats    []moment // windows per slot

	// freeAt is no later than when the first of the cells is back at its full allowance. TATs only grow, so that a bound
	// found by a search stays one: until then there is nothing to search for. Read without the lock, written under it.
	freeAt atomic.Int64

	_ [24]byte // fills two cache lines, so that shards share none
}

// find returns the TATs of a key's cell; nil: it has none.
func (s *shard) find(key Key) []moment {
	if s.used == 0 {
		return nil
	}
	mask := len(s.keys) - 1
	for i := int(key.high) & mask; ; i = (i + 1) & mask {
		switch s.keys[i] {
		case key:
			return s.at(i)
		case Key{}:
			return nil
		}
	}
}

func (s *shard) at(slot int) []moment {
	return s.tats[slot*s.windows : (slot+1)*s.windows]
}

// insert adds a cell for a key that has none. There must be room.
func (s *shard) insert(key Key) []moment {
	mask := len(s.keys) - 1
	i := int(key.high) & mask
	for s.keys[i] != (Key{}) {
		i = (i + 1) & mask
	}
	s.keys[i] = key
	s.used++
	tats := s.at(i)
	clear(tats)
	return tats
}

// makeRoom makes sure that one more cell fits: by dropping cells that are back at their full allowance, which nobody
// misses, or by growing when that would leave it more than half full. It returns how many it dropped.
func (s *shard) makeRoom(now int64) (dropped int) {
	if 4*(s.used+1) <= 3*len(s.keys) {
		return 0
	}
	before := s.used
	kept, earliest := s.survey(now)
	if 2*(kept+1) > len(s.keys) {
		s.grow(now)
	} else {
		s.purge(now)
	}
	s.freeAt.Store(earliest)
	return before - s.used
}

// grow moves the cells that aren't back into a table twice as large.
func (s *shard) grow(now int64) {
	keys, tats := s.keys, s.tats
	slots := max(2*len(keys), firstSlots)
	s.keys, s.tats, s.used = make([]Key, slots), make([]moment, slots*s.windows), 0
	for i, key := range keys {
		cell := tats[i*s.windows : (i+1)*s.windows]
		if key != (Key{}) && fullAt(cell) > now {
			copy(s.insert(key), cell)
		}
	}
}

// purge drops the cells that are back, in place.
func (s *shard) purge(now int64) {
	for i := range s.keys {
		for s.keys[i] != (Key{}) && fullAt(s.at(i)) <= now {
			s.remove(i) // and maybe moves another one here
		}
	}
}

// survey counts the cells that aren't back at their full allowance, and finds when the first of them is.
func (s *shard) survey(now int64) (kept int, earliest int64) {
	earliest = math.MaxInt64
	for i, key := range s.keys {
		if key == (Key{}) {
			continue
		}
		if at := fullAt(s.at(i)); at > now {
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
	for i, key := range s.keys {
		if key == (Key{}) {
			continue
		}
		at := fullAt(s.at(i))
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
	mask := len(s.keys) - 1
	for i := (hole + 1) & mask; s.keys[i] != (Key{}); i = (i + 1) & mask {
		home := int(s.keys[i].high) & mask
		if (i-home)&mask >= (i-hole)&mask {
			s.keys[hole] = s.keys[i]
			copy(s.at(hole), s.at(i))
			hole = i
		}
	}
	s.keys[hole] = Key{}
	s.used--
}

// noteFree lowers the bound for a new cell.
func (s *shard) noteFree(at int64) {
	if at < s.freeAt.Load() {
		s.freeAt.Store(at)
	}
}
