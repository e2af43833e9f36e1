package directory

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/identitykey"
)

// IdentityKeys are what the whole fleet signs identity tokens with. It is immutable.
type IdentityKeys struct {
	keys []*identitykey.Key // newest first; never empty
	set  []byte
}

// Signer returns the key that signs now; nil: there is none. It takes no lock.
func (k *IdentityKeys) Signer(now time.Time) *identitykey.Key {
	if k == nil {
		return nil
	}
	return identitykey.Signer(k.keys, now)
}

// Set is the public halves of all keys (RFC 7517, section 5). Nobody may change it.
func (k *IdentityKeys) Set() []byte {
	if k == nil {
		return identitykey.Set(nil)
	}
	return k.set
}

// String keeps keys out of logs.
func (*IdentityKeys) String() string { return "identity keys" }

// GoString keeps keys out of logs.
func (*IdentityKeys) GoString() string { return "identity keys" }

func (f *fact) takeIdentityKeys(m *directoryv1.IdentityKeys) (digest.Key, error) {
	f.kind = kindIdentityKeys
	if n := len(m.GetKeys()); n == 0 || n > identitykey.Most {
		return digest.Key{}, fmt.Errorf("%w: %d identity keys, at least 1 and at most %d", ErrMalformed, n, identitykey.Most)
	}
	taken := &IdentityKeys{keys: make([]*identitykey.Key, len(m.GetKeys()))}
	for i, key := range m.GetKeys() {
		var err error
		if taken.keys[i], err = identitykey.Parse(key); err != nil {
			return digest.Key{}, fmt.Errorf("%w: keys[%d]: %w", ErrMalformed, i, err)
		}
		if i > 0 && key.GetVersion() >= m.GetKeys()[i-1].GetVersion() {
			return digest.Key{}, fmt.Errorf("%w: keys[%d] isn't older than the one before", ErrMalformed, i)
		}
	}
	taken.set = identitykey.Set(taken.keys)
	f.identity = taken
	return digest.KeyOf("identity-keys", "identity-keys"), nil
}
