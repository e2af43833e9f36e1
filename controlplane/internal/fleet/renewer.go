package fleet

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/renewal"
)

// Renewer gives nodes new certificates and bus JWTs for the identities that they have.
//
// It keeps nothing of a certificate but the newest's end: a node that never got our answer, or lost
// it, renews again with what it has. So a proof that is sent twice does no harm: it yields a
// certificate for the same key, which only the node holds. What ends an identity is to disable its
// node.
type Renewer struct {
	store    RenewalStore
	enroller *Enroller // issues alike
	nonces   *Nonces
}

// NewRenewer returns a renewer that issues what the enroller does.
func NewRenewer(store RenewalStore, enroller *Enroller, nonces *Nonces) *Renewer {
	return &Renewer{store: store, enroller: enroller, nonces: nonces}
}

// Challenge returns a nonce for RenewByProof with this certificate (DER), whatever it is: what it is
// good for is decided there.
func (r *Renewer) Challenge(certificate []byte) []byte { return r.nonces.For(certificate) }

// Renew renews the identity of a node whose valid certificate the caller has verified.
func (r *Renewer) Renew(ctx context.Context, identity Identity, request *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	response, err := r.renew(ctx, identity, request)
	return response, r.told(identity.Node, "certificate", err)
}

// RenewByProof renews the identity in a certificate that has ended, at most renewal.Grace ago, for
// whoever holds its key. One that has yet to end is taken too: clocks differ. All faults of a proof
// give the same answer; the log has the reason.
func (r *Renewer) RenewByProof(ctx context.Context, request *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	identity, err := r.prove(request.GetCertificateRequest(), request.GetProof())
	if err != nil {
		err = problem.Wrap(errors.Join(ErrProofRefused, err), problem.Unauthenticated,
			"the certificate can't be renewed by this proof; if it ended more than 30 days ago, enrol the node again with a new join token")
		return nil, r.told(identity.Node, "proof", err)
	}
	response, err := r.renew(ctx, identity, request)
	return response, r.told(identity.Node, "proof", err)
}

// ErrProofRefused is the cause of every refusal of a proof.
var ErrProofRefused = errors.New("proof refused")

// prove returns the identity in the proof's certificate. The nonce comes first: whoever didn't ask
// for one costs no more than a hash.
func (r *Renewer) prove(request []byte, proof *edgev1.RenewalProof) (Identity, error) {
	if err := r.nonces.Check(proof.GetNonce(), proof.GetCertificate()); err != nil {
		return Identity{}, err
	}
	leaf, err := x509.ParseCertificate(proof.GetCertificate())
	if err != nil {
		return Identity{}, fmt.Errorf("parse the certificate: %w", err)
	}
	if err := r.enroller.authority.checkIssued(leaf); err != nil {
		return Identity{}, err
	}
	if err := renewal.Verify(leaf.PublicKey, proof.GetNonce(), proof.GetCertificate(), request, proof.GetSignature()); err != nil {
		return Identity{}, err
	}
	return IdentityOf(leaf)
}

func (r *Renewer) renew(ctx context.Context, identity Identity, request *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	kept, err := r.store.Renewal(ctx, identity)
	if err != nil {
		return nil, fmt.Errorf("look the node up: %w", orRemoved(err))
	}
	if !kept.Enabled {
		return nil, errDisabled()
	}
	e := r.enroller
	// A JWT made in the second in which the older ones were revoked would be turned away with them.
	if now := e.now(); now.Unix() <= kept.RevokedUntil.Unix() {
		return nil, problem.Errorf(problem.Unavailable, "the node was enabled a moment ago; try again")
	}
	bundle := e.trust.Bundle() // first: what is issued is at least as new
	chain, ends, err := e.authority.IssueNode(identity, request.GetCertificateRequest())
	if err != nil {
		return nil, badRequest(err)
	}
	busJWT, err := e.bus.NodeJWT(identity, kept.BusKey)
	if err != nil {
		return nil, fmt.Errorf("make the node's bus JWT: %w", err)
	}
	if err := r.store.Renewed(ctx, identity, Renewed{CertificateExpires: ends, BusIssuedAt: e.now(), Issued: issued(chain, bundle)}); err != nil {
		return nil, fmt.Errorf("keep the certificate's end: %w", err)
	}
	response := &edgev1.RenewResponse{Certificates: chain, Trust: bundle, BusJwt: busJWT, BusUrls: e.bus.URLs()}
	if version := request.GetTrustVersion(); version > 0 {
		response.Announcements, _ = e.trust.Since(version)
	}
	return response, nil
}

// told counts and logs what a renewal came to, and returns its error.
func (r *Renewer) told(node, by string, err error) error {
	if err != nil {
		r.enroller.stats.RenewalsRefused.Add(1)
		r.enroller.log.Warn("a renewal was refused", "node", node, "by", by, "error", err)
		return err
	}
	r.enroller.stats.Renewed.Add(1)
	r.enroller.log.Info("a node's certificate was renewed", "node", node, "by", by)
	return nil
}

// checkIssued tells whether a certificate is one that this authority issued to a node, and neither
// too old nor too young to be renewed.
func (a *Authority) checkIssued(leaf *x509.Certificate) error {
	now := a.now()
	switch {
	case now.Before(leaf.NotBefore):
		return errors.New("the certificate isn't valid yet")
	case now.After(leaf.NotAfter.Add(renewal.Grace)):
		return fmt.Errorf("the certificate ended %v, too long ago", leaf.NotAfter.Format(time.RFC3339))
	}
	// Not Verify, which knows no certificate that has ended. Chains of ours have two links.
	if err := a.signed(leaf); err != nil {
		return fmt.Errorf("check the certificate's issuer: %w", err)
	}
	if leaf.IsCA || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) {
		return errors.New("the certificate isn't one of a node")
	}
	return nil
}

// signed tells whether one of the authorities that are believed has signed a certificate.
func (a *Authority) signed(leaf *x509.Certificate) (err error) {
	for _, authority := range a.current.Load().believed {
		if err = leaf.CheckSignatureFrom(authority); err == nil {
			return nil
		}
	}
	return err
}
