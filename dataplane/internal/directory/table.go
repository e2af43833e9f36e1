package directory

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/id"
)

// tableBuckets keeps a bucket of 250,000 ids, the most consumers that are planned for, at about 60.
const tableBuckets = 4096

// table finds values by id, in immutable buckets behind atomic pointers. The zero value is empty.
type table[V any] struct {
	buckets [tableBuckets]atomic.Pointer[rows[V]] // nil: none
}

// rows is one bucket, by id.
type rows[V any] struct{ sorted []row[V] }

type row[V any] struct {
	id    id.ID
	value V
}

// get walks over a bucket: no processor foresees where a binary search of so few rows goes, which costs more.
func (t *table[V]) get(key id.ID) (value V, found bool) {
	b := t.buckets[tableBucket(key)].Load()
	if b == nil {
		return value, false
	}
	for i := range b.sorted {
		if r := &b.sorted[i]; r.id == key {
			return r.value, true
		}
	}
	return value, false
}

func (b *rows[V]) find(key id.ID) (int, bool) {
	return slices.BinarySearchFunc(b.sorted, key, func(r row[V], key id.ID) int {
		return bytes.Compare(r.id[:], key[:])
	})
}

// tableBucket returns where an id lies.
func tableBucket(key id.ID) uint16 {
	at, _ := tablePlace(key)
	return at
}

// tablePlace returns where an id lies, and the tag that tells those of a bucket apart.
func tablePlace(key id.ID) (bucket, tag uint16) {
	all := mixed(key)
	return uint16(all >> 52), uint16(all >> 36)
}

// mixed mixes all of an id, since it is made elsewhere: buckets stay even when ids are random in some of their bytes only.
func mixed(key id.ID) uint64 {
	const odd = 0x9e3779b97f4a7c15 // 2^64 / golden ratio
	high, low := binary.BigEndian.Uint64(key[:8]), binary.BigEndian.Uint64(key[8:])
	mix := (low ^ high*odd) * odd
	mix ^= mix >> 32
	return mix * odd
}

// tableChange is a change of a table in the making. Buckets are copied when they are first touched.
type tableChange[V any] struct {
	base    *table[V]
	grown   map[uint16][]row[V] // with what is added, before anything is removed
	removed map[uint16][]id.ID
}

func (t *table[V]) change() *tableChange[V] {
	return &tableChange[V]{base: t, grown: map[uint16][]row[V]{}, removed: map[uint16][]id.ID{}}
}

// put adds a row or replaces it.
func (c *tableChange[V]) put(key id.ID, value V) {
	at := tableBucket(key)
	b := rows[V]{sorted: c.bucket(at)}
	i, found := b.find(key)
	if found {
		b.sorted[i].value = value
		return
	}
	c.grown[at] = slices.Insert(b.sorted, i, row[V]{id: key, value: value})
}

// remove takes a row out, in the second step of the commit. No id is both put and removed.
func (c *tableChange[V]) remove(key id.ID) {
	at := tableBucket(key)
	c.removed[at] = append(c.removed[at], key)
}

// bucket returns a copy of the base's bucket that may be written to.
func (c *tableChange[V]) bucket(at uint16) []row[V] {
	sorted, copied := c.grown[at]
	if !copied {
		if b := c.base.buckets[at].Load(); b != nil {
			sorted = append(make([]row[V], 0, len(b.sorted)+1), b.sorted...)
		}
		c.grown[at] = sorted
	}
	return sorted
}

// grow puts what was added in force.
func (c *tableChange[V]) grow() {
	for at, sorted := range c.grown {
		c.base.set(at, sorted)
	}
}

// shrink then takes out what was removed.
func (c *tableChange[V]) shrink() {
	for at, gone := range c.removed {
		b := c.base.buckets[at].Load()
		if b == nil {
			continue
		}
		kept := make([]row[V], 0, len(b.sorted))
		for _, r := range b.sorted {
			if !slices.Contains(gone, r.id) {
				kept = append(kept, r)
			}
		}
		c.base.set(at, kept)
	}
}

func (t *table[V]) set(at uint16, sorted []row[V]) {
	if len(sorted) == 0 {
		t.buckets[at].Store(nil)
		return
	}
	t.buckets[at].Store(&rows[V]{sorted: sorted})
}

// take takes over another's buckets.
func (t *table[V]) take(other *table[V]) {
	for at := range other.buckets {
		t.buckets[at].Store(other.buckets[at].Load())
	}
}
