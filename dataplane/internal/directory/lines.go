package directory

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

// line is an entry of a bucket while it is changed: all kinds in one order, as the digest wants them.
type line struct {
	hash digest.Hash
	kind kind
	odd  *record // of neither a consumer nor an API key

	number uint32 // of the consumer that it is, or whom the API key names
	plain  bool   // the consumer gives the hash

	id         id.ID // what follows: of an API key
	rest       [restSize]byte
	tag        uint16
	attributes uint32
	expires    int64
}

// lines is a bucket on the writer's desk, and memory that serves for one after the other.
type lines struct {
	all  []line
	tape []byte
}

// open lays out a bucket's entries in the order of their keys; b may be nil.
func (l *lines) open(b *bucket, of *people) {
	l.all = l.all[:0]
	if b == nil {
		return
	}
	l.tape = append(append(append(l.tape[:0], b.records[len(b.records):cap(b.records)]...), b.tape[0]...), b.tape[1]...)
	const hashSize = len(digest.Hash{})
	place := 0
	keysTo := func(end int) {
		for ; place < end; place++ {
			l.all = append(l.all, b.line(place, l.tape[place*hashSize:]))
		}
	}
	rest := l.tape[len(b.tags)*hashSize:]
	var told [maxPlain]byte
	for range b.others {
		keysTo(int(binary.LittleEndian.Uint16(rest[beforeAt:])))
		o := line{kind: kind(rest[kindAt] &^ plainBit), number: number(rest[:numberSize]), plain: rest[kindAt]&plainBit != 0}
		rest = rest[otherSize:]
		if o.plain {
			o.hash = digest.HashOf(of.at(o.number).appendPlain(told[:0]))
		} else {
			o.hash, rest = digest.Hash(rest), rest[hashSize:]
		}
		if o.kind != kindConsumer {
			o.odd = &b.odd[o.number]
		}
		l.all = append(l.all, o)
	}
	keysTo(len(b.tags))
}

func (b *bucket) line(place int, hash []byte) line {
	r := b.record(place)
	return line{
		hash: digest.Hash(hash), kind: kindKey, tag: b.tags[place], rest: [restSize]byte(r), id: id.ID(r[idAt:]),
		number: holderOf(r), attributes: number(r[attributesAt:]), expires: b.expires(place),
	}
}

// keyOf returns the key of a bucket's line.
func (p *people) keyOf(l *line, at uint16) digest.Key {
	switch l.kind {
	case kindConsumer:
		return consumerKey(p.at(l.number).ID)
	case kindKey:
		return l.key(at)
	case kindSecret, kindPepper, kindBlock, kindFleet, kindTicketKeys, kindPassword, kindIdentityKeys, kindKeySet:
	}
	return l.odd.key
}

// key puts together what a bucket, a tag and a record tell of an API key's digest.
func (l *line) key(at uint16) (key digest.Key) {
	binary.BigEndian.PutUint16(key[:], at<<4|l.tag>>12)
	key[2] = byte(l.tag >> 4)
	copy(key[restFrom:], l.rest[:])
	return key
}

func consumerKey(of id.ID) digest.Key { return digest.KeyOf("consumers", id.Text(id.Consumer, of)) }

// bucket makes a bucket. Without lines there is none: nil.
func (l *lines) bucket() *bucket {
	if len(l.all) == 0 {
		return nil
	}
	b := &bucket{}
	l.measure(b)
	l.tape = l.tape[:0]
	for i := range l.all {
		if l.all[i].kind == kindKey {
			b.add(&l.all[i])
			l.tape = append(l.tape, l.all[i].hash[:]...)
		}
	}
	before := 0
	for i := range l.all {
		if l.all[i].kind == kindKey {
			before++
		} else {
			l.other(b, &l.all[i], before)
		}
	}
	b.keep(l.tape)
	return b
}

// measure makes the memory that a bucket's API keys need, and counts the rest.
func (l *lines) measure(b *bucket) {
	var keys, odd, ends int
	var highest uint32
	for i := range l.all {
		switch l.all[i].kind {
		case kindKey:
			keys++
			highest = max(highest, l.all[i].attributes)
			if l.all[i].expires != 0 {
				ends++
			}
		case kindConsumer:
		case kindSecret, kindPepper, kindBlock, kindFleet, kindTicketKeys, kindPassword, kindIdentityKeys, kindKeySet:
			odd++
		}
	}
	b.stride = uint8(attributesAt)
	for ; highest > 0; highest >>= 8 {
		b.stride++
	}
	b.ending = ends > 0
	b.others = uint16(len(l.all) - keys)
	b.tags = slices.Grow(b.tags, keys)
	b.records = slices.Grow(b.records, keys*int(b.stride))
	b.odd = slices.Grow(b.odd, odd)
	b.ends = slices.Grow(b.ends, ends)
}

// add adds an API key.
func (b *bucket) add(l *line) {
	if l.expires != 0 {
		b.ends = append(b.ends, ending{place: uint32(len(b.tags)), ms: l.expires})
	}
	b.tags = append(b.tags, l.tag)
	b.records = append(append(b.records, l.rest[:]...), l.id[:]...)
	at := len(b.records)
	b.records = b.records[:at+int(b.stride)-holderAt]
	putNumber(b.records[at:][:numberSize], l.number)
	putNumber(b.records[at+numberSize:], l.attributes)
}

// other adds an entry of another kind.
func (l *lines) other(b *bucket, o *line, before int) {
	var told [otherSize]byte
	ref := o.number
	if o.odd != nil {
		ref = uint32(len(b.odd))
		b.odd = append(b.odd, *o.odd)
	}
	putNumber(told[:numberSize], ref)
	binary.LittleEndian.PutUint16(told[beforeAt:], uint16(before))
	told[kindAt] = byte(o.kind)
	if o.plain {
		told[kindAt] |= plainBit
	}
	if l.tape = append(l.tape, told[:]...); !o.plain {
		l.tape = append(l.tape, o.hash[:]...)
	}
}

// keep keeps the tape: what of it has no place behind the records goes into two pieces, of which the first is of a size that the
// allocator adds nothing to, so that what it adds to the other is little.
func (b *bucket) keep(tape []byte) {
	behind := b.records[len(b.records):cap(b.records)]
	tape = tape[copy(behind, tape):]
	whole := 0
	if len(tape) > 0 {
		whole = 1 << (bits.Len(uint(len(tape))) - 1)
	}
	b.tape[0], b.tape[1] = slices.Clip(slices.Clone(tape[:whole])), slices.Clone(tape[whole:])
}

// sum returns the sum of the bucket.
func (l *lines) sum() digest.Sum {
	return digest.BucketSumOf(l.all, func(l *line) digest.Hash { return l.hash })
}
