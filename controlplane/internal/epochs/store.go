package epochs

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
)

// Store keeps epochs, and reads what of the directory they are compared with.
type Store interface {
	Directory
	// Change runs f behind the locks of an environment's configuration and directory, in a transaction that is committed when f
	// returns nil; problem.NotFound when there is no such environment.
	Change(ctx context.Context, environment string, f func(Ledger) error) error
	// Current returns the present epoch; false while it is the first.
	Current(ctx context.Context, environment string) (Epoch, bool, error)
	// Epochs returns epochs from before one, the newest first.
	Epochs(ctx context.Context, environment string, before uint64, limit int) ([]Epoch, error)
	// Witness keeps that a history went at least this far, and tells whether that is further than was known.
	Witness(ctx context.Context, found Evidence) (bool, error)
	// Settle lets an epoch's directory be served, and tells whether it wasn't before.
	Settle(ctx context.Context, environment string, epoch uint64) (bool, error)
	// Known tells whether a state of the directory is in the history that the database has, or was recalled already.
	Known(ctx context.Context, found Evidence) (bool, error)
	// KeepRecall keeps that a state was recalled.
	KeepRecall(ctx context.Context, found Evidence, taken int, at time.Time) error
}

// Directory is what nodes' holdings are compared with.
type Directory interface {
	// Hashes returns all entries in the order of their keys, without their bytes.
	Hashes(ctx context.Context, environment string) ([]Entry, error)
	// Keys returns those of the API keys with these entries that there are.
	Keys(ctx context.Context, environment string, entries []digest.Key) ([]Key, error)
	// Passwords returns those of the passwords with these entries that there are; when they were made is when they were last set.
	Passwords(ctx context.Context, environment string, entries []digest.Key) ([]Key, error)
	// Unsuspended returns those of the consumers that there are and that aren't suspended.
	Unsuspended(ctx context.Context, environment string, consumers []string) ([]string, error)
	// Blocks returns those of the blocks that there are, by id, and when they end; zero: never.
	Blocks(ctx context.Context, environment string, blocks []string) (map[string]time.Time, error)
}

// Entry is an entry of the directory: 48 bytes, whatever it holds.
type Entry struct {
	Key  digest.Key
	Hash digest.Hash
}

// Key is what the database has of an API key, or of a password.
type Key struct {
	ID        string
	Entry     digest.Key
	ExpiresAt time.Time // zero: never
	CreatedAt time.Time
}
