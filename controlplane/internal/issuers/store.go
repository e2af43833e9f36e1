package issuers

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
)

// Store keeps when issuers are asked, and who asks.
type Store interface {
	// ClaimDue gives a lease over issuers whose turn it is and whom nobody asks now.
	ClaimDue(ctx context.Context, lease string, lasting time.Duration, most int) ([]Claim, error)
	// ClaimIssuer gives a lease over an issuer whose turn it isn't; false: somebody asks it already, it was asked too often, or it isn't
	// asked from here.
	ClaimIssuer(ctx context.Context, environment, issuer, lease string, lasting time.Duration, demand Demand) (Claim, bool, error)
	// Release gives a lease back under which nothing was found out.
	Release(ctx context.Context, claim Claim) error
	// State returns what is known of an issuer's keys; problem.NotFound: there is no such issuer.
	State(ctx context.Context, environment, issuer string, demand Demand) (State, error)
	// Health returns since when the issuer that answered longest ago hasn't, and how many answer with nothing of use.
	Health(ctx context.Context) (oldest time.Duration, failing int, err error)
}

// Demand bounds how often an issuer is asked on demand: as often as a bucket allows that holds Burst and gains one each Every.
type Demand struct {
	Every time.Duration
	Burst int
}

// Claim is a lease over an issuer.
type Claim struct {
	Environment, Issuer, Lease string
	Failures                   int           // in a row, until now
	Empty                      time.Duration // for how long it has shown no key, which isn't believed yet; negative: it has shown some
	Moved                      time.Duration // for how long it has been looked for elsewhere and not found; negative: it hasn't moved
}

// State is what is known of an issuer's keys.
type State struct {
	Set                            directory.KeySet
	AttemptedAt, FetchedAt, NextAt time.Time // zero: never
	Failures                       int
	Error                          string
	Sequence                       uint64
	Leased                         bool          // somebody asks it now
	Bounded                        time.Duration // for how long it isn't asked on demand; 0: it may be
}

// Catalog is where issuers are configured. It is catalog.Catalog.
type Catalog interface {
	Get(ctx context.Context, environment, collection, key string) (catalog.Object, error)
}

// Publisher writes. It is publish.Publisher.
type Publisher interface {
	ReportKeys(ctx context.Context, report publish.KeyReport) ([]directory.KeyChange, error)
	TrustInlineKeys(ctx context.Context, environment, issuer string) ([]directory.KeyChange, error)
}
