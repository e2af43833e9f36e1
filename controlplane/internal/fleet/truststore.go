package fleet

import (
	"context"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// RotationKind is what a rotation replaces.
type RotationKind string

// The kinds whose rotation nodes are told of. (Peppers travel in the directory, the root key not at all.)
const (
	RotateSigning   RotationKind = "signing"   // the key that signs heads
	RotateAuthority RotationKind = "authority" // the certificate authority
	RotateBus       RotationKind = "bus"       // the key that issues bus JWTs
)

// Rotation is a key that takes another's place, and how far it is.
type Rotation struct {
	ID          int64
	Kind        RotationKind
	Environment string // of a pepper
	Old, New    string // names, never keys
	Version     uint64 // of the trust bundle that its newest step made
	AnnouncedAt time.Time
	ActiveAt    time.Time // zero: not yet
	RetiredAt   time.Time // zero: not yet
}

// Phase says in a word how far a rotation is.
func (r *Rotation) Phase() string {
	switch {
	case !r.RetiredAt.IsZero():
		return "retired"
	case !r.ActiveAt.IsZero():
		return "active"
	}
	return "announced"
}

// TrustChange is one step of the trust. What it names is written together, or not at all.
type TrustChange struct {
	Link     *edgev1.SignedTrust
	Version  uint64
	At       time.Time
	Rotation *Rotation // as it is then; ID 0: it begins. nil: the first bundle
	Forget   []string  // names of materials of which nothing needs to be left
}

// TrustLag counts the nodes, of those that aren't disabled, that keep a rotation from its next step.
type TrustLag struct {
	Lacking   int // lack the version
	Connected int // of these, those that are connected, or have strayed: they may never learn of a new key
	Holding   int // could still use what the old key issued
}

// Laggard is such a node.
type Laggard struct {
	Node, Name, Environment string
	Version                 uint64
	Strays                  bool // its version isn't of this chain: it was announced by a database that went back since
	Connected               bool
	OldCertificate, OldJWT  bool
}

// TrustStore keeps what nodes believe in, and how far rotations are.
type TrustStore interface {
	// Trust returns the announcements behind a version, and the rotations that aren't done.
	Trust(ctx context.Context, after uint64) ([]*edgev1.SignedTrust, []Rotation, error)
	// ChangeTrust calls change with the newest version and the rotations that aren't done, behind a lock that lets nobody else
	// change them, and writes what it returns; nil: nothing.
	ChangeTrust(ctx context.Context, change func(version uint64, open []Rotation) (*TrustChange, error)) error
	// TrustLag counts who lacks a version, and who still holds what another than the named issuer has issued.
	TrustLag(ctx context.Context, version uint64, kind RotationKind, issuer string) (TrustLag, error)
	// NodeTrusts keeps which version a node believes in. Of one that has strayed it keeps that only when the node has walked there:
	// a version that it names by itself may be another's of the same number.
	NodeTrusts(ctx context.Context, node string, version uint64, walked bool) error
	// NodeStrays keeps that a node believes in a version that isn't of this chain; until it has walked on, it lacks every version.
	NodeStrays(ctx context.Context, node string, version uint64) error
	// Rotations returns the newest rotations, the newest first.
	Rotations(ctx context.Context, limit int) ([]Rotation, error)
	// Laggards returns nodes that lack a version, or hold what another than these issuers has issued.
	Laggards(ctx context.Context, version uint64, authority, busIssuer string, limit int) ([]Laggard, error)
}

// BusIssuers are the keys that bus JWTs are issued by.
type BusIssuers interface {
	// NewIssuer makes a key.
	NewIssuer() (public string, seed []byte, err error)
	// UseIssuers issues with a key from now on, and makes the bus take what any of the public ones issued, and nothing else.
	UseIssuers(seed []byte, public []string) error
}
