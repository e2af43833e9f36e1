package edgetest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/renewal"
)

// Request returns a new key and a certificate request for it.
func Request() (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return key, request, err
}

// Renew renews the node's certificate over its connection, and connects anew with what it got.
func (n *Node) Renew(ctx context.Context) error {
	key, request, err := Request()
	if err != nil {
		return err
	}
	answer, err := n.client.Renew(ctx, &edgev1.RenewRequest{CertificateRequest: request})
	if err != nil {
		return err
	}
	return n.take(answer, key)
}

// RenewByProof renews the node's certificate without showing it, and connects anew with what it got.
func (n *Node) RenewByProof(ctx context.Context) error {
	client, end, err := n.anonymous()
	if err != nil {
		return err
	}
	defer end()
	key, request, err := Request()
	if err != nil {
		return err
	}
	proof, err := n.Prove(ctx, client, request)
	if err != nil {
		return err
	}
	answer, err := client.Renew(ctx, &edgev1.RenewRequest{CertificateRequest: request, Proof: proof})
	if err != nil {
		return err
	}
	return n.take(answer, key)
}

// Prove returns the proof of the node's key over a certificate request.
func (n *Node) Prove(ctx context.Context, client edgev1.EdgeServiceClient, request []byte) (*edgev1.RenewalProof, error) {
	certificate := n.certificate.Certificate[0]
	challenge, err := client.Challenge(ctx, &edgev1.ChallengeRequest{Certificate: certificate})
	if err != nil {
		return nil, err
	}
	signature, err := renewal.Sign(n.certificate.PrivateKey.(crypto.Signer), challenge.GetNonce(), certificate, request)
	return &edgev1.RenewalProof{Certificate: certificate, Nonce: challenge.GetNonce(), Signature: signature}, err
}

// Client returns the client of the node's connection.
func (n *Node) Client() edgev1.EdgeServiceClient { return n.client }

// Leaf returns the node's certificate.
func (n *Node) Leaf() (*x509.Certificate, error) {
	return x509.ParseCertificate(n.certificate.Certificate[0])
}

// Wear makes the node show another certificate (DER chain) from its next connection on.
func (n *Node) Wear(chain [][]byte, key crypto.Signer) {
	n.certificate = tls.Certificate{Certificate: chain, PrivateKey: key}
}

func (n *Node) take(answer *edgev1.RenewResponse, key crypto.Signer) error {
	n.Identity.BusJwt = answer.GetBusJwt()
	n.Wear(answer.GetCertificates(), key)
	return n.Connect()
}

// anonymous returns a client whose connection shows no certificate, and what ends it.
func (n *Node) anonymous() (edgev1.EdgeServiceClient, func(), error) {
	authority, err := x509.ParseCertificate(n.Identity.GetTrust().GetAuthorities()[0])
	if err != nil {
		return nil, nil, err
	}
	pin := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	conn, err := dial(n.address, func(chain []*x509.Certificate) error { return checkControl(chain, pin) }, nil)
	if err != nil {
		return nil, nil, err
	}
	return edgev1.NewEdgeServiceClient(conn), func() { _ = conn.Close() }, nil
}
