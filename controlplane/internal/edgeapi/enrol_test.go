package edgeapi_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jointoken"
)

func TestJoinTokenMakesANodeOfItsEnvironment(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	got := node.Identity
	if got.GetEnvironment() != c.environment || got.GetEnvironmentName() != "production" || got.GetBusJwt() == "" || len(got.GetBusUrls()) != 1 {
		t.Errorf("identity: %v", got)
	}
	leaf, err := x509.ParseCertificate(got.GetCertificates()[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := "spiffe://sallyport/env/" + c.environment + "/node/" + got.GetNode(); leaf.URIs[0].String() != want {
		t.Errorf("the certificate is of %s", leaf.URIs[0])
	}
	if life := time.Until(leaf.NotAfter); life > 24*time.Hour || life < 23*time.Hour {
		t.Errorf("it lives %v", life)
	}
	kept, err := c.nodes.Get(t.Context(), c.environment, got.GetNode())
	if err != nil || kept.GetName() != "edge-1" || kept.GetConnected() || !kept.GetCertificateExpiresAt().AsTime().Equal(leaf.NotAfter) {
		t.Errorf("kept as %v: %v", kept, err)
	}
}

func TestBadJoinTokensAreRefusedAlike(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	used := c.token(1, time.Hour)
	first, err := edgetest.Enroll(t.Context(), c.address, used, "first")
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	unknown, err := jointoken.New(rand.Reader, c.authority.Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	good := c.token(1, time.Hour)
	otherAuthority, err := jointoken.New(rand.Reader, sha256.Sum256([]byte("another")))
	if err != nil {
		t.Fatal(err)
	}
	swapped := good[:16] + unknown.String()[16:] // a known id with another secret
	tokens := map[string]string{
		"used up":           used,
		"unknown":           unknown.String(),
		"wrong secret":      swapped,
		"malformed":         "spj_x",
		"empty":             "",
		"another authority": otherAuthority.String(),
	}
	texts := make(map[string]bool)
	for name, token := range tokens {
		_, err := edgetest.EnrollTrusting(t.Context(), c.address, token, name, c.authority.Fingerprint())
		if codeOf(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
			continue
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("the answers tell the reasons apart: %v", texts)
	}
	if c.stats.EnrolRefused.Load() != uint64(len(tokens)) {
		t.Errorf("%d refusals counted", c.stats.EnrolRefused.Load())
	}
}

func TestExpiredJoinTokenIsRefused(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	token, err := jointoken.New(rand.Reader, c.authority.Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	digest := token.SecretDigest()
	now := time.Now()
	err = c.db.Fleet().InsertJoinToken(t.Context(), fleet.JoinToken{
		ID: id.Text("jt", id.New(now)), Environment: c.environment, Name: "old", Lookup: token.ID, Digest: digest[:],
		ExpiresAt: now.Add(-time.Second), MaxUses: 1, CreatedAt: now.Add(-time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := edgetest.Enroll(t.Context(), c.address, token.String(), "late"); codeOf(err) != codes.Unauthenticated {
		t.Error(err)
	}
}

func TestJoinTokenGivesExactlyItsUsesWhenManyComeAtOnce(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	token := c.token(3, time.Hour)
	var mu sync.Mutex
	enrolled := 0
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			node, err := edgetest.Enroll(t.Context(), c.address, token, "n")
			if err == nil {
				node.Close()
				mu.Lock()
				enrolled++
				mu.Unlock()
			} else if codeOf(err) != codes.Unauthenticated {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if enrolled != 3 {
		t.Errorf("%d nodes enrolled", enrolled)
	}
}

func TestNodeGivesItsTokenToNoOtherAuthority(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	_, err := edgetest.EnrollTrusting(t.Context(), c.address, c.token(1, time.Hour), "n", sha256.Sum256([]byte("another")))
	if codeOf(err) != codes.Unavailable {
		t.Errorf("it enrolled: %v", err)
	}
	if c.stats.EnrolRefused.Load() != 0 {
		t.Error("the token was sent")
	}
}

func TestRequestThatIsNoGoodUsesNoToken(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	token := c.token(1, time.Hour)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaRequest, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, weak)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	client := c.anonymous()
	for name, request := range map[string]*edgev1.EnrollRequest{
		"an RSA key":         {CertificateRequest: rsaRequest, BusPublicKey: "U"},
		"a broken signature": {CertificateRequest: forged, BusPublicKey: "U"},
		"no request":         {BusPublicKey: "U"},
		"no bus key":         {CertificateRequest: good},
	} {
		request.JoinToken = token
		if _, err := client.Enroll(t.Context(), request); codeOf(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Enroll(t.Context(), &edgev1.EnrollRequest{JoinToken: token, CertificateRequest: good, BusPublicKey: "U"}); err != nil {
		t.Errorf("the token was used up: %v", err)
	}
}

// anonymous returns a client without a certificate.
func (c *control) anonymous() edgev1.EdgeServiceClient {
	c.t.Helper()
	return c.client(&tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})
}

func (c *control) client(config *tls.Config) edgev1.EdgeServiceClient {
	c.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+c.address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	return edgev1.NewEdgeServiceClient(conn)
}

func TestSyncNeedsANodesCertificate(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	hello := func(client edgev1.EdgeServiceClient) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, err := client.SyncDirectory(ctx)
		if err != nil {
			return err
		}
		_, err = stream.Recv()
		return err
	}
	if err := hello(c.anonymous()); codeOf(err) != codes.Unauthenticated {
		t.Errorf("without a certificate: %v", err)
	}
	stranger := newControl(t, edgeapi.Times{}).enrol("n") // of another installation
	foreign, err := stranger.TLS()
	if err != nil {
		t.Fatal(err)
	}
	foreign.VerifyConnection = nil
	shown := foreign.Certificates[0] // whatever authorities the server names
	foreign.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
	if err := hello(c.client(foreign)); codeOf(err) != codes.Unavailable {
		t.Errorf("with a certificate of another authority: %v", err)
	}
}
