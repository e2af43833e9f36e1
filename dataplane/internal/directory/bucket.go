package directory

import (
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
)

// record is one entry, without a pointer: 80 bytes. API keys use what follows id, and blocks: a target's key lies in consumer,
// its sort and bits in scopes.
type record struct {
	key      digest.Key
	id       id.ID // of the key, consumer, secret or block; of a pepper its version, big-endian
	consumer id.ID
	expires  int64
	scopes   uint32 // index of the interned set
	tail     uint32 // index of the interned addresses, and the kind in the lowest byte
}

// maxAddressSets is how many sets of addresses a record can tell apart.
const maxAddressSets = 1 << 24

func (r *record) kind() kind { return kind(r.tail) }

// target returns what a block's record is about.
func (r *record) target() target {
	return target{sort: targetSort(r.scopes >> 8), bits: uint8(r.scopes), key: r.consumer}
}

func (r *record) addresses() uint32 { return r.tail >> 8 }

// maxRecords bounds a bucket: find's product of a tag and their number is one of 32 bits.
const maxRecords = 1<<16 - 1

// bucket is an immutable table of all entries whose keys share their first 12 bits.
type bucket struct {
	// tags hold of each record's key the 16 bits behind the 12 that name its bucket. They are what a search walks over: at
	// 100,000 keys a bucket's fill one cache line, and all buckets' together stay in the processor's caches, as the
	// records don't. A miss mostly ends here.
	tags    []uint16
	records []record // by key
	hashes  []digest.Hash
}

// newBucket takes over records, which are in the order of their keys, and their hashes. Without
// records there is no bucket: nil.
func newBucket(records []record, hashes []digest.Hash) *bucket {
	if len(records) == 0 {
		return nil
	}
	b := &bucket{tags: make([]uint16, len(records)), records: records, hashes: hashes}
	for i := range records {
		b.tags[i] = tagOf(&records[i].key)
	}
	return b
}

func tagOf(key *digest.Key) uint16 {
	return uint16(key[1]&15)<<12 | uint16(key[2])<<4 | uint16(key[3])>>4
}

// find returns the record with the key, nil if there is none.
func (b *bucket) find(key *digest.Key) *record {
	tag := tagOf(key)
	for i := b.first(tag); i < len(b.tags) && b.tags[i] == tag; i++ {
		if r := &b.records[i]; r.key == *key {
			return r
		}
	}
	return nil
}

// near is how many tags around the place where one should be are looked at first: of a bucket of 25, as 100,000 keys make
// it, it is among them nine times out of ten.
const near = 8

// first returns the place of the first tag that isn't below this one. Keys are digests and lie evenly, so that the tag is
// near where it would be if they did perfectly. There the smaller ones are counted, without a branch that the processor
// could mistake; if the place isn't there after all, it isn't far.
func (b *bucket) first(tag uint16) int {
	from := max(int(uint32(tag)*uint32(len(b.tags))>>16)-near/2, 0)
	i := from
	for _, t := range b.tags[from:min(from+near, len(b.tags))] {
		if t < tag {
			i++
		}
	}
	for i == from && i > 0 && b.tags[i-1] >= tag {
		i, from = i-1, from-1
	}
	for i < len(b.tags) && b.tags[i] < tag {
		i++
	}
	return i
}

// content returns a bucket's records and hashes; b may be nil.
func (b *bucket) content() ([]record, []digest.Hash) {
	if b == nil {
		return nil, nil
	}
	return b.records, b.hashes
}
