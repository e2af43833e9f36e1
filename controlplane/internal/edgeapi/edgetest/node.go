package edgetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/jointoken"
)

// Node is an enrolled node.
type Node struct {
	Identity *edgev1.EnrollResponse
	BusSeed  []byte // of its user nkey

	address     string
	certificate tls.Certificate
	conn        *grpc.ClientConn
	client      edgev1.EdgeServiceClient
}

// Enroll turns a join token into a node, over a connection that trusts the authority in the token.
func Enroll(ctx context.Context, address, token, name string) (*Node, error) {
	parsed, err := jointoken.Parse(token)
	if err != nil {
		return nil, err
	}
	return EnrollTrusting(ctx, address, token, name, parsed.Authority)
}

// EnrollTrusting is Enroll over a connection that trusts an authority of the caller's choice.
func EnrollTrusting(ctx context.Context, address, token, name string, authority [sha256.Size]byte) (*Node, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	public, err := user.PublicKey()
	if err != nil {
		return nil, err
	}
	seed, err := user.Seed()
	if err != nil {
		return nil, err
	}
	conn, err := dial(address, func(chain []*x509.Certificate) error { return checkControl(chain, authority) }, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	identity, err := edgev1.NewEdgeServiceClient(conn).Enroll(ctx, &edgev1.EnrollRequest{
		JoinToken: token, CertificateRequest: request, BusPublicKey: public, Name: name,
	})
	if err != nil {
		return nil, err
	}
	n := &Node{
		Identity: identity, BusSeed: seed, address: address,
		certificate: tls.Certificate{Certificate: identity.GetCertificates(), PrivateKey: key},
	}
	if err := n.Connect(); err != nil {
		return nil, err
	}
	return n, nil
}

// Connect opens the node's connection, again if need be.
func (n *Node) Connect() error {
	authority, err := x509.ParseCertificate(n.Identity.GetTrust().GetAuthorities()[0])
	if err != nil {
		return err
	}
	pin := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	n.Close()
	n.conn, err = dial(n.address, func(chain []*x509.Certificate) error { return checkControl(chain, pin) }, &n.certificate)
	if err != nil {
		return err
	}
	n.client = edgev1.NewEdgeServiceClient(n.conn)
	return nil
}

// Reconnect opens the node's connection to another address: that of a control plane that was started again.
func (n *Node) Reconnect(address string) error {
	n.address = address
	return n.Connect()
}

// Close ends the node's connection.
func (n *Node) Close() {
	if n.conn != nil {
		_ = n.conn.Close() // nothing is lost
		n.conn = nil
	}
}

// TLS returns what the node connects to the bus with.
func (n *Node) TLS() (*tls.Config, error) {
	authority, err := x509.ParseCertificate(n.Identity.GetTrust().GetAuthorities()[0])
	if err != nil {
		return nil, err
	}
	pin := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	return clientTLS(func(chain []*x509.Certificate) error { return checkControl(chain, pin) }, &n.certificate), nil
}

// Replica returns an empty replica that believes what the node was told to.
func (n *Node) Replica(lane edgev1.Lane) *Replica {
	return NewReplica(lane, n.Identity.GetEnvironment(), n.Identity.GetTrust().GetSigningKeys())
}

func dial(address string, verify func([]*x509.Certificate) error, certificate *tls.Certificate) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(verify, certificate))))
}

// clientTLS checks names its own way: the control plane is known by its SPIFFE id, not by a host.
func clientTLS(verify func([]*x509.Certificate) error, certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection checks the chain
		VerifyConnection:   func(state tls.ConnectionState) error { return verify(state.PeerCertificates) },
	}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return config
}

// checkControl accepts a chain whose authority has this hash, and whose leaf is the control plane's.
func checkControl(chain []*x509.Certificate, authority [sha256.Size]byte) error {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range chain {
		between.AddCert(c)
		if c.IsCA && sha256.Sum256(c.RawSubjectPublicKeyInfo) == authority {
			roots.AddCert(c)
		}
	}
	if len(chain) == 0 || len(chain[0].URIs) != 1 || chain[0].URIs[0].String() != "spiffe://sallyport/control" {
		return errors.New("not the control plane")
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return fmt.Errorf("not the control plane that the token names: %w", err)
	}
	return nil
}
