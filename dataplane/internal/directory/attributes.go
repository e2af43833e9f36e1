package directory

import (
	"encoding/binary"
	"fmt"
)

// attributes are what many API keys have in common: scopes, addresses, routes and marks. A key holds their index alone, and one that has
// none of them not even that.
type attributes struct {
	scopes    *scopes
	addresses *addresses
	routes    *routes
	marks     marks

	scopeTexts, addressTexts, routeTexts uint32 // what they were made of
}

// marks are what is either so or not of an API key.
type marks uint8

const (
	markWatched  marks = 1 << iota // nodes tell from where it is used
	markImported                   // another system made it
)

// maxAttributes is how many combinations a key's record can tell apart.
const maxAttributes = 1 << 24

// internAttributes returns the index of what a key has in common with others.
func (s *state) internAttributes(f *fact) (uint32, error) {
	if len(f.scopes) == 0 && len(f.addresses) == 0 && len(f.routes) == 0 && f.marks == 0 {
		return 0, nil
	}
	all := attributes{marks: f.marks}
	if len(f.scopes) > 0 {
		all.scopeTexts = s.scopes.add(f.scopes, func() *scopes { return NewScopeSet(textsOf(f.scopes)...).set })
		all.scopes = s.scopes.list[all.scopeTexts]
	}
	if len(f.addresses) > 0 {
		all.addressTexts = s.addresses.add(f.addresses, func() *addresses { return NewAddressSet(f.ranges...).set })
		all.addresses = s.addresses.list[all.addressTexts]
	}
	if len(f.routes) > 0 {
		all.routeTexts = s.routes.add(f.routes, func() *routes { return NewRouteSet(idsOf(f.routes)...).set })
		all.routes = s.routes.list[all.routeTexts]
	}
	return s.addAttributes(all)
}

func (s *state) addAttributes(all attributes) (uint32, error) {
	var name [13]byte
	binary.BigEndian.PutUint32(name[:], all.scopeTexts)
	binary.BigEndian.PutUint32(name[4:], all.addressTexts)
	binary.BigEndian.PutUint32(name[8:], all.routeTexts)
	name[12] = byte(all.marks)
	index := s.attributes.add(name[:], func() attributes { return all })
	if index >= maxAttributes {
		return 0, fmt.Errorf("%w: %d different combinations of scopes, addresses and routes", ErrTooMany, index)
	}
	if all.marks&markImported != 0 && !s.imported.Load() {
		s.imported.Store(true)
	}
	return index, nil
}
