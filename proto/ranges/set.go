package ranges

import (
	"cmp"
	"net/netip"
	"slices"
)

// Set is an immutable set of addresses. The zero value is empty.
type Set struct {
	prefixes []netip.Prefix
	spans    []span // sorted, apart from each other
}

type span struct{ first, last netip.Addr }

// NewSet returns the set of all addresses in the prefixes.
func NewSet(prefixes []netip.Prefix) Set {
	set := Set{prefixes: slices.Clone(prefixes)}
	spans := make([]span, len(prefixes))
	for i, p := range prefixes {
		spans[i] = span{first: p.Masked().Addr(), last: lastOf(p)}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.first.Compare(b.first), b.last.Compare(a.last)) })
	for _, s := range spans {
		// Prefixes contain one another or are apart: one that begins inside the span before it ends there too.
		if n := len(set.spans); n == 0 || set.spans[n-1].last.Less(s.first) {
			set.spans = append(set.spans, s)
		}
	}
	return set
}

// Contains tells whether an address is in the set: without its zone, and as the IPv4 address that may be mapped into it. It doesn't allocate.
func (s Set) Contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	at, exact := slices.BinarySearchFunc(s.spans, a, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	return exact || at > 0 && !s.spans[at-1].last.Less(a)
}

// Empty tells whether nothing is in the set.
func (s Set) Empty() bool { return len(s.spans) == 0 }

// Prefixes returns what the set was made of. The slice must not be changed.
func (s Set) Prefixes() []netip.Prefix { return s.prefixes }

func lastOf(p netip.Prefix) netip.Addr {
	p = p.Masked()
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes) // of the length that a netip.Addr gave
	return last
}
