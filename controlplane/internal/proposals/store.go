package proposals

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// State is how far a proposal has come.
type State string

// The states. Those behind Stale are ends.
const (
	Open      State = "open"
	Approved  State = "approved" // somebody else agreed to the plan as it is
	Stale     State = "stale"    // what it touches was seen to have moved on
	Published State = "published"
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn"
	Expired   State = "expired"
)

// states is every state.
var states = [...]State{Open, Approved, Stale, Published, Rejected, Withdrawn, Expired}

// Record is a proposal as the database keeps it.
type Record struct {
	Environment, ID      string
	Version              uint64 // counts changes of the record
	State                State
	AuthorID             string
	Summary              []byte // *adminv1.Proposal without what Details hold
	Details              []byte // the same message: steps, base and plan; nil in lists and, to write, where they stay
	Sealed               []byte // *adminv1.ProposalRequest as filed; nil once closed
	ExpiresAt, ClosedAt  time.Time
	ClosedBy, ClosedByID string
	Revision, Sequence   uint64
}

// Selection is which proposals of an environment are listed, the latest first.
type Selection struct {
	Before   string // id; "": from the latest on
	State    State  // "": any
	AuthorID string // "": anybody's
	Limit    int
}

// Store keeps proposals. Errors are *problem.Error.
type Store interface {
	// Insert keeps a new one; problem.LimitReached when the environment has as many that aren't closed.
	Insert(ctx context.Context, r Record, most int) error
	// Get returns one; problem.NotFound when there is none.
	Get(ctx context.Context, environment, id string) (Record, error)
	// List returns some, without details.
	List(ctx context.Context, environment string, s Selection) ([]Record, error)
	// Update changes one that still has the record's version and isn't closed; problem.Conflict else.
	Update(ctx context.Context, r Record) error
	// Maker returns who made an access token, by id, as the audit record says; "" when it doesn't.
	Maker(ctx context.Context, token string) (string, error)
	// Expire closes those whose time was over at a time, at most limit, and returns how many it closed.
	Expire(ctx context.Context, at time.Time, limit int) (int, error)
	// Forget removes those that were closed before a time without being published, at most limit, and returns how many it removed.
	Forget(ctx context.Context, before time.Time, limit int) (int, error)
}

// What this package asks of others.
type (
	// Publisher plans and publishes.
	Publisher interface {
		Apply(ctx context.Context, batch publish.Batch) (publish.Result, error)
		Rollback(ctx context.Context, batch publish.Batch) (publish.Result, error)
	}
	// Sealer seals what was filed.
	Sealer interface {
		Seal(purpose string, plaintext []byte) ([]byte, error)
		Open(purpose string, sealed []byte) ([]byte, error)
	}
	// Face shows what publish tells, as everywhere.
	Face interface {
		Plan(result publish.Result) (*adminv1.ChangesResponse, error)
		Problem(p problem.Problem) *adminv1.Problem
	}
)
