package enroll

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/renewal"
)

func (p *plane) Challenge(context.Context, *edgev1.ChallengeRequest) (*edgev1.ChallengeResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonce = make([]byte, 32)
	rand.Read(p.nonce)
	return &edgev1.ChallengeResponse{Nonce: p.nonce}, nil
}

func (p *plane) Renew(ctx context.Context, request *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.fail) > 0 {
		err := p.fail[0]
		p.fail = p.fail[1:]
		return nil, err
	}
	old, by, err := p.proved(ctx, request)
	if err != nil {
		return nil, err
	}
	p.ways = append(p.ways, by)
	asked, err := x509.ParseCertificateRequest(request.GetCertificateRequest())
	if err != nil {
		return nil, err
	}
	next := p.issuer.issue(p.t, asked.PublicKey, func(c *x509.Certificate) {
		c.URIs, c.ExtKeyUsage = old.URIs, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(p.life)
		if p.leaf != nil {
			p.leaf(c)
		}
	})
	answer := &edgev1.RenewResponse{
		Certificates: [][]byte{next.Raw, p.issuer.certificate.Raw},
		Trust:        p.bundle(2, "k2"),
		BusJwt:       busJWT(p.t, p.asked[0].GetBusPublicKey()),
		BusUrls:      []string{"tls://127.0.0.1:5222"},
	}
	if request.GetTrustVersion() == 1 {
		answer.Announcements = &edgev1.Announcements{Links: []*edgev1.SignedTrust{p.announce("k1", p.bundle(2, "k2"))}}
	}
	if p.reply != nil {
		p.reply(answer)
	}
	return answer, nil
}

// proved returns the certificate that is to be renewed.
func (p *plane) proved(ctx context.Context, request *edgev1.RenewRequest) (*x509.Certificate, way, error) {
	from, _ := peer.FromContext(ctx)
	shown := from.AuthInfo.(credentials.TLSInfo).State.PeerCertificates
	proof := request.GetProof()
	switch {
	case len(shown) > 0 && proof == nil:
		return shown[0], byCertificate, nil
	case len(shown) > 0 || proof == nil:
		return nil, "", status.Error(codes.InvalidArgument, "one way at a time")
	case !bytes.Equal(proof.GetNonce(), p.nonce):
		return nil, "", status.Error(codes.Unauthenticated, "another nonce")
	}
	leaf, err := x509.ParseCertificate(proof.GetCertificate())
	if err != nil {
		return nil, "", err
	}
	err = renewal.Verify(leaf.PublicKey, proof.GetNonce(), proof.GetCertificate(), request.GetCertificateRequest(), proof.GetSignature())
	if err != nil {
		return nil, "", status.Error(codes.Unauthenticated, err.Error())
	}
	return leaf, byProof, nil
}

