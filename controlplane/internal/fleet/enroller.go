package fleet

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jointoken"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxNodeName bounds the name that a node gives itself, in bytes.
const maxNodeName = 128

// BusIdentities makes a node's credential for the bus.
type BusIdentities interface {
	// NodeJWT returns a user JWT that lets the holder of this public nkey speak as the node, and as
	// nobody else.
	NodeJWT(identity Identity, publicKey string) (string, error)
	// URLs returns where nodes find the bus.
	URLs() []string
}

// Enroller turns join tokens into nodes.
type Enroller struct {
	store     JoinTokenStore
	authority *Authority
	trust     *Trust
	bus       BusIdentities
	log       *slog.Logger
	stats     *Stats
	now       func() time.Time
	members   *Members // nil: nobody is told who is in the fleet
}

// Telling makes the enroller tell who comes to the fleet.
func (e *Enroller) Telling(members *Members) *Enroller {
	e.members = members
	return e
}

// NewEnroller returns an enroller that issues with this authority (the trust's) and bus.
func NewEnroller(store JoinTokenStore, authority *Authority, trust *Trust, bus BusIdentities, log *slog.Logger, stats *Stats) *Enroller {
	return &Enroller{store: store, authority: authority, trust: trust, bus: bus, log: log, stats: stats, now: time.Now}
}

// Enroll gives whoever holds a valid join token an identity for the key in its certificate request.
// Every fault of the token gives the same answer, so that nothing can be learnt about tokens; the
// log has the reason. A token's use is counted only when all else has succeeded.
func (e *Enroller) Enroll(ctx context.Context, request *edgev1.EnrollRequest) (*edgev1.EnrollResponse, error) {
	response, err := e.enroll(ctx, request)
	if err != nil {
		e.stats.EnrolRefused.Add(1)
		e.log.Warn("a node was refused enrolment", "name", clean(request.GetName(), maxNodeName), "error", err)
		return nil, err
	}
	e.stats.Enrolled.Add(1)
	e.log.Info("a node enrolled", "node", response.GetNode(), "environment", response.GetEnvironment(), "name", clean(request.GetName(), maxNodeName))
	return response, nil
}

func (e *Enroller) enroll(ctx context.Context, request *edgev1.EnrollRequest) (*edgev1.EnrollResponse, error) {
	now := e.now().UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	token, environmentName, err := e.check(ctx, request.GetJoinToken(), now)
	if err != nil {
		return nil, err
	}
	identity := Identity{Environment: token.Environment, Node: id.Text(nodePrefix, id.New(now))}
	bundle := e.trust.Bundle() // first: what is issued is at least as new
	chain, ends, err := e.authority.IssueNode(identity, request.GetCertificateRequest())
	if err != nil {
		return nil, badRequest(err)
	}
	busJWT, err := e.bus.NodeJWT(identity, request.GetBusPublicKey())
	if err != nil {
		return nil, problem.Wrap(err, problem.InvalidRequest, "bus_public_key isn't a public user nkey")
	}
	name := nodeName(request.GetName(), identity.Node)
	recorded := audit.Ensure(ctx, audit.System, "enrollNode")
	audit.Note(recorded, audit.Change{
		Action: "create", Collection: "nodes", ID: identity.Node, Name: name, After: audit.Facts(map[string]string{"join_token": token.ID, "group": token.Group}),
	})
	err = e.store.Enrol(recorded, Newcomer{
		ID:                 identity.Node,
		Name:               name,
		JoinToken:          token.ID,
		BusKey:             request.GetBusPublicKey(),
		EnrolledAt:         now,
		CertificateExpires: ends,
		BusIssuedAt:        e.now(),
		Trust:              bundle.GetVersion(),
		Issued:             issued(chain, bundle),
	})
	if err != nil {
		return nil, fmt.Errorf("use the join token %s: %w", token.ID, err)
	}
	// Before it has its identity, and so before it can serve.
	if err := e.members.Settle(ctx, identity.Environment); err != nil {
		return nil, fmt.Errorf("tell the fleet of a node: %w", err)
	}
	return &edgev1.EnrollResponse{
		Node:            identity.Node,
		Environment:     identity.Environment,
		EnvironmentName: environmentName,
		Certificates:    chain,
		Trust:           bundle,
		BusJwt:          busJWT,
		BusUrls:         e.bus.URLs(),
	}, nil
}

// issued names who issued a node's chain and, at least, its bus JWT.
func issued(chain [][]byte, bundle *edgev1.TrustBundle) Issued {
	return Issued{Authority: nameOfAuthority(chain[1]), Bus: firstOf(bundle.GetBusIssuers())}
}

// badRequest is the answer to a certificate request that can't be granted.
func badRequest(err error) error {
	return problem.Wrap(err, problem.InvalidRequest, "certificate_request isn't a valid PKCS #10 request for an Ed25519, P-256 or P-384 key")
}

// check returns the token that a text is, if it may be used now.
func (e *Enroller) check(ctx context.Context, text string, now time.Time) (JoinToken, string, error) {
	given, err := jointoken.Parse(text)
	if err != nil {
		return JoinToken{}, "", invalidToken(err)
	}
	token, environmentName, err := e.store.JoinTokenByLookup(ctx, given.ID)
	if problem.CodeOf(err) == problem.NotFound {
		return JoinToken{}, "", invalidToken(fmt.Errorf("unknown token %s", given.ID))
	}
	if err != nil {
		return JoinToken{}, "", fmt.Errorf("look the join token up: %w", err)
	}
	digest := given.SecretDigest()
	switch {
	case subtle.ConstantTimeCompare(digest[:], token.Digest) != 1:
		return JoinToken{}, "", invalidToken(fmt.Errorf("a wrong secret for token %s", token.ID))
	case !e.authority.believes(given.Authority):
		return JoinToken{}, "", invalidToken(fmt.Errorf("token %s was made for another authority", token.ID))
	case !now.Before(token.ExpiresAt):
		return JoinToken{}, "", invalidToken(fmt.Errorf("token %s has expired", token.ID))
	case token.Uses >= token.MaxUses:
		return JoinToken{}, "", invalidToken(fmt.Errorf("token %s is used up", token.ID))
	}
	return token, environmentName, nil
}

// ErrJoinTokenRefused is the cause of every refusal of a join token.
var ErrJoinTokenRefused = errors.New("join token refused")

func invalidToken(reason error) error {
	return problem.Wrap(errors.Join(ErrJoinTokenRefused, reason), problem.JoinTokenInvalid, "the join token is unknown, expired or used up; make a new one")
}

// nodeName returns the name that a node gave itself, or its id for want of one.
func nodeName(given, node string) string {
	if name := clean(given, maxNodeName); name != "" {
		return name
	}
	return node
}
