package directory

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"unicode/utf8"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

// Tags of the fields that a plain entry may have: number and wire type, one byte each.
const (
	tagEntryConsumer = 1<<3 | 2
	tagEntryKey      = 2<<3 | 2

	tagKeyDigest    = 1<<3 | 2
	tagKeyID        = 2<<3 | 2
	tagKeyConsumer  = 3<<3 | 2
	tagKeyScope     = 4<<3 | 2
	tagKeyExpires   = 5 << 3
	tagKeyAddress   = 6<<3 | 2
	tagKeyWatched   = 7 << 3
	tagKeyImported  = 8 << 3
	tagKeyRoute     = 9<<3 | 2
	tagConsumerID   = 1<<3 | 2
	tagConsumerName = 2<<3 | 2
	tagSuspended    = 5 << 3
)

// takePlain takes over an entry in the form that the control plane gives nearly all of them: an API key, or a consumer without
// labels and metadata, each field at most once and in the order of their numbers. It makes no messages, which is most of what reading a
// million entries costs otherwise. What it doesn't take is neither good nor bad: takeAny tells. What it takes, takeAny takes for the same.
func (f *fact) takePlain(stored []byte) (digest.Key, bool) {
	entry := fields{stored}
	body, isKey := entry.bytes(tagEntryKey)
	if isKey && len(entry.rest) == 0 {
		return f.takePlainKey(fields{body})
	}
	body, isConsumer := entry.bytes(tagEntryConsumer)
	if !isKey && isConsumer && len(entry.rest) == 0 {
		return f.takePlainConsumer(fields{body})
	}
	return digest.Key{}, false
}

func (f *fact) takePlainKey(k fields) (digest.Key, bool) {
	sum, _ := k.bytes(tagKeyDigest)
	own, _ := k.bytes(tagKeyID)
	holder, _ := k.bytes(tagKeyConsumer)
	for scope, more := k.bytes(tagKeyScope); more; scope, more = k.bytes(tagKeyScope) {
		if !utf8.Valid(scope) {
			return digest.Key{}, false
		}
		f.scopes = contentOf(f.scopes, scope)
	}
	expires := k.varint(tagKeyExpires)
	for address, more := k.bytes(tagKeyAddress); more; address, more = k.bytes(tagKeyAddress) {
		r, err := netip.ParsePrefix(string(address))
		if err != nil {
			return digest.Key{}, false
		}
		f.ranges, f.addresses = append(f.ranges, r), contentOf(f.addresses, address)
	}
	f.marks = marksOf(k.varint(tagKeyWatched) != 0, k.varint(tagKeyImported) != 0)
	for route, more := k.bytes(tagKeyRoute); more; route, more = k.bytes(tagKeyRoute) {
		if len(route) != len(id.ID{}) {
			return digest.Key{}, false
		}
		f.routes = append(f.routes, route...)
	}
	if len(k.rest) > 0 || len(sum) != len(f.key) || len(own) != len(f.id) || len(holder) != len(f.holder) || int64(expires) < 0 {
		return digest.Key{}, false
	}
	f.kind, f.id, f.holder, f.expires = kindKey, id.ID(own), id.ID(holder), int64(expires)
	return digest.Key(sum), true
}

func (f *fact) takePlainConsumer(c fields) (digest.Key, bool) {
	own, _ := c.bytes(tagConsumerID)
	name, _ := c.bytes(tagConsumerName)
	suspended := c.varint(tagSuspended)
	if len(c.rest) > 0 || len(own) != len(f.id) || !utf8.Valid(name) {
		return digest.Key{}, false
	}
	f.kind, f.id = kindConsumer, id.ID(own)
	f.consumer = Consumer{ID: f.id, Name: string(name)}
	if suspended != 0 {
		f.consumer.about = &about{suspended: true}
	}
	return consumerKey(f.id), true
}

// maxPlain is room for most consumers' entries.
const maxPlain = 256

// appendPlain appends the entry of a consumer without labels and metadata, in the form that the control plane gives it.
func (c *Consumer) appendPlain(dst []byte) []byte {
	size := 2 + len(c.ID)
	if c.Name != "" {
		size += 1 + sizeOfVarint(len(c.Name)) + len(c.Name)
	}
	if c.Suspended() {
		size += 2
	}
	dst = binary.AppendUvarint(append(dst, tagEntryConsumer), uint64(size))
	dst = append(append(dst, tagConsumerID, byte(len(c.ID))), c.ID[:]...)
	if c.Name != "" {
		dst = append(binary.AppendUvarint(append(dst, tagConsumerName), uint64(len(c.Name))), c.Name...)
	}
	if c.Suspended() {
		dst = append(dst, tagSuspended, 1)
	}
	return dst
}

func sizeOfVarint(n int) int { return max((bits.Len(uint(n))+6)/7, 1) }

// fields is what is left to read of a message.
type fields struct{ rest []byte }

// bytes returns the next field's bytes, if it is the one with the tag. One that ends early isn't read, and stays.
func (m *fields) bytes(tag byte) ([]byte, bool) {
	length, n, found := m.peek(tag)
	if !found || length > uint64(len(m.rest)-n) {
		return nil, false
	}
	value := m.rest[n:][:length]
	m.rest = m.rest[n+int(length):]
	return value, true
}

// varint returns the next field's number, if it is the one with the tag; else 0.
func (m *fields) varint(tag byte) uint64 {
	value, n, found := m.peek(tag)
	if !found {
		return 0
	}
	m.rest = m.rest[n:]
	return value
}

// peek returns the number behind a tag, and where it ends.
func (m *fields) peek(tag byte) (value uint64, end int, found bool) {
	if len(m.rest) == 0 || m.rest[0] != tag {
		return 0, 0, false
	}
	value, n := binary.Uvarint(m.rest[1:])
	return value, 1 + n, n > 0
}
