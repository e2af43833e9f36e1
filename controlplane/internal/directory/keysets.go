package directory

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jwk"
)

// KeySets is the collection that entries with issuers' keys are keyed by. It is no collection of the API.
const KeySets = "key-sets"

const (
	// MaxIssuerKeys is how many good keys an issuer may have.
	MaxIssuerKeys = 64
	// sentRetired is how many retired keys nodes are told of: the latest. The control plane remembers more.
	sentRetired = 64
	maxRetired  = 256
)

// KeySet is the keys that a token issuer signs with, as the control plane knows them. It is immutable: what changes it returns another.
type KeySet struct {
	Issuer  string      `json:"-"`
	Keys    []IssuerKey `json:"keys"`    // good ones, ascending as nodes get them
	Retired []IssuerKey `json:"retired"` // good no more, the earliest first
	// Unusable are keys that the issuer showed last, and that are in neither list.
	Unusable []UnusableKey `json:"unusable,omitempty"`
	// Deleted: there is no such issuer any more. What is retired is remembered, lest a rollback bring it back.
	Deleted bool `json:"-"`
}

// IssuerKey is one key of a set.
type IssuerKey struct {
	Thumbprint string    `json:"thumbprint"` // RFC 7638, SHA-256, base64url
	KeyID      string    `json:"kid,omitempty"`
	Algorithm  string    `json:"alg,omitempty"`
	JWK        string    `json:"jwk,omitempty"` // as package jwk writes it; of a retired one it may be lost
	Since      time.Time `json:"since"`         // first seen, or first missing
}

// UnusableKey is a key that nothing is checked with.
type UnusableKey struct {
	KeyID  string `json:"kid,omitempty"`
	Reason string `json:"reason"`
}

// What becomes of an issuer's key. Events are told apart by it.
const (
	KeyAdded    = "add-key"
	KeyRetired  = "retire-key"
	KeyReturned = "return-key" // that was retired
	KeyRenamed  = "rename-key" // another name or algorithm
)

// KeyChange is what becomes of one key.
type KeyChange struct {
	Action string
	Key    IssuerKey
}

