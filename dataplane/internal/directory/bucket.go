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
)

// record is one entry, without a pointer: 80 bytes. Only API keys use what follows id.
type record struct {
	key      digest.Key
	id       id.ID // of the key, consumer or secret; of a pepper its version, big-endian
	consumer id.ID
	expires  int64
	scopes   uint32 // index of the interned set
	tail     uint32 // index of the interned addresses, and the kind in the lowest byte
}

// maxAddressSets is how many sets of addresses a record can tell apart.
const maxAddressSets = 1 << 24

func (r *record) kind() kind        { return kind(r.tail) }
func (r *record) addresses() uint32 { return r.tail >> 8 }

// slots is the number of ranges that a bucket's index divides its keys into: a key's 10 bits behind
// the 12 that name its bucket. At a million keys a slot holds a quarter of a record, at ten million
// two and a half.
const slots = 1024

// maxRecords is how many records an index of 16 bits reaches.
const maxRecords = 1<<16 - 1

// bucket is an immutable table of all entries whose keys share their first 12 bits.
type bucket struct {
	records []record // by key
	hashes  []digest.Hash
	// index holds where the records of each slot begin, and where the last one's end. It lies inline
	// so that a look-up needs one load less; a miss mostly ends here.
	index [slots + 1]uint16
}

// newBucket takes over records, which are in the order of their keys, and their hashes. Without
// records there is no bucket: nil.
func newBucket(records []record, hashes []digest.Hash) *bucket {
	if len(records) == 0 {
		return nil
	}
	b := &bucket{records: records, hashes: hashes}
	next := 0
	for i := range records {
		for slot := slotOf(&records[i].key); next <= slot; next++ {
			b.index[next] = uint16(i)
		}
	}
	for ; next <= slots; next++ {
		b.index[next] = uint16(len(records))
	}
	return b
}

func slotOf(key *digest.Key) int { return int(key[1]&15)<<6 | int(key[2]>>2) }

// find returns the record with the key, nil if there is none.
func (b *bucket) find(key *digest.Key) *record {
	slot := slotOf(key)
	for i := int(b.index[slot]); i < int(b.index[slot+1]); i++ {
		if r := &b.records[i]; r.key == *key {
			return r
		}
	}
	return nil
}

// content returns a bucket's records and hashes; b may be nil.
func (b *bucket) content() ([]record, []digest.Hash) {
	if b == nil {
		return nil, nil
	}
	return b.records, b.hashes
}
