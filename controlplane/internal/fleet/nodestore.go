package fleet

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
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
	Group              string // "ng_…"; "": none
	Labels             map[string]string
	Boot               string    // of its newest process
	StartedAt          time.Time // that process, by its own clock
	LeftAt             time.Time // it said goodbye; zero: it hasn't
	Configuration      NodeLane
	Directory          NodeLane
}

// Selection is which nodes, or groups, are asked for.
type Selection struct {
	After  string  // id of a node, or name of a group
	Limit  int     // at most
	Name   *string // nil: any
	Group  *string // of nodes, by id; nil: any
	Labels listing.Selector
}

// NodeLane is what is known of one node in one lane.
type NodeLane struct {
	Connected bool // some replica has its stream open
	Held      Position
	Present   bool      // what it holds is of the database's present epoch: only then do numbers compare
	HeldAt    time.Time // zero: it never said
	SeenAt    time.Time // zero: it never came
	Refused   uint64    // the number it refused last, of the present epoch; 0: none
	RefusedAt time.Time
	Errors    []*edgev1.ObjectError // why
	Build     string
	Capable   uint32
	Boot      string // of the process whose stream it is
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
	Boot       string
	Started    time.Time // of two processes of one node the later has the say
}

// Tally counts the nodes of an environment that have both streams open.
type Tally struct {
	Live    int // enabled, both streams open
	Applied int // of these, those that hold the revision and the sequence
	Refused int // of these, those that refused the revision or a later one and hold none such
}

// NodeStore keeps what nodes are and what they answered.
type NodeStore interface {
	// Nodes returns the environment's nodes that are asked for, in the order of their ids.
	Nodes(ctx context.Context, environment string, s Selection) ([]Node, error)
	// Node returns one of them; problem.NotFound if there is none.
	Node(ctx context.Context, environment, id string) (Node, error)
	// SetNodeEnabled turns a node off or on; problem.NotFound if there is none. Off also revokes every bus JWT
	// that was made for it until now, and tells all replicas.
	SetNodeEnabled(ctx context.Context, environment, id string, enabled bool) error
	// PatchNode changes the node's name, labels and group to those given; problem.NotFound if there is no such node or group.
	PatchNode(ctx context.Context, node Node) error
	// Arrive notes that a process of the node is here, and tells whether the node had said goodbye; problem.NotFound if there
	// is none.
	Arrive(ctx context.Context, identity Identity, boot string, started time.Time) (returned bool, err error)
	// Leave notes that the node's newest process has said goodbye; false: it isn't the newest, or the node had left.
	Leave(ctx context.Context, identity Identity, boot string) (bool, error)
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
	Group       string // "ng_…"; "": none
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
	BusIssuedAt        time.Time // not before its bus JWT was made
	Trust              uint64    // version that it was given
	Issued             Issued
}

// Issued names by which keys a node's papers were issued.
type Issued struct {
	Authority string // fingerprint
	Bus       string // public nkey
}

// Renewal is what the database knows that a renewal needs.
type Renewal struct {
	Enabled      bool
	BusKey       string    // public nkey
	RevokedUntil time.Time // bus JWTs made until then are turned away; zero: none are
}

// Renewed is what a renewal came to.
type Renewed struct {
	CertificateExpires time.Time
	BusIssuedAt        time.Time // not before the bus JWT was made
	Issued             Issued
}

// RevocationLife is how long it is kept that bus JWTs were revoked: longer than any of them lives.
const RevocationLife = 31 * 24 * time.Hour

// BusRevocation says that the bus must turn a node away.
type BusRevocation struct {
	Key   string    // public nkey
	Until time.Time // JWTs made until then
}

// RenewalStore keeps what renewals are decided by, and what they came to.
type RenewalStore interface {
	// Renewal returns what is kept of a node; problem.NotFound if its environment has none such.
	Renewal(ctx context.Context, identity Identity) (Renewal, error)
	// Renewed keeps what a renewal came to; problem.NodeDisabled if the node was disabled or removed
	// meanwhile.
	Renewed(ctx context.Context, identity Identity, renewed Renewed) error
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
	// Group returns a group by id or name; problem.NotFound if there is none.
	Group(ctx context.Context, environment, key string) (Group, error)
	// Enrol uses the token once more and adds the node, both or neither; problem.JoinTokenInvalid if
	// the token is gone, has expired at the node's EnrolledAt, or is used up.
	Enrol(ctx context.Context, node Newcomer) error
}

// Group is a group of nodes as the database keeps it.
type Group struct {
	ID          string // "ng_…"
	Environment string
	Name        string
	Description string
	Labels      map[string]string
	Nodes       uint32 // in it
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// GroupStore keeps groups of nodes.
type GroupStore interface {
	// InsertGroup keeps a new group; problem.NameTaken if the environment has one of its name.
	InsertGroup(ctx context.Context, group Group) error
	// Groups returns the environment's groups that are asked for, in the order of their names.
	Groups(ctx context.Context, environment string, s Selection) ([]Group, error)
	// Group returns one by id or name; problem.NotFound if there is none.
	Group(ctx context.Context, environment, key string) (Group, error)
	// UpdateGroup changes name, labels and description; problem.NameTaken, problem.NotFound.
	UpdateGroup(ctx context.Context, group Group) error
	// DeleteGroup removes one by id; problem.Referenced while nodes or join tokens are in it.
	DeleteGroup(ctx context.Context, environment, id string) error
}
