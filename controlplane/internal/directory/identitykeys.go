package directory

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/identitykey"
	"github.com/sallyport/sallyport/proto/problem"
)

// Identity is what an environment's identity tokens are signed with, as it lies in the database.
type Identity struct {
	Version   uint32 // of the newest key
	Epoch     uint64 // in which all of them were made
	RotatedAt time.Time
	TrimAt    time.Time // when the next key is needed no more; zero: there is one alone
	Set       []byte    // the public halves, as services get them
	Entry     Entry
}

// Succession is how a new identity key takes the place of the one before.
type Succession struct {
	// After is how long the new key is published before it signs.
	After time.Duration
	// Leaked ends all keys before at once: what they signed is good no more where services fetch the keys, and the new one signs from now on.
	Leaked bool
}

// IdentityKeysKey is the key of the one entry that holds them.
func IdentityKeysKey() digest.Key { return digest.KeyOf(IdentityKeys, "identity-keys") }

// NextIdentity makes a new key, newest of those that are still needed. Of an epoch that has ended none is kept, nor of an entry that is gone.
func NextIdentity(sealer Sealer, environment string, last Identity, epoch uint64, now time.Time, how Succession) (Identity, error) {
	var kept []*directoryv1.IdentityKey
	if last.Epoch == epoch && !last.Entry.Gone && last.Version > 0 && !how.Leaked {
		var err error
		if kept, err = identityKeys(sealer, environment, last); err != nil {
			return Identity{}, err
		}
		kept = kept[:identitykey.Needed(kept, now)]
	}
	from := now
	if len(kept) > 0 {
		from = now.Add(how.After)
	}
	if len(kept) == identitykey.Most {
		return Identity{}, problem.Errorf(problem.Conflict, "%d identity keys of the environment are still needed, and more aren't published at once: wait until one has been out of use for %v, "+
			"or, if one has leaked, say so", len(kept), identitykey.Overlap)
	}
	made, err := identitykey.New(last.Version+1, now, from)
	if err != nil {
		return Identity{}, fmt.Errorf("identity keys of %s: %w", environment, err)
	}
	next := Identity{Version: made.GetVersion(), Epoch: epoch, RotatedAt: now}
	err = next.hold(sealer, environment, append([]*directoryv1.IdentityKey{made}, kept...))
	return next, err
}

// TrimIdentity leaves out the keys that are needed no more, and returns how many these are.
func TrimIdentity(sealer Sealer, environment string, last Identity, now time.Time) (next Identity, trimmed int, err error) {
	keys, err := identityKeys(sealer, environment, last)
	if err != nil {
		return Identity{}, 0, err
	}
	needed := identitykey.Needed(keys, now)
	next = Identity{Version: last.Version, Epoch: last.Epoch, RotatedAt: last.RotatedAt}
	err = next.hold(sealer, environment, keys[:needed])
	return next, len(keys) - needed, err
}

func identityKeys(sealer Sealer, environment string, of Identity) ([]*directoryv1.IdentityKey, error) {
	plain, err := Unseal(sealer, environment, of.Entry)
	if err != nil {
		return nil, err
	}
	var entry directoryv1.Entry
	if err := proto.Unmarshal(plain, &entry); err != nil {
		return nil, fmt.Errorf("identity keys of %s: %w", environment, err)
	}
	return entry.GetIdentityKeys().GetKeys(), nil
}

// hold makes the entry of keys, newest first, and what follows from them.
func (i *Identity) hold(sealer Sealer, environment string, keys []*directoryv1.IdentityKey) (err error) {
	parsed := make([]*identitykey.Key, len(keys))
	for at, key := range keys {
		if parsed[at], err = identitykey.Parse(key); err != nil {
			return fmt.Errorf("identity keys of %s: version %d: %w", environment, key.GetVersion(), err)
		}
	}
	i.Set = identitykey.Set(parsed)
	for at := range len(parsed) - 1 { // when the key behind it has been out of use for long enough
		if ends := parsed[at].SignsFrom.Add(identitykey.Overlap); i.TrimAt.IsZero() || ends.Before(i.TrimAt) {
			i.TrimAt = ends
		}
	}
	i.Entry, err = seal(sealer, environment, IdentityKeysKey(), &directoryv1.Entry{Body: &directoryv1.Entry_IdentityKeys{
		IdentityKeys: &directoryv1.IdentityKeys{Keys: keys},
	}})
	return err
}
