package fleet_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/proto/id"
)

func newAuthority(t *testing.T, m *materials) *fleet.Authority {
	t.Helper()
	authority, err := fleet.LoadAuthority(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func newIdentity() fleet.Identity {
	return fleet.Identity{Environment: id.Text("env", id.New(time.Now())), Node: id.Text("node", id.New(time.Now()))}
}

func request(t *testing.T, key any, template *x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestEveryReplicaHasTheSameAuthorityAndSigner(t *testing.T) {
	m := &materials{}
	if first, second := newAuthority(t, m), newAuthority(t, m); first.Fingerprint() != second.Fingerprint() {
		t.Error("two authorities")
	}
	one, err1 := fleet.LoadSigner(t.Context(), m)
	two, err2 := fleet.LoadSigner(t.Context(), m)
	if err1 != nil || err2 != nil || one.Key().GetId() != two.Key().GetId() {
		t.Errorf("two signers: %v, %v", err1, err2)
	}
	certificate, err := x509.ParseCertificate(newAuthority(t, m).Certificate())
	if err != nil || sha256.Sum256(certificate.RawSubjectPublicKeyInfo) != newAuthority(t, m).Fingerprint() {
		t.Errorf("the fingerprint isn't the key's: %v", err)
	}
}

func TestNodesCertificateNamesTheNodeWhateverTheRequestSays(t *testing.T) {
	authority, identity := newAuthority(t, &materials{}), newIdentity()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := url.Parse(fleet.ControlURI)
	if err != nil {
		t.Fatal(err)
	}
	chain, ends, err := authority.IssueNode(identity, request(t, key, &x509.CertificateRequest{
		URIs: []*url.URL{forged}, DNSNames: []string{"control"}, IPAddresses: []net.IP{net.IPv4(1, 2, 3, 4)},
	}))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fleet.IdentityOf(leaf); err != nil || got != identity {
		t.Errorf("it is of %v: %v", got, err)
	}
	if len(leaf.DNSNames)+len(leaf.IPAddresses) > 0 || leaf.IsCA || !leaf.NotAfter.Equal(ends) {
		t.Errorf("%+v", leaf)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: authority.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("a node can pass for a server")
	}
}

func TestOnlyStrongKeysGetCertificates(t *testing.T) {
	authority := newAuthority(t, &materials{})
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]struct {
		key any
		ok  bool
	}{"rsa": {weak, false}}
	for name, curve := range map[string]elliptic.Curve{"p224": elliptic.P224(), "p256": elliptic.P256(), "p384": elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = struct {
			key any
			ok  bool
		}{key, name != "p224"}
	}
	for name, k := range keys {
		_, _, err := authority.IssueNode(newIdentity(), request(t, k.key, &x509.CertificateRequest{}))
		if k.ok && err != nil || !k.ok && !errors.Is(err, fleet.ErrKeyRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServersCertificateIsTheControlPlanesAndIsShownWithItsAuthority(t *testing.T) {
	authority := newAuthority(t, &materials{})
	certificate, err := fleet.NewServerCertificate(authority)
	if err != nil {
		t.Fatal(err)
	}
	config := certificate.TLS(tls.VerifyClientCertIfGiven, "h2")
	shown, err := config.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(shown.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != fleet.ControlURI || !bytes.Equal(shown.Certificate[1], authority.Certificate()) {
		t.Errorf("it is of %v, with %d certificates", leaf.URIs, len(shown.Certificate))
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: authority.Pool()}); err != nil {
		t.Error(err)
	}
	if _, err := fleet.IdentityOf(leaf); !errors.Is(err, fleet.ErrNoIdentity) {
		t.Error("the control plane can pass for a node")
	}
	if again, err := config.GetCertificate(nil); err != nil || again != shown {
		t.Errorf("each handshake makes another: %v", err)
	}
}

func TestAnythingButANodesURIIsNoIdentity(t *testing.T) {
	good := newIdentity()
	text := good.URI().String()
	if got, err := fleet.ParseIdentity(text); err != nil || got != good {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{
		"", fleet.ControlURI, strings.ToUpper(text), text + "/", text + "?x", text + "/node/" + good.Node, " " + text,
		strings.Replace(text, "sallyport", "other", 1), strings.Replace(text, "/node/", "/nodes/", 1),
		"spiffe://sallyport/env/" + good.Node + "/node/" + good.Environment,
	} {
		if got, err := fleet.ParseIdentity(bad); !errors.Is(err, fleet.ErrNoIdentity) {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if _, err := fleet.IdentityOf(&x509.Certificate{URIs: []*url.URL{good.URI(), good.URI()}}); err == nil {
		t.Error("a certificate with two URIs has an identity")
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add(newIdentity().URI().String())
	f.Add(fleet.ControlURI)
	f.Fuzz(func(t *testing.T, text string) {
		identity, err := fleet.ParseIdentity(text)
		if err == nil && identity.URI().String() != text {
			t.Errorf("%q was taken for %q", text, identity.URI())
		}
	})
}
