package denials

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
)

// Retention is how long a denial and what nodes said of it are kept.
const Retention = 90 * 24 * time.Hour

// Denial is a denial as the database keeps it.
type Denial struct {
	publish.Denial
	LiftedBy uint64 // the sequence that took it back; 0: none did
	Author   string
	Commit   Commit
}

// Commit is one that denied somebody something.
type Commit struct {
	Sequence uint64 // its last
	At       time.Time
}

// Expired is a block whose time is over.
type Expired struct {
	Environment, ID string
	ExpiresAt       time.Time
}

// Store keeps denials, and when nodes held them.
type Store interface {
	// Denial returns the latest one of an object by its id or, when it had another, its name; problem.NotFound if there is none.
	Denial(ctx context.Context, environment, collection, key string) (Denial, error)
	// DenialCommit returns the commit of a sequence; problem.NotFound if it denied nobody.
	DenialCommit(ctx context.Context, environment string, sequence uint64) (Commit, error)
	// DenialAcks returns when each node, by id, was first known to hold a commit.
	DenialAcks(ctx context.Context, environment string, commit uint64) (map[string]time.Time, error)
	// ExpiredBlocks returns blocks that expired longer ago than grace by the database's clock, the oldest first, at most limit.
	ExpiredBlocks(ctx context.Context, grace time.Duration, limit int) ([]Expired, error)
	// PruneDenials forgets commits older than age with all that is kept of them, at most limit, and returns how many it forgot.
	PruneDenials(ctx context.Context, age time.Duration, limit int) (int, error)
}

// What this package asks of others.
type (
	// Nodes is fleet's store of nodes.
	Nodes interface {
		Nodes(ctx context.Context, environment string, s fleet.Selection) ([]fleet.Node, error)
	}
	// Directory reads the objects that denials are about.
	Directory interface {
		Get(ctx context.Context, environment, collection, key string) (directory.Object, error)
	}
	// Settings reads the environment's settings.
	Settings interface {
		Get(ctx context.Context, environment, collection, key string) (catalog.Object, error)
	}
	// Publisher is the one way to write.
	Publisher interface {
		Apply(ctx context.Context, batch publish.Batch) (publish.Result, error)
	}
)
