package directory

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Bounds of a key set, as the control plane keeps them.
const (
	maxSetKeys = 64
	maxRetired = 64
	maxSetKey  = 16 << 10 // bytes of one key
)

// KeySet is the keys that an issuer signs its tokens with, as the control plane last saw them. It is immutable. What a key means is for
// package issuers to say: the directory merely keeps it.
type KeySet struct {
	Issuer id.ID
	// Keys are JSON Web Keys in the canonical form of proto/jwk.
	Keys [][]byte
	// Retired are keys that the issuer has taken back.
	Retired []RetiredKey
}

// RetiredKey is a key that is good no more.
type RetiredKey struct {
	Thumbprint [32]byte // RFC 7638
	AtMs       int64    // milliseconds since 1970 when it was first missing
}

// keySets are those of all issuers. The map is never changed: issuers are few, and their keys change seldom.
type keySets map[id.ID]*KeySet

// KeySet returns the keys of an issuer, the same pointer until they change; nil when the directory holds none. It takes no lock.
func (d *Directory) KeySet(issuer id.ID) *KeySet {
	if all := d.state.Load().keySets.Load(); all != nil {
		return (*all)[issuer]
	}
	return nil
}

// with returns the sets with one more, or another one of its issuer.
func (k *keySets) with(set *KeySet) *keySets {
	after := keySets{}
	if k != nil {
		after = maps.Clone(*k)
	}
	after[set.Issuer] = set
	return &after
}

// without returns the sets less an issuer's.
func (k *keySets) without(issuer id.ID) *keySets {
	after := maps.Clone(*k)
	delete(after, issuer)
	return &after
}

func (f *fact) takeKeySet(m *directoryv1.KeySet) (digest.Key, error) {
	f.kind = kindKeySet
	if err := f.takeID(m.GetIssuer()); err != nil {
		return digest.Key{}, err
	}
	if len(m.GetKeys()) > maxSetKeys || len(m.GetRetired()) > maxRetired {
		return digest.Key{}, fmt.Errorf("%w: %d keys and %d retired ones, at most %d and %d", ErrMalformed, len(m.GetKeys()), len(m.GetRetired()), maxSetKeys, maxRetired)
	}
	set := &KeySet{Issuer: f.id, Keys: slices.Clone(m.GetKeys())}
	for i, key := range set.Keys {
		if len(key) == 0 || len(key) > maxSetKey {
			return digest.Key{}, fmt.Errorf("%w: keys[%d] of %d bytes", ErrMalformed, i, len(key))
		}
		if i > 0 && bytes.Compare(set.Keys[i-1], key) >= 0 {
			return digest.Key{}, fmt.Errorf("%w: keys[%d] isn't behind the one before", ErrMalformed, i)
		}
	}
	for i, gone := range m.GetRetired() {
		if len(gone.GetThumbprint()) != len(RetiredKey{}.Thumbprint) {
			return digest.Key{}, fmt.Errorf("%w: retired[%d] with a thumbprint of %d bytes", ErrMalformed, i, len(gone.GetThumbprint()))
		}
		set.Retired = append(set.Retired, RetiredKey{Thumbprint: [32]byte(gone.GetThumbprint()), AtMs: gone.GetRetiredAtMs()})
	}
	f.keySet = set
	return digest.KeyOf("key-sets", id.Text(id.Issuer, f.id)), nil
}

// entry makes the set's entry again.
func (k *KeySet) entry() *directoryv1.KeySet {
	m := &directoryv1.KeySet{Issuer: k.Issuer[:], Keys: k.Keys}
	for i := range k.Retired {
		m.Retired = append(m.Retired, &directoryv1.RetiredKey{Thumbprint: k.Retired[i].Thumbprint[:], RetiredAtMs: k.Retired[i].AtMs})
	}
	return m
}
