package directory

import (
	"encoding/binary"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

// line is an entry of a bucket while it is changed: all kinds in one order, as the digest wants them.
type line struct {
	hash   digest.Hash
	kind   kind
	number uint32  // of a consumer
	odd    *record // of neither a consumer nor an API key
	tag    uint16  // what follows: of an API key
	record keyRecord
	ends   int64
}

// lines returns a bucket's entries in the order of their keys; b may be nil. It appends to dst.
func (b *bucket) lines(dst []line) []line {
	if b == nil {
		return dst
	}
	place := 0
	keysTo := func(end int) {
		for ; place < end; place++ {
			dst = append(dst, line{
				hash: b.hashes[place], kind: kindKey, tag: b.tags[place], record: b.keys[place], ends: b.expires(place),
			})
		}
	}
	for i := range b.others {
		o := &b.others[i]
		keysTo(int(o.before))
		l := line{hash: o.hash, kind: o.kind}
		if o.kind == kindConsumer {
			l.number = o.ref
		} else {
			l.odd = &b.odd[o.ref]
		}
		dst = append(dst, l)
	}
	keysTo(len(b.keys))
	return dst
}

// keyOf returns the key of a line of a bucket.
func (p *people) keyOf(l *line, at uint16) digest.Key {
	switch l.kind {
	case kindConsumer:
		return consumerKey(p.at(l.number).ID)
	case kindKey:
		return l.record.key(at, l.tag)
	case kindSecret, kindPepper, kindBlock, kindFleet:
	}
	return l.odd.key
}

// key puts together what a bucket, a tag and a record tell of a digest.
func (r *keyRecord) key(at, tag uint16) (key digest.Key) {
	binary.BigEndian.PutUint16(key[:], at<<4|tag>>12)
	key[2] = byte(tag >> 4)
	copy(key[restFrom:], r.rest[:])
	return key
}

func consumerKey(of id.ID) digest.Key { return digest.KeyOf("consumers", id.Text(id.Consumer, of)) }

// newBucket makes a bucket of lines that are in the order of their keys. Without any there is none: nil.
func newBucket(lines []line) *bucket {
	if len(lines) == 0 {
		return nil
	}
	var keys, odd, ends int
	for i := range lines {
		switch lines[i].kind {
		case kindKey:
			keys++
			if lines[i].ends != 0 {
				ends++
			}
		case kindConsumer:
		case kindSecret, kindPepper, kindBlock, kindFleet:
			odd++
		}
	}
	b := &bucket{}
	if keys > 0 {
		b.tags, b.keys, b.hashes = make([]uint16, 0, keys), make([]keyRecord, 0, keys), make([]digest.Hash, 0, keys)
	}
	if len(lines) > keys {
		b.others = make([]other, 0, len(lines)-keys)
	}
	if odd > 0 {
		b.odd = make([]record, 0, odd)
	}
	if ends > 0 {
		b.ends = make([]ending, 0, ends)
	}
	for i := range lines {
		b.append(&lines[i])
	}
	return b
}

func (b *bucket) append(l *line) {
	if l.kind == kindKey {
		if l.ends != 0 {
			b.ends = append(b.ends, ending{place: uint32(len(b.keys)), ms: l.ends})
		}
		b.tags, b.keys, b.hashes = append(b.tags, l.tag), append(b.keys, l.record), append(b.hashes, l.hash)
		return
	}
	o := other{hash: l.hash, ref: l.number, before: uint16(len(b.keys)), kind: l.kind}
	if l.odd != nil {
		o.ref = uint32(len(b.odd))
		b.odd = append(b.odd, *l.odd)
	}
	b.others = append(b.others, o)
}

func sumOf(lines []line) digest.Sum {
	return digest.BucketSumOf(lines, func(l *line) digest.Hash { return l.hash })
}
