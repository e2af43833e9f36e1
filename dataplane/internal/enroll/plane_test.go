package enroll

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jointoken"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority is a certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	a.certificate = a.issue(t, a.key.Public(), func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	return a
}

// issue issues a control plane's certificate, unless change makes it something else.
func (a *authority) issue(t testing.TB, public crypto.PublicKey, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		URIs:         []*url.URL{mustURL(t, controlID)},
	}
	if change != nil {
		change(template)
	}
	parent := a.certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (a *authority) token(t testing.TB) jointoken.Token {
	t.Helper()
	token, err := jointoken.New(rand.Reader, sha256.Sum256(a.certificate.RawSubjectPublicKeyInfo))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// plane plays the control plane.
type plane struct {
	edgev1.UnimplementedEdgeServiceServer
	t         testing.TB
	authority *authority
	address   string
	life      time.Duration // of the certificates that it issues

	mu     sync.Mutex
	asked  []*edgev1.EnrollRequest
	ways   []way                         // how renewals were proved
	reply  func(*edgev1.RenewResponse)   // spoils the renewals
	nonce  []byte                        // the last one
	fail   []error                       // what the next calls are answered instead
	change func(*edgev1.EnrollResponse)  // spoils the answers
	leaf   func(*x509.Certificate)       // spoils the node's certificates
	issuer *authority                    // of the node's certificates
	peers  []*x509.Certificate           // who called
	dress  func(*tls.Config) *tls.Config // changes how it serves
}

func newPlane(t testing.TB, change ...func(*plane)) *plane {
	t.Helper()
	p := &plane{t: t, authority: newAuthority(t), life: 24 * time.Hour}
	p.issuer = p.authority
	for _, f := range change {
		f(p)
	}
	key := newKey(t)
	chain := [][]byte{p.authority.issue(t, key.Public(), nil).Raw, p.authority.certificate.Raw}
	clients := x509.NewCertPool()
	clients.AddCert(p.authority.certificate)
	config := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key}},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    clients,
		VerifyConnection: func(state tls.ConnectionState) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.peers = append(p.peers, state.PeerCertificates...)
			return nil
		},
	}
	if p.dress != nil {
		config = p.dress(config)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	edgev1.RegisterEdgeServiceServer(server, p)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends by Stop
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	return p
}

func (p *plane) Enroll(_ context.Context, request *edgev1.EnrollRequest) (*edgev1.EnrollResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, request)
	if len(p.fail) > 0 {
		err := p.fail[0]
		p.fail = p.fail[1:]
		return nil, err
	}
	request2, err := x509.ParseCertificateRequest(request.GetCertificateRequest())
	if err != nil {
		return nil, err
	}
	if err := request2.CheckSignature(); err != nil {
		return nil, err
	}
	node, environment := id.Text("node", id.New(time.Now())), id.Text("env", id.New(time.Now()))
	certificate := p.issuer.issue(p.t, request2.PublicKey, func(c *x509.Certificate) {
		c.URIs = []*url.URL{mustURL(p.t, nodeID(environment, node))}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.NotBefore = time.Now().Add(-48 * time.Hour)
		c.NotAfter = time.Now().Add(p.life)
		if p.leaf != nil {
			p.leaf(c)
		}
	})
	answer := &edgev1.EnrollResponse{
		Node: node, Environment: environment, EnvironmentName: "production",
		Certificates: [][]byte{certificate.Raw, p.issuer.certificate.Raw},
		Trust: &edgev1.TrustBundle{
			Authorities: [][]byte{p.authority.certificate.Raw},
			SigningKeys: []*edgev1.SigningKey{p.signing("k1")},
			Version:     1,
		},
		BusJwt:  busJWT(p.t, request.GetBusPublicKey()),
		BusUrls: []string{"tls://127.0.0.1:4222"},
	}
	if p.change != nil {
		p.change(answer)
	}
	return answer, nil
}

// key returns a signing key of the plane by its name.
func (p *plane) key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(p.address + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (p *plane) signing(name string) *edgev1.SigningKey {
	return &edgev1.SigningKey{Id: name, PublicKey: p.key(name).Public().(ed25519.PublicKey)}
}

// announce signs a bundle, whether it is a good one or not.
func (p *plane) announce(by string, bundle *edgev1.TrustBundle) *edgev1.SignedTrust {
	body, err := proto.Marshal(bundle)
	if err != nil {
		p.t.Fatal(err)
	}
	return &edgev1.SignedTrust{Bundle: body, Signature: ed25519.Sign(p.key(by), append([]byte("sallyport trust v1\x00"), body...)), KeyId: by}
}

// bundle is one of the plane's authority and the keys of these names.
func (p *plane) bundle(version uint64, keys ...string) *edgev1.TrustBundle {
	b := &edgev1.TrustBundle{Version: version, Authorities: [][]byte{p.authority.certificate.Raw}}
	for _, key := range keys {
		b.SigningKeys = append(b.SigningKeys, p.signing(key))
	}
	return b
}

func busJWT(t testing.TB, user string) string {
	t.Helper()
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.NewUserClaims(user).Encode(account)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (p *plane) calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

// config is a node's, with a data directory of its own.
func (p *plane) config(t testing.TB, token string) Config {
	t.Helper()
	return Config{Dir: t.TempDir() + "/data", JoinToken: token, ControlPlane: p.address, Name: "edge-1", Logger: slog.New(slog.DiscardHandler)}
}
