package publish

import (
	"context"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
)

// Store opens transactions.
type Store interface {
	// Write runs f in a transaction, which is committed when f returns nil. ErrRetry, wrapped, says that
	// another writer came between and that it is worth trying again.
	Write(ctx context.Context, f func(Tx) error) error
}

// Tx is one transaction. Its writes tell the other replicas, once they are committed.
type Tx interface {
	catalog.Source
	// Differences returns, for each object that a revision in (from, to] changed, its bytes at from and at to.
	Differences(ctx context.Context, environment string, from, to uint64) ([]catalog.Difference, error)
	// LockEnvironment locks an environment's configuration until the end; problem.NotFound when there is none.
	LockEnvironment(ctx context.Context, environment string) (Environment, error)
	// Environment returns an environment as committed, without a lock; problem.NotFound when there is none.
	Environment(ctx context.Context, environment string) (Environment, error)
	// WriteRevision writes a revision with its changes, and what they make of the objects.
	WriteRevision(ctx context.Context, r catalog.Revision, edits []catalog.Edit) error

	DirectoryTx
	ProposalsTx
	NodesTx
	PepperTx
	TicketTx
	KeySetTx
}

// Environment is what a writer needs to know of one.
type Environment struct {
	Name          string
	Configuration catalog.Position
	Sequence      uint64 // of the directory, as committed
}

// DirectoryTx is the directory's half of a transaction.
type DirectoryTx interface {
	directory.Source
	// LockRows locks the rows of these ids and names, in the order of ids, and returns those that there are.
	LockRows(ctx context.Context, environment, collection string, keys []string, lock Lock) ([]directory.Row, error)
	// LockTeams locks the teams of these ids and names, so that they can't be deleted meanwhile, and returns the id of each by both.
	LockTeams(ctx context.Context, environment string, keys []string) (map[string]string, error)
	// Referrers returns the objects of either lane, as committed, that refer to a row: a bounded number.
	Referrers(ctx context.Context, environment, collection, id string) ([]Referrer, error)
	// NewestPepper returns the pepper that new keys' digests are made with.
	NewestPepper(ctx context.Context, environment string) (directory.Pepper, error)
	// WriteRows writes rows: deletes first, what others refer to before them.
	WriteRows(ctx context.Context, environment string, rows []RowChange) error
	// Entry returns the entry of a key; false when there is none, or it is gone.
	Entry(ctx context.Context, environment string, key digest.Key) (directory.Entry, bool, error)
	// LockDirectory locks the directory's counter until the end. Nothing may be locked after it.
	LockDirectory(ctx context.Context, environment string) (directory.Head, error)
	// CountObjects adds to the number of a collection's objects, behind the lock of LockDirectory, and returns what it is then.
	CountObjects(ctx context.Context, environment, collection string, grown int64) (uint64, error)
	// WriteEntries writes entries with the sequences that lead to the new head, and that.
	WriteEntries(ctx context.Context, environment string, entries []directory.Entry, head directory.Head) error
	// WriteDenials records whom the entries let in no more, and whom they let in again.
	WriteDenials(ctx context.Context, environment string, denials Denials) error
}

// Lock is how a row is locked.
type Lock uint8

// The locks.
const (
	LockShare  Lock = iota // it can't be deleted meanwhile: FOR KEY SHARE
	LockChange             // it can't be changed or referred to meanwhile: FOR UPDATE
)

// Referrer is an object that refers to a row.
type Referrer struct {
	Collection, ID, Name, Pointer string
}

// RowChange is what becomes of one row.
type RowChange struct {
	Collection    string
	Before, After *directory.Row // nil: made, or deleted
}

// NodesTx is what a writer asks about nodes.
type NodesTx interface {
	// LackingNodes returns nodes that are enabled and said last that they have a smaller capability: a bounded number.
	LackingNodes(ctx context.Context, environment string, capability uint32) ([]Lacking, error)
	// Fleet returns the ids of the nodes that are enabled and haven't said goodbye, as committed.
	Fleet(ctx context.Context, environment string) ([]string, error)
	// FleetEntry returns the hash of the directory's entry about them; false when there is none.
	FleetEntry(ctx context.Context, environment string) (digest.Hash, bool, error)
	// FleetEnvironments returns the environments that have such an entry.
	FleetEnvironments(ctx context.Context) ([]string, error)
}

// Lacking is a node that doesn't understand something.
type Lacking struct {
	ID, Name   string
	Capability uint32 // that it has
}
