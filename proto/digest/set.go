package digest

import (
	"iter"
	"math/bits"
	"slices"
)

// Set is a lane's whole index in memory: each entry's key and hash, in order, and the sums above
// them. The zero value is an empty lane. It takes 48 bytes per entry.
//
// A Set is not safe for concurrent use, but each clone may have a goroutine of its own.
type Set struct {
	groups [Groups]*setGroup // nil: no entries
	dirty  uint64            // bit per group with stale buckets; such a group is always our own
	tree   Tree
	length int
	own    *stamp
}

// setGroup and setBucket are shared among clones as treeGroup is.
type setGroup struct {
	own     *stamp
	dirty   uint64 // bit per bucket whose sum in the tree is stale
	buckets [BucketsInGroup]setBucket
}

type setBucket struct {
	own     *stamp
	entries []entry // by key
}

type entry struct {
	key  Key
	hash Hash
}

// Len returns the number of entries.
func (s *Set) Len() int { return s.length }

// Get returns the hash of an entry.
func (s *Set) Get(key Key) (Hash, bool) {
	entries := s.entries(key.Bucket())
	if i, found := find(entries, key); found {
		return entries[i].hash, true
	}
	return Hash{}, false
}

// Put adds an entry, or gives the one that has this key another hash.
func (s *Set) Put(key Key, hash Hash) {
	i, found := find(s.entries(key.Bucket()), key)
	if found {
		if s.entries(key.Bucket())[i].hash != hash {
			s.writable(key.Bucket()).entries[i].hash = hash
		}
		return
	}
	b := s.writable(key.Bucket())
	b.entries = slices.Insert(b.entries, i, entry{key: key, hash: hash})
	s.length++
}

// Delete takes an entry out, and tells whether it was there.
func (s *Set) Delete(key Key) bool {
	i, found := find(s.entries(key.Bucket()), key)
	if !found {
		return false
	}
	b := s.writable(key.Bucket())
	b.entries = slices.Delete(b.entries, i, i+1)
	s.length--
	return true
}

// All yields every entry in the order of the keys. The set must not be changed meanwhile.
func (s *Set) All() iter.Seq2[Key, Hash] {
	return func(yield func(Key, Hash) bool) {
		for bucket := range uint16(Buckets) {
			for _, e := range s.entries(bucket) {
				if !yield(e.key, e.hash) {
					return
				}
			}
		}
	}
}

// BucketSum returns the sum of a bucket.
func (s *Set) BucketSum(bucket uint16) Sum {
	s.settle()
	return s.tree.Bucket(bucket)
}

// Head returns the sum of the whole. It hashes only what changed since it was last asked.
func (s *Set) Head() Sum {
	s.settle()
	return s.tree.Head()
}

// Clone returns a set equal to this one. Both can then be changed, neither sees the other's
// changes. It copies about a kilobyte; a bucket is copied when it is first written.
func (s *Set) Clone() *Set {
	s.Head() // what is stale is written by settle, so none of it may be shared
	clone := *s
	clone.tree = *s.tree.Clone()
	clone.own, s.own = new(stamp), new(stamp)
	return &clone
}

// settle brings the tree up to date.
func (s *Set) settle() {
	for ; s.dirty != 0; s.dirty &= s.dirty - 1 {
		at := bits.TrailingZeros64(s.dirty)
		g := s.groups[at]
		for ; g.dirty != 0; g.dirty &= g.dirty - 1 {
			i := bits.TrailingZeros64(g.dirty)
			sum := BucketSumOf(g.buckets[i].entries, func(e *entry) Hash { return e.hash })
			s.tree.Set(uint16(at*BucketsInGroup+i), sum)
		}
	}
}

// entries returns a bucket's entries, to read.
func (s *Set) entries(bucket uint16) []entry {
	if g := s.groups[bucket/BucketsInGroup]; g != nil {
		return g.buckets[bucket%BucketsInGroup].entries
	}
	return nil
}

// writable returns the bucket to write to, in copies of our own where it is shared, and marks it
// stale.
func (s *Set) writable(bucket uint16) *setBucket {
	if s.own == nil {
		s.own = new(stamp)
	}
	at, i := bucket/BucketsInGroup, bucket%BucketsInGroup
	g := s.groups[at]
	switch {
	case g == nil:
		g = &setGroup{own: s.own}
		s.groups[at] = g
	case g.own != s.own:
		own := *g
		own.own = s.own
		g = &own
		s.groups[at] = g
	}
	b := &g.buckets[i]
	if b.own != s.own {
		b.entries = append(make([]entry, 0, len(b.entries)+1), b.entries...)
		b.own = s.own
	}
	g.dirty |= 1 << i
	s.dirty |= 1 << at
	return b
}

func find(entries []entry, key Key) (int, bool) {
	return slices.BinarySearchFunc(entries, key, func(e entry, k Key) int { return e.key.Compare(k) })
}
