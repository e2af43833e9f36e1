package snapshot

import (
	"cmp"
	"net/netip"
	"slices"
)

// Ranges is an immutable set of addresses. The zero value is empty.
type Ranges struct {
	prefixes []netip.Prefix
	spans    []span // sorted, apart from each other
}

type span struct{ first, last netip.Addr }

// NewRanges returns the set of all addresses in the prefixes.
func NewRanges(prefixes []netip.Prefix) Ranges {
	r := Ranges{prefixes: slices.Clone(prefixes)}
	spans := make([]span, len(prefixes))
	for i, p := range prefixes {
		spans[i] = span{first: p.Masked().Addr(), last: lastOf(p)}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.first.Compare(b.first), b.last.Compare(a.last)) })
	for _, s := range spans {
		// Prefixes contain one another or are apart: one that begins inside the span before it ends there too.
		if n := len(r.spans); n == 0 || r.spans[n-1].last.Less(s.first) {
			r.spans = append(r.spans, s)
		}
	}
	return r
}

// Contains tells whether an address, unmapped and without zone, is in the set. It doesn't allocate.
func (r Ranges) Contains(a netip.Addr) bool {
	at, exact := slices.BinarySearchFunc(r.spans, a, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	if exact {
		return true
	}
	return at > 0 && !r.spans[at-1].last.Less(a)
}

// Prefixes returns what the set was made of. The slice must not be changed.
func (r Ranges) Prefixes() []netip.Prefix { return r.prefixes }

func lastOf(p netip.Prefix) netip.Addr {
	p = p.Masked()
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes) // of the length that a netip.Addr gave
	return last
}
