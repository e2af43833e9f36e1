package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// Sizes of the construction. They are part of the contract between control plane and nodes.
const (
	Buckets        = 4096 // per lane
	Groups         = 64   // per lane
	BucketsInGroup = Buckets / Groups
)

// Key is an entry's place: its first 12 bits name the bucket, the whole of it the order in there.
type Key [32]byte

// KeyOf returns the key of an entry, SHA-256(kind + "/" + id). API keys don't use it: their digest
// is their key, so that a look-up and its bucket are one. A kind holds no slash.
func KeyOf(kind, id string) Key {
	var buf [96]byte
	text := append(buf[:0], kind...)
	text = append(text, '/')
	return sha256.Sum256(append(text, id...))
}

// Bucket returns the number of the key's bucket, below Buckets.
func (k Key) Bucket() uint16 { return uint16(k[0])<<4 | uint16(k[1])>>4 }

// Compare orders keys as their bytes do.
func (k Key) Compare(other Key) int { return bytes.Compare(k[:], other[:]) }

// String returns the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Hash stands for an entry's bytes.
type Hash [16]byte

// HashOf returns the hash of an entry's bytes as they are stored and sent, never as marshalled
// again: the first 16 bytes of SHA-256.
func HashOf(stored []byte) Hash {
	sum := sha256.Sum256(stored)
	return Hash(sum[:16])
}

// Sum covers a bucket, a group or, as the head, a whole lane.
type Sum [32]byte

// IsZero tells whether this is the sum of an empty bucket. A head is never zero.
func (s Sum) IsZero() bool { return s == Sum{} }

// String returns the sum in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// BucketSum returns the sum of a bucket: SHA-256 over its entries' hashes in the order of their
// keys, and the zero Sum when there are none. It doesn't allocate.
func BucketSum(hashes []Hash) Sum {
	return BucketSumOf(hashes, func(h *Hash) Hash { return *h })
}

// BucketSumOf is BucketSum for entries that hold their hash among other things.
func BucketSumOf[E any](entries []E, hash func(*E) Hash) Sum {
	if len(entries) == 0 {
		return Sum{}
	}
	h := sha256.New()
	for i := range entries {
		entry := hash(&entries[i])
		h.Write(entry[:])
	}
	var sum Sum
	h.Sum(sum[:0])
	return sum
}

// sumOfSums is one step of the two upper levels: SHA-256 over 64 sums, empty ones included.
func sumOfSums(sums *[64]Sum) Sum {
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	var sum Sum
	h.Sum(sum[:0])
	return sum
}

// emptyGroup is the sum of a group without entries.
var emptyGroup = sumOfSums(new([64]Sum))
