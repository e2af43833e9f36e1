package directory

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/proto/id"
)

// ScopeSet is what a credential may be used for: an immutable set, shared by all keys with the same
// scopes. The zero value is empty. Sets of one Directory's state are equal when == says so.
type ScopeSet struct{ set *scopes }

type scopes struct{ sorted []string }

// linearScopes is up to how many scopes a walk is quicker than a binary search.
const linearScopes = 8

// Has tells whether scope is in the set. It doesn't allocate.
func (s ScopeSet) Has(scope string) bool {
	switch {
	case s.set == nil:
		return false
	case len(s.set.sorted) <= linearScopes:
		return slices.Contains(s.set.sorted, scope)
	default:
		_, found := slices.BinarySearch(s.set.sorted, scope)
		return found
	}
}

// Len returns the number of scopes.
func (s ScopeSet) Len() int {
	if s.set == nil {
		return 0
	}
	return len(s.set.sorted)
}

// All returns the scopes, sorted. The slice is the set's own and must not be changed.
func (s ScopeSet) All() []string {
	if s.set == nil {
		return nil
	}
	return s.set.sorted
}

// NewScopeSet returns the set of the scopes given, for tests and for identities that don't come
// from a directory. It shares nothing with the caller's slice.
func NewScopeSet(names ...string) ScopeSet {
	if len(names) == 0 {
		return ScopeSet{}
	}
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return ScopeSet{set: &scopes{sorted: slices.Compact(sorted)}}
}

// AddressSet is the address ranges that a key is pinned to: an immutable set, shared by all keys
// with the same ranges. The zero value is empty, which for a key means that it isn't pinned: ask
// Allows, not Contains, whether a key may be used.
type AddressSet struct{ set *addresses }

type addresses struct{ ranges []netip.Prefix }

// Empty tells whether no range is in the set.
func (s AddressSet) Empty() bool { return s.set == nil }

// Contains tells whether one of the ranges holds the address; an empty set holds none. IPv4
// addresses mapped into IPv6 count as IPv4, zones are ignored. It doesn't allocate.
func (s AddressSet) Contains(address netip.Addr) bool {
	if s.set == nil {
		return false
	}
	address = address.Unmap().WithZone("")
	for _, r := range s.set.ranges {
		if r.Contains(address) {
			return true
		}
	}
	return false
}

// Allows tells whether a key pinned to this set may be used from the address: the set is empty, or
// contains it.
func (s AddressSet) Allows(address netip.Addr) bool { return s.set == nil || s.Contains(address) }

// All returns the ranges, sorted. The slice is the set's own and must not be changed.
func (s AddressSet) All() []netip.Prefix {
	if s.set == nil {
		return nil
	}
	return s.set.ranges
}

// NewAddressSet returns the set of the ranges given, for tests. Ranges are masked; one of IPv4
// addresses mapped into IPv6 becomes the IPv4 range.
func NewAddressSet(ranges ...netip.Prefix) AddressSet {
	if len(ranges) == 0 {
		return AddressSet{}
	}
	sorted := make([]netip.Prefix, len(ranges))
	for i, r := range ranges {
		sorted[i] = plainRange(r)
	}
	slices.SortFunc(sorted, netip.Prefix.Compare)
	return AddressSet{set: &addresses{ranges: slices.Compact(sorted)}}
}

// plainRange masks a range and takes the IPv4 out of a mapped one, since addresses are compared
// unmapped.
func plainRange(r netip.Prefix) netip.Prefix {
	if mapped := 96; r.Addr().Is4In6() && r.Bits() >= mapped {
		r = netip.PrefixFrom(r.Addr().Unmap(), r.Bits()-mapped)
	}
	return r.Masked()
}

// RouteSet is what an API key may be used for: routes, and services all of whose routes. It is an immutable set, shared by all keys with
// the same. The zero value is empty, which for a key means that it isn't bound to any: ask Allows, not Contains, whether it may be used.
type RouteSet struct{ set *routes }

type routes struct{ sorted []id.ID }

// linearRoutes is up to how many ids a walk is quicker than a binary search.
const linearRoutes = 8

// Empty tells whether nothing is in the set.
func (s RouteSet) Empty() bool { return s.set == nil }

// Contains tells whether a route or a service is in the set. It doesn't allocate.
func (s RouteSet) Contains(routeOrService id.ID) bool {
	switch {
	case s.set == nil:
		return false
	case len(s.set.sorted) <= linearRoutes:
		return slices.Contains(s.set.sorted, routeOrService)
	default:
		_, found := slices.BinarySearchFunc(s.set.sorted, routeOrService, compareIDs)
		return found
	}
}

// Allows tells whether a key bound to this set may be used for a route of a service: the set is empty, or contains either.
func (s RouteSet) Allows(route, service id.ID) bool {
	return s.set == nil || s.Contains(route) || s.Contains(service)
}

// NewRouteSet returns the set of the ids given. It shares nothing with the caller's slice.
func NewRouteSet(ids ...id.ID) RouteSet {
	if len(ids) == 0 {
		return RouteSet{}
	}
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, compareIDs)
	return RouteSet{set: &routes{sorted: slices.Compact(sorted)}}
}

func compareIDs(a, b id.ID) int { return bytes.Compare(a[:], b[:]) }

// idsOf returns the ids that a content consists of, one behind the other.
func idsOf(content []byte) []id.ID {
	ids := make([]id.ID, 0, len(content)/len(id.ID{}))
	for rest := content; len(rest) >= len(id.ID{}); rest = rest[len(id.ID{}):] {
		ids = append(ids, id.ID(rest))
	}
	return ids
}
