package keylife

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Key is what of an API key tells which it is.
type Key struct {
	ID, Name, Consumer, Prefix, Team string
	Digest                           digest.Key
}

// Wanted says which keys are meant: those that all of it is true of.
type Wanted struct {
	Consumer      string // id; "": any
	Prefix        string
	CreatedBefore time.Time // zero: any
	CreatedAfter  time.Time
	Within        []string // ids of the teams whose keys alone are meant; nil: whatever
	Limit         int
}

// Use is what is counted of a key.
type Use struct {
	Requests  uint64    // since it was rotated, else since it was made
	LastUsed  time.Time // zero: never
	Addresses []Address // the latest first
	Now       time.Time // by the database's clock
}

// Address is one that a key was used from.
type Address struct {
	Address  string
	LastSeen time.Time
}

// Retiring is a key that is to be revoked once it was silent for so long.
type Retiring struct {
	Environment, ID string
	After           time.Duration
	SilentSince     time.Time
	Now             time.Time // by the database's clock
}

// Place is one in the order of all keys.
type Place struct{ Environment, ID string }

// Store reads what is kept of keys.
type Store interface {
	// Peppers returns all of an environment, the newest first.
	Peppers(ctx context.Context, environment string) ([]directory.Pepper, error)
	// KeysOfDigests returns the keys that have one of these, and those of the digests that a key had that is gone.
	KeysOfDigests(ctx context.Context, environment string, digests []digest.Key) (keys []Key, gone []digest.Key, err error)
	// KeysToRevoke returns keys in the order of their ids.
	KeysToRevoke(ctx context.Context, environment string, w Wanted) ([]Key, error)
	// LastUses returns when keys were last used, by id; those that never were are missing.
	LastUses(ctx context.Context, environment string, keys []string) (map[string]time.Time, error)
	// KeyUse returns what is counted of a key, of its addresses the latest since a time, at most so many.
	KeyUse(ctx context.Context, environment, key string, since time.Time, addresses int) (Use, error)
	// RetiringKeys returns keys behind a place that are old enough to have been silent for as long as they may be, at most limit.
	RetiringKeys(ctx context.Context, after Place, limit int) ([]Retiring, error)
}

// What this package asks of others.
type (
	// Directory reads API keys and consumers.
	Directory interface {
		Get(ctx context.Context, environment, collection, key string) (directory.Object, error)
	}
	// Publisher is the one way to write.
	Publisher interface {
		Apply(ctx context.Context, batch publish.Batch) (publish.Result, error)
	}
	// Usage tells what is known of the requests of a time.
	Usage interface {
		Coverage(ctx context.Context, environment string, from, to time.Time) (*adminv1.UsageCoverage, error)
	}
)
