package enroll

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// accept makes papers of the control plane's answer, if it is one for our keys, from the
// authority that the join token named.
func accept(answer *edgev1.EnrollResponse, own keys, authority *x509.Certificate) (*papers, error) {
	r := record{
		Version:         recordVersion,
		Node:            answer.GetNode(),
		Environment:     answer.GetEnvironment(),
		EnvironmentName: answer.GetEnvironmentName(),
		Certificates:    answer.GetCertificates(),
		Key:             own.private,
		BusSeed:         own.seed,
		BusJWT:          answer.GetBusJwt(),
		BusURLs:         answer.GetBusUrls(),
	}
	r.believe(answer.GetTrust())
	p, err := newPapers(r)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(p.authorities, authority.Equal) {
		return nil, errors.New("the trust bundle lacks the authority that the join token names")
	}
	// The authority that vouches for who answers vouches for the bundle: another may issue by now.
	if err := p.checkChain(p.authorities); err != nil {
		return nil, err
	}
	return p, nil
}

// acceptRenewal makes papers of the control plane's answer, if it is one for the key, and for who the
// node was. Whom to believe changes by announcements alone: who has an authority's key is not who may
// name the keys that sign.
func (p *papers) acceptRenewal(answer *edgev1.RenewResponse, private []byte, held Held) (*papers, error) {
	r := p.record
	r.Certificates, r.Key = answer.GetCertificates(), private
	r.BusJWT, r.BusURLs = answer.GetBusJwt(), answer.GetBusUrls()
	if err := r.learn(answer.GetAnnouncements(), held); err != nil {
		return nil, err
	}
	next, err := newPapers(r)
	if err != nil {
		return nil, err
	}
	if err := next.checkChain(next.authorities); err != nil {
		return nil, err
	}
	return next, nil
}

func (r *record) believe(trust *edgev1.TrustBundle) {
	r.Authorities, r.SigningKeys = trust.GetAuthorities(), nil
	r.TrustVersion, r.BusIssuers = trust.GetVersion(), trust.GetBusIssuers()
	for _, key := range trust.GetSigningKeys() {
		r.SigningKeys = append(r.SigningKeys, signingKey{ID: key.GetId(), PublicKey: key.GetPublicKey()})
	}
}

// checkChain checks that the node's certificate is good now, by one of the authorities.
func (p *papers) checkChain(authorities []*x509.Certificate) error {
	chain, err := x509.ParseCertificates(slices.Concat(p.record.Certificates...))
	if err != nil {
		return fmt.Errorf("the node's chain: %w", err)
	}
	if err := verifyChain(chain, authorities, x509.ExtKeyUsageClientAuth); err != nil {
		return fmt.Errorf("the node's certificate: %w", err)
	}
	return nil
}
