package fleet

import (
	"context"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Node is a node as the database keeps it, with its two lanes.
type Node struct {
	ID                 string // "node_…"
	Environment        string // "env_…"
	Name               string
	Enabled            bool
	EnrolledAt         time.Time
	CertificateExpires time.Time
	Configuration      NodeLane
	Directory          NodeLane
}

// NodeLane is what is known of one node in one lane.
type NodeLane struct {
	Connected bool // some replica has its stream open
	Held      Position
	Present   bool      // what it holds is of the database's present epoch: only then do numbers compare
	HeldAt    time.Time // zero: it never said
	SeenAt    time.Time // zero: it never came
	Refused   uint64    // the number it refused last; 0: none
	RefusedAt time.Time
	Errors    []*edgev1.ObjectError // why
	Build     string
	Capable   uint32
}

// LaneReport is what a replica has to say of a node's stream in one lane.
type LaneReport struct {
	Session    id.ID // sorts by when the stream was opened: the newest has the say
	Node       string
	Lane       edgev1.Lane
	Connected  bool
	Held       *Position // nil: unchanged
	Refused    *LaneHead // nil: unchanged
	Errors     []*edgev1.ObjectError
	Build      string
	Capability uint32
}

// Tally counts the nodes of an environment that have both streams open.
type Tally struct {
	Live    int // enabled, both streams open
	Applied int // of these, those that hold the revision and the sequence
	Refused int // of these, those that refused the revision or a later one and hold none such
}

// NodeStore keeps what nodes are and what they answered.
type NodeStore interface {
	// Nodes returns the environment's nodes in the order of their ids, after the one given, at most limit.
	Nodes(ctx context.Context, environment, after string, limit int) ([]Node, error)
	// Node returns one of them; problem.NotFound if there is none.
	Node(ctx context.Context, environment, id string) (Node, error)
	// SetNodeEnabled turns a node off or on; problem.NotFound if there is none.
	SetNodeEnabled(ctx context.Context, environment, id string, enabled bool) error
	// Report keeps what the streams of this replica have to say, each connected one for lease, and
	// returns which of these nodes are enabled.
	Report(ctx context.Context, reports []LaneReport, lease time.Duration) (enabled []string, err error)
	// Tally counts who holds at least this revision and this sequence.
	Tally(ctx context.Context, environment string, revision, sequence uint64) (Tally, error)
}

// JoinToken is a join token as the database keeps it.
type JoinToken struct {
	ID          string // "jt_…"
	Environment string // "env_…"
	Name        string
	Description string
	Lookup      string // the part of the token's text that may be shown
	Digest      []byte // of the part that may not
	ExpiresAt   time.Time
	MaxUses     uint32
	Uses        uint32
	CreatedAt   time.Time
}

// Newcomer is a node that enrols.
type Newcomer struct {
	ID                 string
	Name               string
	JoinToken          string // "jt_…"
	BusKey             string // public nkey
	EnrolledAt         time.Time
	CertificateExpires time.Time
}

// Renewal is what the database knows that a renewal needs.
type Renewal struct {
	Enabled bool
	BusKey  string // public nkey
}

// RenewalStore keeps what renewals are decided by, and what they came to.
type RenewalStore interface {
	// Renewal returns what is kept of a node; problem.NotFound if its environment has none such.
	Renewal(ctx context.Context, identity Identity) (Renewal, error)
	// Renewed keeps when the node's newest certificate ends; problem.NodeDisabled if the node was
	// disabled or removed meanwhile.
	Renewed(ctx context.Context, identity Identity, ends time.Time) error
}

// JoinTokenStore keeps join tokens and turns their uses into nodes.
type JoinTokenStore interface {
	// InsertJoinToken keeps a new token; problem.NameTaken if the environment has one of its name.
	InsertJoinToken(ctx context.Context, token JoinToken) error
	// JoinTokens returns the environment's tokens in the order of their names, after the one given, at most limit.
	JoinTokens(ctx context.Context, environment, after string, limit int) ([]JoinToken, error)
	// JoinToken returns one by id or name; problem.NotFound if there is none.
	JoinToken(ctx context.Context, environment, key string) (JoinToken, error)
	// DeleteJoinToken removes one by id or name; problem.NotFound if there is none.
	DeleteJoinToken(ctx context.Context, environment, key string) error
	// JoinTokenByLookup returns a token and the name of its environment; problem.NotFound if there is none.
	JoinTokenByLookup(ctx context.Context, lookup string) (token JoinToken, environmentName string, err error)
	// Enrol uses the token once more and adds the node, both or neither; problem.JoinTokenInvalid if
	// the token is gone, has expired at the node's EnrolledAt, or is used up.
	Enrol(ctx context.Context, node Newcomer) error
}
