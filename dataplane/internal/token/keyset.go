package token

import (
	"crypto/sha256"
	"slices"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

// Thumbprint is what a key is known by (RFC 7638), whatever it is called.
type Thumbprint = [sha256.Size]byte

// Algorithms is an allow-list. The zero list allows nothing.
type Algorithms uint32

// NewAlgorithms makes a list; of no algorithm it makes that of the default: RS256, ES256 and EdDSA.
func NewAlgorithms(allowed ...configv1.SignatureAlgorithm) Algorithms {
	if len(allowed) == 0 {
		allowed = []configv1.SignatureAlgorithm{
			configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS256, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256,
			configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA,
		}
	}
	var list Algorithms
	for _, one := range allowed {
		if jwk.AlgorithmName(one) != "" {
			list |= 1 << one
		}
	}
	return list
}

// Has tells whether an algorithm is on the list.
func (a Algorithms) Has(algorithm configv1.SignatureAlgorithm) bool {
	return algorithm > 0 && algorithm < 32 && a&(1<<algorithm) != 0
}

// KeySet is the keys of an issuer that are good at a time. It is immutable. A nil *KeySet has none.
type KeySet struct {
	keys []jwk.Key
	byID map[string]*jwk.Key // nil: there are several of the name
	all  map[Thumbprint]struct{}
}

// NewKeySet makes a set. The same key may be given more than once, from several sources; of different keys with one name none is found by
// it, since nobody knows which is meant.
func NewKeySet(keys []jwk.Key) *KeySet {
	s := &KeySet{byID: make(map[string]*jwk.Key, len(keys)), all: make(map[Thumbprint]struct{}, len(keys))}
	for _, k := range keys {
		if !slices.ContainsFunc(s.keys, func(other jwk.Key) bool { return other.ID == k.ID && other.Thumbprint == k.Thumbprint }) {
			s.keys = append(s.keys, k)
		}
		s.all[k.Thumbprint] = struct{}{}
	}
	for i := range s.keys {
		k := &s.keys[i]
		if _, taken := s.byID[k.ID]; taken {
			k = nil
		}
		if s.keys[i].ID != "" {
			s.byID[s.keys[i].ID] = k
		}
	}
	return s
}

// Has tells whether a key is in the set.
func (s *KeySet) Has(key Thumbprint) bool {
	if s == nil {
		return false
	}
	_, has := s.all[key]
	return has
}

// Len is how many different keys are in the set.
func (s *KeySet) Len() int {
	if s == nil {
		return 0
	}
	return len(s.all)
}

// Check tells whether what was verified once would still be: by the same key, which the issuer still has by the name that the token gives
// it, and by an algorithm that is allowed. It is [Token.Verify] without the arithmetic, and doesn't allocate.
func (s *KeySet) Check(v *Verified, allowed Algorithms) error {
	key, err := s.find(&v.Token, allowed)
	if err == nil && key.Thumbprint != v.key {
		err = ErrUnknownKey
	}
	return err
}

// find returns the key that a token must be signed by. A token that names none is taken if but one key fits (OpenID Connect Core 1.0,
// section 10.1); one that names a key is held against that alone.
func (s *KeySet) find(t *Token, allowed Algorithms) (*jwk.Key, error) {
	if !allowed.Has(t.Algorithm) {
		return nil, ErrAlgorithm
	}
	if s == nil {
		return nil, ErrUnknownKey
	}
	if t.KeyID == "" {
		return s.only(t.Algorithm)
	}
	key := s.byID[t.KeyID]
	switch {
	case key == nil:
		return nil, ErrUnknownKey
	case !key.Fits(t.Algorithm):
		return nil, ErrAlgorithm
	}
	return key, nil
}

func (s *KeySet) only(algorithm configv1.SignatureAlgorithm) (*jwk.Key, error) {
	var only *jwk.Key
	for i := range s.keys {
		if !s.keys[i].Fits(algorithm) {
			continue
		}
		if only != nil && only.Thumbprint != s.keys[i].Thumbprint {
			return nil, ErrUnknownKey
		}
		only = &s.keys[i]
	}
	if only == nil {
		return nil, ErrUnknownKey
	}
	return only, nil
}
