package directory

import (
	"encoding/binary"
	"fmt"
)

// attributes are what many API keys have in common: scopes and addresses. A key holds their index alone.
type attributes struct {
	scopes    *scopes
	addresses *addresses

	scopeTexts, addressTexts uint32 // what they were made of
}

// maxAttributes is how many combinations of scopes and addresses a key's record can tell apart.
const maxAttributes = 1 << 24

// internAttributes returns the index of a key's scopes and addresses.
func (s *state) internAttributes(f *fact) (uint32, error) {
	if len(f.scopes) == 0 && len(f.addresses) == 0 {
		return 0, nil
	}
	both := attributes{}
	if len(f.scopes) > 0 {
		both.scopeTexts = s.scopes.add(f.scopes, func() *scopes { return NewScopeSet(textsOf(f.scopes)...).set })
		both.scopes = s.scopes.list[both.scopeTexts]
	}
	if len(f.addresses) > 0 {
		both.addressTexts = s.addresses.add(f.addresses, func() *addresses { return NewAddressSet(f.ranges...).set })
		both.addresses = s.addresses.list[both.addressTexts]
	}
	return s.addAttributes(both)
}

func (s *state) addAttributes(both attributes) (uint32, error) {
	var name [8]byte
	binary.BigEndian.PutUint32(name[:4], both.scopeTexts)
	binary.BigEndian.PutUint32(name[4:], both.addressTexts)
	index := s.attributes.add(name[:], func() attributes { return both })
	if index >= maxAttributes {
		return 0, fmt.Errorf("%w: %d different combinations of scopes and addresses", ErrTooMany, index)
	}
	return index, nil
}
