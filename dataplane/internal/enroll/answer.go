package enroll

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// accept makes an identity of the control plane's answer, if it is one for our keys, from the
// authority that the join token named.
func accept(answer *edgev1.EnrollResponse, own keys, authority *x509.Certificate) (*Identity, error) {
	r := record{
		Version:         recordVersion,
		Node:            answer.GetNode(),
		Environment:     answer.GetEnvironment(),
		EnvironmentName: answer.GetEnvironmentName(),
		Certificates:    answer.GetCertificates(),
		Key:             own.private,
		Authorities:     answer.GetTrust().GetAuthorities(),
		BusSeed:         own.seed,
		BusJWT:          answer.GetBusJwt(),
		BusURLs:         answer.GetBusUrls(),
	}
	for _, key := range answer.GetTrust().GetSigningKeys() {
		r.SigningKeys = append(r.SigningKeys, signingKey{ID: key.GetId(), PublicKey: key.GetPublicKey()})
	}
	identity, err := newIdentity(r)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(identity.authorities, authority.Equal) {
		return nil, errors.New("the trust bundle lacks the authority that the join token names")
	}
	chain, err := x509.ParseCertificates(slices.Concat(r.Certificates...))
	if err != nil {
		return nil, fmt.Errorf("the node's chain: %w", err)
	}
	if err := verifyChain(chain, []*x509.Certificate{authority}, x509.ExtKeyUsageClientAuth); err != nil {
		return nil, fmt.Errorf("the node's certificate: %w", err)
	}
	return identity, nil
}
