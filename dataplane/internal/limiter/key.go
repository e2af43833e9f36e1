package limiter

import "hash/maphash"

// Key tells callers apart: 128 bits of keyed hash. Two callers meet in one cell with a probability that no table comes
// near to, and nobody without the process's seeds can look for two that do, nor for many that crowd one shard.
type Key struct{ high, low uint64 }

// Hasher makes keys. It is safe for concurrent use.
type Hasher struct{ high, low maphash.Seed }

// NewHasher returns a Hasher with seeds of its own: keys of two hashers have nothing to do with each other.
func NewHasher() Hasher { return Hasher{high: maphash.MakeSeed(), low: maphash.MakeSeed()} }

// Bytes returns the key of b. It doesn't allocate.
func (h *Hasher) Bytes(b []byte) Key {
	return notZero(Key{high: maphash.Bytes(h.high, b), low: maphash.Bytes(h.low, b)})
}

// String returns the key of s, the same as that of its bytes. It doesn't allocate.
func (h *Hasher) String(s string) Key {
	return notZero(Key{high: maphash.String(h.high, s), low: maphash.String(h.low, s)})
}

// Append appends the key's 16 bytes, for a key of several parts.
func (k Key) Append(b []byte) []byte {
	return append(b,
		byte(k.high>>56), byte(k.high>>48), byte(k.high>>40), byte(k.high>>32),
		byte(k.high>>24), byte(k.high>>16), byte(k.high>>8), byte(k.high),
		byte(k.low>>56), byte(k.low>>48), byte(k.low>>40), byte(k.low>>32),
		byte(k.low>>24), byte(k.low>>16), byte(k.low>>8), byte(k.low))
}

// notZero keeps the zero key free: it marks an empty slot.
func notZero(k Key) Key {
	if k == (Key{}) {
		k.low = 1
	}
	return k
}
