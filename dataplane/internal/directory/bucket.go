package directory

import (
	"encoding/binary"
	"slices"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

// kind is the sort of an entry.
type kind uint8

const (
	kindKey kind = iota
	kindConsumer
	kindSecret
	kindPepper
	kindBlock
	kindFleet
	kindTicketKeys
	kindPassword
	kindIdentityKeys
	kindKeySet
)

// An API key's record is the rest of its digest, its id, the number of its consumer and the index of what it has in common with other
// keys: 48 bytes, and as many more as the bucket's highest index takes. Of the digest, what the bucket and the tag tell isn't repeated.
const (
	restFrom = 3 // the first byte of a digest that bucket and tag don't tell as a whole
	restSize = len(digest.Key{}) - restFrom

	idAt         = restSize
	holderAt     = idAt + len(id.ID{})
	attributesAt = holderAt + numberSize

	numberSize = 3
)

// An entry that isn't an API key takes a number, how many API keys are in front of it, and its kind; then its hash, unless it is a plain
// consumer's, which gives it. A consumer's number is its own; of anything else it is the place in the bucket's odd. The entry's key isn't
// kept either, since that gives it.
const (
	beforeAt  = numberSize
	kindAt    = beforeAt + 2
	otherSize = kindAt + 1

	plainBit = 1 << 7 // beside the kind
)

// putNumber writes a number in as many bytes as there are, numberSize at most.
func putNumber(dst []byte, n uint32) {
	for i := range dst {
		dst[i] = byte(n >> (8 * i))
	}
}

func number(src []byte) (n uint32) {
	for i, b := range src {
		n |= uint32(b) << (8 * i)
	}
	return n
}

// record is a secret, pepper, block or fleet. A block's target is its consumer, scopes and expires; what it has of an API key is there
// only until a bucket is made of it.
type record struct {
	key      digest.Key
	id       id.ID // of a pepper its version, big-endian
	consumer id.ID // of a block the target's key
	expires  int64
	detail   uint32 // of a block the target's sort and bits; of an API key the index of its attributes; of a consumer its number
	kind     kind
	plain    bool // the consumer gives the hash
}

// target returns what a block's record is about.
func (r *record) target() target {
	return target{sort: targetSort(r.detail >> 8), bits: uint8(r.detail), key: r.consumer}
}

// maxRecords bounds a bucket: find's product of a tag and their number is one of 32 bits.
const maxRecords = 1<<16 - 1

// bucket is an immutable table of all entries whose keys share their first 12 bits. What an entry takes is what a million of them take a
// million times: slices are as long as need be, and what the allocator adds to one is filled with the beginning of the next.
type bucket struct {
	// tags hold of each API key the 16 bits behind the 12 that name its bucket. They are what a search walks over: at
	// 100,000 keys a bucket's fill one cache line, and all buckets' together stay in the processor's caches, as the
	// records don't. A miss mostly ends here.
	tags    []uint16
	records []byte // of the API keys, in the order of their keys; behind them, up to the capacity, the tape begins
	stride  uint8  // of records
	ending  bool   // whether any of them ends

	others uint16    // how many
	tape   [2][]byte // how it goes on: hashes of the API keys, then the others; both in the order of keys
	odd    []record
	ends   []ending // by place, of the API keys that have one
}

// ending is when an API key ends.
type ending struct {
	place uint32
	ms    int64
}

func tagOf(key *digest.Key) uint16 {
	return uint16(key[1]&15)<<12 | uint16(key[2])<<4 | uint16(key[3])>>4
}

// find returns the place of the API key, -1 if there is none.
func (b *bucket) find(key *digest.Key) int {
	tag := tagOf(key)
	for i := first(b.tags, tag); i < len(b.tags) && b.tags[i] == tag; i++ {
		if sameRest(b.record(i), key[restFrom:]) {
			return i
		}
	}
	return -1
}

// sameRest compares in words, of which the last two overlap.
func sameRest(a, b []byte) bool {
	const last = restSize - bytesOfWord
	_, _ = a[restSize-1], b[restSize-1]
	differ := binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b)
	differ |= binary.LittleEndian.Uint64(a[8:]) ^ binary.LittleEndian.Uint64(b[8:])
	differ |= binary.LittleEndian.Uint64(a[16:]) ^ binary.LittleEndian.Uint64(b[16:])
	differ |= binary.LittleEndian.Uint64(a[last:]) ^ binary.LittleEndian.Uint64(b[last:])
	return differ == 0
}

// holderOf returns the number in an API key's record: three of the four bytes that are read.
func holderOf(r []byte) uint32 { return binary.LittleEndian.Uint32(r[holderAt-1:]) >> 8 }

// record returns the record of the API key at a place.
func (b *bucket) record(place int) []byte {
	return b.records[place*int(b.stride):][:b.stride]
}

// expires returns when the API key at a place ends; 0: never.
func (b *bucket) expires(place int) int64 {
	if !b.ending {
		return 0
	}
	i, found := slices.BinarySearchFunc(b.ends, uint32(place), func(e ending, place uint32) int { return int(e.place) - int(place) })
	if !found {
		return 0
	}
	return b.ends[i].ms
}

// near is how many tags around the place where one should be are looked at first: of a bucket of 25, as 100,000 keys make
// it, it is among them nine times out of ten.
const near = 8

// first returns the place of the first tag that isn't below this one. Keys are digests and lie evenly, so that the tag is
// near where it would be if they did perfectly. There the smaller ones are counted, without a branch that the processor
// could mistake; if the place isn't there after all, it isn't far.
func first(tags []uint16, tag uint16) int {
	from := max(int(uint32(tag)*uint32(len(tags))>>16)-near/2, 0)
	i := from
	for _, t := range tags[from:min(from+near, len(tags))] {
		if t < tag {
			i++
		}
	}
	for i == from && i > 0 && tags[i-1] >= tag {
		i, from = i-1, from-1
	}
	for i < len(tags) && tags[i] < tag {
		i++
	}
	return i
}
