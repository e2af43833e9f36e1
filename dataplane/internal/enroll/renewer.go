package enroll

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/reach"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/renewal"
)

// way is how a node shows who it is when it renews.
type way string

const (
	byCertificate way = "certificate" // the connection's
	byProof       way = "proof"       // of a certificate that may have ended
)

// Renewer renews an identity while it Runs.
type Renewer struct {
	identity *Identity
	log      *slog.Logger
	attempt  func(ctx context.Context, by way) error
	renewed  func()
	wanted   chan struct{} // capacity 1
	spread   time.Duration // renewSpread

	succeeded, failed atomic.Uint64
}

// NewRenewer returns a renewer of the identity that Ensure returned for config. It calls renewed,
// unless that is nil, after each renewal.
func NewRenewer(config Config, identity *Identity, renewed func()) *Renewer {
	if renewed == nil {
		renewed = func() {}
	}
	exchange := exchange{identity: identity, address: config.ControlPlane, log: config.Logger}
	return &Renewer{
		identity: identity, log: config.Logger, attempt: exchange.renew, renewed: renewed, wanted: make(chan struct{}, 1), spread: renewSpread,
	}
}

// Want asks for a renewal before it is due: the bus turned the node's JWT away, and a renewal brings another. Asked
// again and again, it renews once in a while.
func (r *Renewer) Want() {
	select {
	case r.wanted <- struct{}{}:
	default: // it is wanted already
	}
}

// Renewals returns how often the identity was renewed, and how often that failed.
func (r *Renewer) Renewals() (succeeded, failed uint64) {
	return r.succeeded.Load(), r.failed.Load()
}

// exchange is one renewal with the control plane.
type exchange struct {
	identity *Identity
	address  string
	log      *slog.Logger
}

// renew asks once, and swaps the answer in once it lies on the disk.
func (e exchange) renew(ctx context.Context, by way) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	current := e.identity.papers()
	private, request, err := makeKey()
	if err != nil {
		return err
	}
	answer, err := e.ask(ctx, current, by, request)
	if err != nil {
		return fmt.Errorf("enroll: renew: %w", err)
	}
	return e.identity.change(func(now *papers, held Held) (*papers, error) { // it may have learnt whom to believe meanwhile
		next, err := now.acceptRenewal(answer, private, held)
		if err != nil {
			return nil, fmt.Errorf("enroll: the control plane's renewal is refused: %w", err)
		}
		return next, nil
	}, func(next *papers, dir string) error { return e.keep(current, next, dir) })
}

// ask asks over a connection of its own: the node's other one may have been made long ago, or not be
// possible any more.
func (e exchange) ask(ctx context.Context, current *papers, by way, request []byte) (*edgev1.RenewResponse, error) {
	config := e.identity.TLS()
	if by == byProof {
		config = current.anonymousTLS()
	}
	connection, err := reach.Dial(e.address, config)
	if err != nil {
		return nil, err //nolint:wrapcheck // renew does
	}
	defer func() { _ = connection.Close() }() // nothing left to lose
	client := edgev1.NewEdgeServiceClient(connection)
	asked := &edgev1.RenewRequest{CertificateRequest: request, TrustVersion: current.record.trustVersion()}
	if by == byProof {
		if asked.Proof, err = current.prove(ctx, client, request); err != nil {
			return nil, err
		}
	}
	return client.Renew(ctx, asked) //nolint:wrapcheck // renew does
}

// prove signs the request with the key that is to be replaced.
func (p *papers) prove(ctx context.Context, client edgev1.EdgeServiceClient, request []byte) (*edgev1.RenewalProof, error) {
	certificate := p.certificate.Leaf.Raw
	challenge, err := client.Challenge(ctx, &edgev1.ChallengeRequest{Certificate: certificate})
	if err != nil {
		return nil, fmt.Errorf("ask for a nonce: %w", err)
	}
	key, ok := p.certificate.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T can't sign", p.certificate.PrivateKey) // newPapers has checked
	}
	signature, err := renewal.Sign(key, challenge.GetNonce(), certificate, request)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what
	}
	return &edgev1.RenewalProof{Certificate: certificate, Nonce: challenge.GetNonce(), Signature: signature}, nil
}

// keep writes the new papers. A disk that takes nothing keeps a node from what it
// could use only for as long as it has something else: what lies there still proves who it is.
func (e exchange) keep(current, next *papers, dir string) error {
	if err := next.save(dir); err != nil {
		if time.Now().Before(current.expires()) {
			return err
		}
		e.log.Error("the renewed certificate can't be kept; it is used until the node ends", "error", err)
	}
	return nil
}
