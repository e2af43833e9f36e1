package catalog

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shards is how many pieces a table is copied in: with 10,000 entries a change copies some 40 of them.
const shards = 256

var seed = maphash.MakeSeed()

// table is a map that is cheap to copy and change: a copy shares every shard until it writes to it.
// A table that others may read is never written again.
type table[K comparable, V any] struct {
	shards [shards]map[K]V
	own    [shards]bool
}

// edit returns a copy to write to.
func (t *table[K, V]) edit() table[K, V] { return table[K, V]{shards: t.shards} }

func (t *table[K, V]) get(k K) (V, bool) {
	v, ok := t.shards[shardOf(k)][k]
	return v, ok
}

func (t *table[K, V]) set(k K, v V) { t.writable(shardOf(k))[k] = v }

func (t *table[K, V]) delete(k K) {
	if i := shardOf(k); t.shards[i] != nil {
		delete(t.writable(i), k)
	}
}

func (t *table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for i := range t.shards {
			for k, v := range t.shards[i] {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

func (t *table[K, V]) writable(i uint8) map[K]V {
	if !t.own[i] {
		shard := maps.Clone(t.shards[i])
		if shard == nil {
			shard = make(map[K]V)
		}
		t.shards[i], t.own[i] = shard, true
	}
	return t.shards[i]
}

func shardOf[K comparable](k K) uint8 { return uint8(maphash.Comparable(seed, k)) }
