package directory

import (
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
)

// keyRecord is an API key, without a pointer: 51 bytes. What its bucket and its tag tell of its digest isn't repeated.
type keyRecord struct {
	rest       [restSize]byte // of the digest
	id         id.ID
	holder     packed // number of the consumer
	attributes packed // index of what it has in common with others
}

// restFrom is the first byte of a key that its bucket and its tag don't tell as a whole.
const (
	restFrom = 3
	restSize = len(digest.Key{}) - restFrom
)

// packed is a number below 1<<24.
type packed [3]byte

func pack24(n uint32) packed { return packed{byte(n), byte(n >> 8), byte(n >> 16)} }

func (p *packed) number() uint32 { return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 }

// other is an entry that isn't an API key: 24 bytes. Its key isn't kept, since its id gives it.
type other struct {
	hash   digest.Hash
	ref    uint32 // of a consumer its number; of anything else where it is in the bucket's odd
	before uint16 // how many API keys are in front of it
	kind   kind
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
}

// target returns what a block's record is about.
func (r *record) target() target {
	return target{sort: targetSort(r.detail >> 8), bits: uint8(r.detail), key: r.consumer}
}

// maxRecords bounds a bucket: find's product of a tag and their number is one of 32 bits.
const maxRecords = 1<<16 - 1

// bucket is an immutable table of all entries whose keys share their first 12 bits. Its slices are as long as need be: what an entry
// takes is what a million of them take a million times.
type bucket struct {
	// tags hold of each API key the 16 bits behind the 12 that name its bucket. They are what a search walks over: at
	// 100,000 keys a bucket's fill one cache line, and all buckets' together stay in the processor's caches, as the
	// records don't. A miss mostly ends here.
	tags []uint16
	keys []keyRecord // by key
	ends []ending    // by place, of the keys that have one

	hashes []digest.Hash // of the keys
	others []other       // by key
	odd    []record
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
		if b.keys[i].rest == [restSize]byte(key[restFrom:]) {
			return i
		}
	}
	return -1
}

// expires returns when the API key at a place ends; 0: never.
func (b *bucket) expires(place int) int64 {
	if len(b.ends) == 0 {
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