func TestRenewedIdentityIsUsedAtOnceAndAfterARestart(t *testing.T) {
	for name, aged := range map[way]time.Duration{byCertificate: 0, byProof: time.Hour} {
		t.Run(string(name), func(t *testing.T) {
			p := newPlane(t)
			config, identity := enrolled(t, p)
			if aged > 0 {
				age(t, p, config, identity, aged)
			}
			was, config2 := identity.papers(), identity.TLS() // which a connection has held for long
			if err := NewRenewer(config, identity, nil).attempt(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if len(p.ways) != 1 || p.ways[0] != name {
				t.Errorf("it was proved by %v", p.ways)
			}
			shown, err := config2.GetClientCertificate(nil)
			if err != nil || bytes.Equal(shown.Leaf.Raw, was.certificate.Leaf.Raw) || !shown.Leaf.Equal(identity.papers().certificate.Leaf) {
				t.Errorf("the next handshake shows the old certificate: %v", err)
			}
			if bytes.Equal(identity.papers().record.Key, was.record.Key) {
				t.Error("the key is still the old one")
			}
			if token, err := identity.BusJWT(); err != nil || token == was.record.BusJWT {
				t.Errorf("the bus is told the old JWT: %v", err)
			}
			config.JoinToken, config.ControlPlane = "", "127.0.0.1:1"
			again, err := Ensure(t.Context(), config)
			if err != nil || again.Node() != identity.Node() || !again.Expires().Equal(identity.Expires()) ||
				again.papers().record.SigningKeys[0].ID != "k2" || again.BusURLs()[0] != "tls://127.0.0.1:5222" {
				t.Errorf("after a restart: %v", err)
			}
			// The server takes it: a handshake with the new certificate and key.
			config.ControlPlane = p.address
			if err := NewRenewer(config, again, nil).attempt(t.Context(), byCertificate); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRenewalsThatDoNotFitAreRefusedAndTheOldIdentityStays(t *testing.T) {
	other := newAuthority(t)
	reply := func(change func(*edgev1.RenewResponse)) func(*plane) {
		return func(p *plane) { p.reply = change }
	}
	// announced makes the answer announce something else.
	announced := func(by string, change func(*edgev1.TrustBundle)) func(*plane) {
		return func(p *plane) {
			p.reply = func(a *edgev1.RenewResponse) {
				bundle := p.bundle(2, "k2")
				change(bundle)
				a.Announcements.Links = []*edgev1.SignedTrust{p.announce(by, bundle)}
			}
		}
	}
	tests := map[string]func(*plane){
		"no certificate":            reply(func(a *edgev1.RenewResponse) { a.Certificates = nil }),
		"a damaged chain":           reply(func(a *edgev1.RenewResponse) { a.Certificates[1] = a.Certificates[1][1:] }),
		"a certificate for another": reply(func(a *edgev1.RenewResponse) { a.Certificates[0] = other.certificate.Raw }),
		"no authority":              announced("k1", func(b *edgev1.TrustBundle) { b.Authorities = nil }),
		"another authority":         announced("k1", func(b *edgev1.TrustBundle) { b.Authorities = [][]byte{other.certificate.Raw} }),
		"no signing key":            announced("k1", func(b *edgev1.TrustBundle) { b.SigningKeys = nil }),
		"a stranger's announcement": announced("k9", func(*edgev1.TrustBundle) {}),
		"a version skipped":         announced("k1", func(b *edgev1.TrustBundle) { b.Version = 3 }),
		"no bus JWT":                reply(func(a *edgev1.RenewResponse) { a.BusJwt = "" }),
		"a bus address that is none": reply(func(a *edgev1.RenewResponse) {
			a.BusUrls = []string{"here"}
		}),
		"issued by another": func(p *plane) { p.reply = func(*edgev1.RenewResponse) {}; p.issuer = other },
		"another node": func(p *plane) {
			p.leaf = func(c *x509.Certificate) { c.URIs = []*url.URL{mustURL(p.t, nodeID("env_x", "node_x"))} }
		},
		"for servers": func(p *plane) {
			p.leaf = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
		},
		"ended already": func(p *plane) { p.life = -time.Minute },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			config, identity := enrolled(t, p)
			was := identity.papers()
			spoil(p)
			if err := NewRenewer(config, identity, nil).attempt(t.Context(), byCertificate); err == nil {
				t.Error("taken")
			}
			kept, err := Load(config.Dir)
			if err != nil || identity.papers() != was || !kept.Expires().Equal(was.expires()) {
				t.Errorf("the old identity is gone: %v", err)
			}
		})
	}
}

func TestRenewedIdentityThatCannotBeKeptIsUsedOnlyIfTheOldOneHasEnded(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	was := identity.papers()
	identity.dir = config.Dir + "/" + fileName // a file where the directory belongs
	renewer := NewRenewer(config, identity, nil)
	if err := renewer.attempt(t.Context(), byCertificate); err == nil || identity.papers() != was {
		t.Errorf("used before it was kept: %v", err)
	}
	age(t, p, config, identity, time.Hour)
	if err := renewer.attempt(t.Context(), byProof); err != nil || !time.Now().Before(identity.Expires()) {
		t.Errorf("the node has no certificate: %v", err)
	}
}

func TestProofIsToldToNobodyButTheControlPlane(t *testing.T) {
	config, identity := enrolled(t, newPlane(t))
	impostor := newPlane(t)
	config.ControlPlane = impostor.address
	for _, by := range []way{byCertificate, byProof} {
		if err := NewRenewer(config, identity, nil).attempt(t.Context(), by); err == nil || len(impostor.ways) > 0 || impostor.nonce != nil {
			t.Errorf("by %s: an impostor was asked: %v", by, err)
		}
	}
}

func TestNodeWhoseCertificateHasEndedConnectsAgainWithoutATokenOrARestart(t *testing.T) {
	p := newPlane(t)
	config, identity := enrolled(t, p)
	age(t, p, config, identity, 29*24*time.Hour)
	var logged bytes.Buffer
	config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	connection, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(credentials.NewTLS(identity.TLS())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	ask := func() error {
		_, err := edgev1.NewEdgeServiceClient(connection).Challenge(t.Context(), &edgev1.ChallengeRequest{}, grpc.WaitForReady(identity.Expires().After(time.Now())))
		return err
	}
	if err := ask(); status.Code(err) != codes.Unavailable {
		t.Errorf("with the ended certificate: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	renewed := false
	renewer := NewRenewer(config, identity, func() {
		renewed = true
		connection.ResetConnectBackoff()
		cancel()
	})
	if err := renewer.Run(ctx); err != nil || !renewed {
		t.Errorf("%v, %s", err, &logged)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if succeeded, failed := renewer.Renewals(); succeeded != 1 || failed != 0 || strings.Contains(logged.String(), "ERROR") {
		t.Errorf("%d, %d: %s", succeeded, failed, &logged)
	}
}
