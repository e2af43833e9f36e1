package directory

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/proto/id"
)

// blocks is who is let in no more. The value is immutable, its tables change by bucket; a directory without blocks has
// none, so that asking costs a look at a nil pointer.
//
// A range lies in the table of its length, by its first address: an address is looked up once per length in use, which are
// few, and a block changes one bucket, however many there are.
type blocks struct {
	consumers, keys  *targets       // nil: none
	tokens, subjects *targets       // nil: none
	v4, v6           []rangeTargets // by length
}

// targets are the blocks of one sort of target, by target. Several may name the same, each with an expiry of its own.
type targets struct {
	table[[]term]
	n int // targets, as of the blocks that hold it; the writer's
}

// term is for how long a block names its target.
type term struct {
	block id.ID
	until int64 // milliseconds since 1970; 0: for ever

	issued *issued // of a token or subject: what it names
}

// holds tells whether the term is still on. A block ends at its own time, whether or not anybody has taken it out by then.
func (t *term) holds(now int64) bool { return t.until == 0 || now < t.until }

// rangeTargets are the blocks of ranges of one length.
type rangeTargets struct {
	bits      int
	high, low uint64 // mask; of IPv4 the lower 32 bits of low
	*targets
}

// target is what a block is about, in the form in which a record keeps it.
type target struct {
	sort targetSort
	bits uint8 // of a range
	key  id.ID // of a range its first address, IPv4 in the last four bytes; of a token or subject where it lies
}

type targetSort uint8

const (
	targetConsumer targetSort = iota + 1
	targetKey
	targetIPv4
	targetIPv6
	targetToken
	targetSubject
)

const (
	bitsOfIPv4  = 32
	bitsOfWord  = 64
	bytesOfWord = bitsOfWord / 8
)

// rangeTarget is the target of a block of client addresses.
func rangeTarget(r netip.Prefix) target {
	r = plainRange(r)
	t := target{bits: uint8(r.Bits())}
	if r.Addr().Is4() {
		four := r.Addr().As4()
		t.sort = targetIPv4
		copy(t.key[len(t.key)-len(four):], four[:])
		return t
	}
	t.sort, t.key = targetIPv6, r.Addr().As16()
	return t
}

// consumer tells whether a consumer is blocked.
func (b *blocks) consumer(consumer id.ID, now int64) bool { return b.consumers.holds(consumer, now) }

// credential tells whether an API key is blocked.
func (b *blocks) credential(key id.ID, now int64) bool { return b.keys.holds(key, now) }

// address tells whether a client's address is blocked. IPv4 addresses mapped into IPv6 count as IPv4, zones are ignored.
func (b *blocks) address(address netip.Addr, now int64) bool {
	if address = address.Unmap(); address.Is4() {
		four := address.As4()
		return holds(b.v4, 0, uint64(binary.BigEndian.Uint32(four[:])), now)
	}
	sixteen := address.As16()
	return holds(b.v6, binary.BigEndian.Uint64(sixteen[:8]), binary.BigEndian.Uint64(sixteen[8:]), now)
}

func holds(lengths []rangeTargets, high, low uint64, now int64) bool {
	for i := range lengths {
		l := &lengths[i]
		var first id.ID
		binary.BigEndian.PutUint64(first[:8], high&l.high)
		binary.BigEndian.PutUint64(first[8:], low&l.low)
		if l.holds(first, now) {
			return true
		}
	}
	return false
}

// holds tells whether a block of a target is in force.
func (m *targets) holds(key id.ID, now int64) bool {
	if m == nil {
		return false
	}
	found, _ := m.get(key)
	for i := range found {
		if found[i].holds(now) {
			return true
		}
	}
	return false
}

// of returns the blocks of one sort of target; nil: none. b may be nil.
func (b *blocks) of(sort targetSort, bits uint8) *targets {
	if b == nil {
		return nil
	}
	switch sort {
	case targetConsumer:
		return b.consumers
	case targetKey:
		return b.keys
	case targetIPv4:
		return ofLength(b.v4, bits)
	case targetIPv6:
		return ofLength(b.v6, bits)
	case targetToken:
		return b.tokens
	case targetSubject:
		return b.subjects
	}
	return nil
}

func ofLength(lengths []rangeTargets, bits uint8) *targets {
	for _, l := range lengths {
		if l.bits == int(bits) {
			return l.targets
		}
	}
	return nil
}

// with returns blocks in which those of one sort of target are others; nil takes them out.
func (b blocks) with(sort targetSort, bits uint8, m *targets) blocks {
	switch sort {
	case targetConsumer:
		b.consumers = m
	case targetKey:
		b.keys = m
	case targetIPv4:
		b.v4 = withLength(b.v4, bits, m, maskOfIPv4)
	case targetIPv6:
		b.v6 = withLength(b.v6, bits, m, maskOfIPv6)
	case targetToken:
		b.tokens = m
	case targetSubject:
		b.subjects = m
	}
	return b
}

func withLength(lengths []rangeTargets, bits uint8, m *targets, mask func(int) (high, low uint64)) []rangeTargets {
	others := make([]rangeTargets, 0, len(lengths)+1)
	for _, l := range lengths {
		if l.bits != int(bits) {
			others = append(others, l)
		}
	}
	if m == nil {
		return others
	}
	high, low := mask(int(bits))
	others = append(others, rangeTargets{bits: int(bits), high: high, low: low, targets: m})
	slices.SortFunc(others, func(a, b rangeTargets) int { return a.bits - b.bits })
	return others
}

func maskOfIPv4(bits int) (high, low uint64) {
	return 0, uint64(^uint32(0) << (bitsOfIPv4 - bits))
}

func maskOfIPv6(bits int) (high, low uint64) {
	if bits <= bitsOfWord {
		return ^uint64(0) << (bitsOfWord - bits), 0
	}
	return ^uint64(0), ^uint64(0) << (2*bitsOfWord - bits)
}

// orNil returns nil for blocks of nobody, which readers find out at once.
func (b blocks) orNil() *blocks {
	if b.consumers == nil && b.keys == nil && b.tokens == nil && b.subjects == nil && len(b.v4) == 0 && len(b.v6) == 0 {
		return nil
	}
	return &b
}
