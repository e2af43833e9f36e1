package catalog

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
)

// Source is what a head is read and caught up from: the database, or a transaction that holds the
// environment's row lock.
type Source interface {
	// Position returns where the configuration is; problem.NotFound for an unknown environment.
	Position(ctx context.Context, environment string) (Position, error)
	// Load returns every object, and the position that they belong to.
	Load(ctx context.Context, environment string) (Position, []Record, error)
	// ChangedObjects returns the changes of the revisions in (after, through], in their order.
	ChangedObjects(ctx context.Context, environment string, after, through uint64) ([]RecordChange, error)
}

// Store is what the catalog reads.
type Store interface {
	Source
	// Revisions returns up to limit revisions below a number, the newest first; before 0: from the newest on.
	Revisions(ctx context.Context, environment string, before uint64, limit int) ([]Revision, error)
	// Revision returns one revision; problem.NotFound when there is none.
	Revision(ctx context.Context, environment string, number uint64) (Revision, error)
	// Differences returns, for each object that a revision in (from, to] changed, its bytes at from and at to.
	Differences(ctx context.Context, environment string, from, to uint64) ([]Difference, error)
}

// Record is one object as it lies in the database.
type Record struct {
	Collection string
	ID         string
	Stored     []byte
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// RecordChange is what one revision made of one object.
type RecordChange struct {
	Revision   uint64
	Collection string
	ID         string
	After      []byte // nil: deleted
	Time       time.Time
}

// Difference is one object at two revisions; nil bytes: it wasn't there.
type Difference struct {
	Collection    string
	ID            string
	Name          string // at the later of the two where it was there
	Before, After []byte
}

// Revision is one numbered state.
type Revision struct {
	Environment    string
	Number         uint64
	Epoch          uint64
	Digest         [32]byte
	SequenceNeeded uint64
	AuthorID       string
	Author         string
	Message        string
	IsRollback     bool
	RollbackTo     uint64 // of a rollback; 0 is the empty configuration
	Changes        int
	CreatedAt      time.Time
}

// Change is what happened to one object of either lane.
type Change struct {
	Action        string // "create", "update" or "delete"
	Collection    string
	ID            string
	Name          string
	Fields        []string // JSON pointers of the fields that differ; of an update
	Before, After proto.Message
}

// What a Change's Action is.
const (
	Created = "create"
	Updated = "update"
	Deleted = "delete"
)