// Thumbprint is how a key's thumbprint is written.
func Thumbprint(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// Shown returns what the set becomes when the issuer has these keys and no others: those that are missing are retired, and those that were
// retired are good again.
func (s KeySet) Shown(keys []jwk.Key, now time.Time) (KeySet, []KeyChange) {
	next := KeySet{Issuer: s.Issuer, Retired: slices.Clone(s.Retired), Unusable: s.Unusable}
	var changes []KeyChange
	for _, k := range keys {
		key := IssuerKey{Thumbprint: Thumbprint(k.Thumbprint[:]), KeyID: k.ID, Algorithm: k.Algorithm, JWK: string(k.AppendJSON(nil)), Since: now}
		was := s.find(key.Thumbprint)
		switch {
		case was < 0 && isIn(next.Retired, key.Thumbprint):
			changes = append(changes, KeyChange{KeyReturned, key})
		case was < 0:
			changes = append(changes, KeyChange{KeyAdded, key})
		default:
			key.Since = s.Keys[was].Since
			if !slices.ContainsFunc(s.Keys, func(o IssuerKey) bool { return o.JWK == key.JWK }) {
				changes = append(changes, KeyChange{KeyRenamed, key})
			}
		}
		next.Keys = append(next.Keys, key)
	}
	for _, k := range next.Keys {
		next.Retired = slices.DeleteFunc(next.Retired, func(o IssuerKey) bool { return o.Thumbprint == k.Thumbprint })
	}
	slices.SortFunc(next.Keys, func(a, b IssuerKey) int { return cmp.Compare(a.JWK, b.JWK) })
	next.Keys = slices.CompactFunc(next.Keys, func(a, b IssuerKey) bool { return a.JWK == b.JWK })
	var gone []string
	for _, k := range s.Keys {
		if !isIn(next.Keys, k.Thumbprint) {
			gone = append(gone, k.Thumbprint)
		}
	}
	next, retired := next.retire(s.Keys, gone, now)
	return next, append(changes, retired...)
}

// Retire returns what the set becomes when these keys, by thumbprint, are known to be good no more, good ones or not.
func (s KeySet) Retire(thumbprints []string, now time.Time) (KeySet, []KeyChange) {
	next := KeySet{Issuer: s.Issuer, Retired: slices.Clone(s.Retired), Unusable: s.Unusable}
	for _, k := range s.Keys {
		if !slices.Contains(thumbprints, k.Thumbprint) {
			next.Keys = append(next.Keys, k)
		}
	}
	return next.retire(s.Keys, thumbprints, now)
}

// retire adds keys to the retired ones; known is where the rest of them is looked up. The receiver is the caller's own.
func (s KeySet) retire(known []IssuerKey, thumbprints []string, now time.Time) (KeySet, []KeyChange) {
	var changes []KeyChange
	for _, thumbprint := range thumbprints {
		if isIn(s.Retired, thumbprint) {
			continue
		}
		key := IssuerKey{Thumbprint: thumbprint}
		if at := slices.IndexFunc(known, func(k IssuerKey) bool { return k.Thumbprint == thumbprint }); at >= 0 {
			key = known[at]
		}
		key.Since = now
		s.Retired = append(s.Retired, key)
		changes = append(changes, KeyChange{KeyRetired, key})
	}
	s.Retired = s.Retired[max(len(s.Retired)-maxRetired, 0):]
	return s, changes
}

// Forgotten returns the set without good keys, none of which is retired: they are no longer this control plane's to tell.
func (s KeySet) Forgotten() KeySet { return KeySet{Issuer: s.Issuer, Retired: s.Retired} }

// Has tells whether a key of a name is good.
func (s KeySet) Has(keyID string) bool {
	return slices.ContainsFunc(s.Keys, func(k IssuerKey) bool { return k.KeyID == keyID })
}

// Good tells whether a key, by thumbprint, is good.
func (s KeySet) Good(thumbprint string) bool { return isIn(s.Keys, thumbprint) }

func (s KeySet) find(thumbprint string) int {
	return slices.IndexFunc(s.Keys, func(k IssuerKey) bool { return k.Thumbprint == thumbprint })
}

func isIn(keys []IssuerKey, thumbprint string) bool {
	return slices.ContainsFunc(keys, func(k IssuerKey) bool { return k.Thumbprint == thumbprint })
}

// Silent tells whether the set says nothing, so that it needs no entry.
func (s KeySet) Silent() bool { return len(s.Keys) == 0 && len(s.Retired) == 0 }

// KeySetKey is the key of an issuer's entry.
func KeySetKey(issuer string) digest.Key { return digest.KeyOf(KeySets, issuer) }

// Entry returns the set as nodes get it.
func (s KeySet) Entry() (Entry, error) {
	issuer, err := id.Parse(id.Issuer, s.Issuer)
	if err != nil {
		return Entry{}, fmt.Errorf("key set: %w", err)
	}
	set := &directoryv1.KeySet{Issuer: issuer[:]}
	for _, k := range s.Keys {
		set.Keys = append(set.Keys, []byte(k.JWK))
	}
	for _, k := range s.Retired[max(len(s.Retired)-sentRetired, 0):] {
		raw, err := base64.RawURLEncoding.DecodeString(k.Thumbprint)
		if err != nil {
			return Entry{}, fmt.Errorf("key set %s: the thumbprint of a retired key: %w", s.Issuer, err)
		}
		set.Retired = append(set.Retired, &directoryv1.RetiredKey{Thumbprint: raw, RetiredAtMs: k.Since.UnixMilli()})
	}
	slices.SortFunc(set.Retired, func(a, b *directoryv1.RetiredKey) int { return bytes.Compare(a.GetThumbprint(), b.GetThumbprint()) })
	return open(KeySetKey(s.Issuer), &directoryv1.Entry{Body: &directoryv1.Entry_KeySet{KeySet: set}})
}
