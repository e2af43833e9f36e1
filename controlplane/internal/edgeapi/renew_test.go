package edgeapi_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/renewal"
)

func leafOf(t *testing.T, node *edgetest.Node) *x509.Certificate {
	t.Helper()
	leaf, err := node.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func request(t *testing.T) (crypto.Signer, []byte) {
	t.Helper()
	key, request, err := edgetest.Request()
	if err != nil {
		t.Fatal(err)
	}
	return key, request
}

func TestRenewalKeepsTheNodeAndReplacesKeyCertificateAndBusJWT(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	for name, renew := range map[string]func(*edgetest.Node) error{
		"by certificate": func(n *edgetest.Node) error { return n.Renew(t.Context()) },
		"by proof":       func(n *edgetest.Node) error { return n.RenewByProof(t.Context()) },
	} {
		node := c.enrol("edge-1")
		old := leafOf(t, node)
		node.Identity.BusJwt = ""
		if err := renew(node); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		renewed := leafOf(t, node)
		if renewed.URIs[0].String() != old.URIs[0].String() || renewed.SerialNumber.Cmp(old.SerialNumber) == 0 || renewed.NotAfter.Before(old.NotAfter) {
			t.Errorf("%s: %v until %v became %v until %v", name, old.URIs, old.NotAfter, renewed.URIs, renewed.NotAfter)
		}
		if renewed.PublicKey.(*ecdsa.PublicKey).Equal(old.PublicKey) || node.Identity.GetBusJwt() == "" {
			t.Errorf("%s: the key is still the old one, or there is no bus JWT", name)
		}
		kept, err := c.nodes.Get(t.Context(), c.environment, node.Identity.GetNode())
		if err != nil || !kept.GetCertificateExpiresAt().AsTime().Equal(renewed.NotAfter) {
			t.Errorf("%s: kept as %v: %v", name, kept, err)
		}
		stream := c.open(node, node.Replica(directory), directory)
		if _, err := stream.Next(); err != nil {
			t.Errorf("%s: no stream with the new certificate: %v", name, err)
		}
	}
	if c.stats.Renewed.Load() != 2 {
		t.Errorf("%d renewals counted", c.stats.Renewed.Load())
	}
}

// aged makes the node's certificate one that the authority issued long ago, and that ended so long ago.
func (c *control) aged(t *testing.T, node *edgetest.Node, ended time.Duration) {
	t.Helper()
	stored, err := c.vault.Material(t.Context(), "fleet/authority", func() ([]byte, error) { return nil, errors.New("there is none") })
	if err != nil {
		t.Fatal(err)
	}
	authority, err := tls.X509KeyPair(stored, stored)
	if err != nil {
		t.Fatal(err)
	}
	key, template := mustKey(t), leafOf(t, node)
	template.NotAfter = time.Now().Add(-ended)
	template.NotBefore = template.NotAfter.Add(-fleet.NodeLife)
	leaf, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, key.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	node.Wear([][]byte{leaf, c.authority.Certificate()}, key)
}

func TestNodeWhoseCertificateHasEndedComesBackByProofForThirtyDays(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	c.aged(t, node, renewal.Grace-time.Minute)
	if err := node.Connect(); err != nil {
		t.Fatal(err)
	}
	stream, err := node.Open(t.Context(), directory, node.Replica(directory).Hello())
	if err == nil {
		_, err = stream.Next()
	}
	if codeOf(err) != codes.Unavailable {
		t.Errorf("the ended certificate opens a stream: %v", err)
	}
	if err := node.RenewByProof(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.open(node, node.Replica(directory), directory).Next(); err != nil {
		t.Error(err)
	}
	c.aged(t, node, renewal.Grace+time.Minute)
	if err := node.RenewByProof(t.Context()); codeOf(err) != codes.Unauthenticated {
		t.Errorf("after thirty days: %v", err)
	}
}

func TestDisabledOrRemovedNodeRenewsNothing(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	before := leafOf(t, node)
	if _, err := c.nodes.SetEnabled(t.Context(), c.environment, node.Identity.GetNode(), false); err != nil {
		t.Fatal(err)
	}
	if err := node.Renew(t.Context()); codeOf(err) != codes.PermissionDenied {
		t.Errorf("by certificate: %v", err)
	}
	if err := node.RenewByProof(t.Context()); codeOf(err) != codes.PermissionDenied {
		t.Errorf("by proof: %v", err)
	}
	kept, err := c.nodes.Get(t.Context(), c.environment, node.Identity.GetNode())
	if err != nil || !kept.GetCertificateExpiresAt().AsTime().Equal(before.NotAfter) {
		t.Errorf("kept as %v: %v", kept, err)
	}
	stranger := newNobody(t, c)
	if err := stranger.RenewByProof(t.Context()); codeOf(err) != codes.PermissionDenied {
		t.Errorf("a node that was removed: %v", err)
	}
}

// newNobody returns a node that holds a good certificate, and that the database doesn't know.
func newNobody(t *testing.T, c *control) *edgetest.Node {
	t.Helper()
	node := c.enrol("gone")
	key, csr := request(t)
	chain, _, err := c.authority.IssueNode(fleet.Identity{
		Environment: c.environment, Node: "node_" + "0123456789abcdefghjkmnpqrs",
	}, csr)
	if err != nil {
		t.Fatal(err)
	}
	node.Wear(chain, key)
	return node
}

// forgery is a request for a renewal by proof, and who makes it.
type forgery struct {
	node    *edgetest.Node
	client  edgev1.EdgeServiceClient
	request *edgev1.RenewRequest
}

func TestProofsThatAreNoneAreRefusedAlike(t *testing.T) {
	c, elsewhere := newControl(t, edgeapi.Times{}), newControl(t, edgeapi.Times{})
	other, foreign := c.enrol("other"), elsewhere.enrol("foreign")
	prove := func(f *forgery) {
		proof, err := f.node.Prove(t.Context(), f.client, f.request.GetCertificateRequest())
		if err != nil {
			t.Fatal(err)
		}
		f.request.Proof = proof
	}
	forgeries := map[string]func(*forgery){
		"of another authority":  func(f *forgery) { f.node = foreign; prove(f) },
		"of the authority":      func(f *forgery) { f.node.Wear([][]byte{c.authority.Certificate()}, mustKey(t)); prove(f) },
		"no certificate":        func(f *forgery) { f.node.Wear([][]byte{nil}, mustKey(t)); prove(f) },
		"nonsense":              func(f *forgery) { f.node.Wear([][]byte{[]byte("nonsense")}, mustKey(t)); prove(f) },
		"by another's key":      func(f *forgery) { f.node.Wear([][]byte{leafOf(t, other).Raw}, mustKey(t)); prove(f) },
		"for another request":   func(f *forgery) { _, f.request.CertificateRequest = request(t) },
		"another's certificate": func(f *forgery) { f.request.Proof.Certificate = leafOf(t, other).Raw },
		"another's nonce": func(f *forgery) {
			theirs, err := other.Prove(t.Context(), f.client, f.request.GetCertificateRequest())
			if err != nil {
				t.Fatal(err)
			}
			f.request.Proof.Nonce = theirs.GetNonce()
		},
		"a nonce of another control plane": func(f *forgery) { f.client = elsewhere.anonymous(); prove(f) },
		"a nonce that lives longer":        func(f *forgery) { f.request.Proof.Nonce[0] ^= 1 },
		"a nonce of another seal":          func(f *forgery) { f.request.Proof.Nonce[50] ^= 1 },
		"half of a nonce":                  func(f *forgery) { f.request.Proof.Nonce = f.request.Proof.Nonce[:30] },
		"no nonce":                         func(f *forgery) { f.request.Proof.Nonce = nil },
		"no signature":                     func(f *forgery) { f.request.Proof.Signature = nil },
		"another signature":                func(f *forgery) { f.request.Proof.Signature[10] ^= 1 },
		"an empty proof":                   func(f *forgery) { f.request.Proof = &edgev1.RenewalProof{} },
	}
	texts := make(map[string]bool)
	for name, forge := range forgeries {
		node := c.enrol("victim")
		_, csr := request(t)
		f := &forgery{node: node, client: c.anonymous(), request: &edgev1.RenewRequest{CertificateRequest: csr}}
		prove(f)
		forge(f)
		_, err := c.anonymous().Renew(t.Context(), f.request)
		if codeOf(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
			continue
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("the answers tell the reasons apart: %v", texts)
	}
	if c.stats.RenewalsRefused.Load() != uint64(len(forgeries)) || c.stats.Renewed.Load() != 0 {
		t.Errorf("%d refusals counted", c.stats.RenewalsRefused.Load())
	}
}

func mustKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRequestsThatCannotBeGrantedAreRefusedHoweverTheNodeProvesItself(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaRequest, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, weak)
	if err != nil {
		t.Fatal(err)
	}
	_, good := request(t)
	forged := slices.Clone(good)
	forged[len(forged)-1] ^= 1
	for name, csr := range map[string][]byte{"an RSA key": rsaRequest, "a broken signature": forged, "none": nil} {
		if _, err := node.Client().Renew(t.Context(), &edgev1.RenewRequest{CertificateRequest: csr}); codeOf(err) != codes.InvalidArgument {
			t.Errorf("%s, by certificate: %v", name, err)
		}
		client := c.anonymous()
		proof, err := node.Prove(t.Context(), client, csr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Renew(t.Context(), &edgev1.RenewRequest{CertificateRequest: csr, Proof: proof}); codeOf(err) != codes.InvalidArgument {
			t.Errorf("%s, by proof: %v", name, err)
		}
	}
	proof, err := node.Prove(t.Context(), c.anonymous(), good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Client().Renew(t.Context(), &edgev1.RenewRequest{CertificateRequest: good, Proof: proof}); codeOf(err) != codes.InvalidArgument {
		t.Errorf("two ways at once: %v", err)
	}
	if _, err := c.anonymous().Renew(t.Context(), &edgev1.RenewRequest{CertificateRequest: good}); codeOf(err) != codes.Unauthenticated {
		t.Errorf("without certificate and proof: %v", err)
	}
}

func TestProofSentTwiceYieldsNothingButCertificatesOfTheSameKey(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	key, csr := request(t)
	client := c.anonymous()
	proof, err := node.Prove(t.Context(), client, csr)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		answer, err := client.Renew(t.Context(), &edgev1.RenewRequest{CertificateRequest: csr, Proof: proof})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(answer.GetCertificates()[0])
		if err != nil || !leaf.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Errorf("a certificate of another key: %v", err)
		}
	}
}

func TestConnectionEndsWithItsCertificateAndTheRenewedOneOpensAnother(t *testing.T) {
	c := newControlFor(t, edgeapi.Times{Grace: 10 * time.Millisecond}, 4*time.Second)
	node := c.enrol("edge-1")
	replica := node.Replica(directory)
	stream := c.open(node, replica, directory)
	for {
		if _, err := stream.Next(); err != nil {
			if codeOf(err) != codes.Unavailable {
				t.Errorf("the stream ended with %v", err)
			}
			break
		}
	}
	if ended := leafOf(t, node).NotAfter; time.Now().Before(ended) {
		t.Errorf("the stream ended before its certificate did")
	}
	if err := node.RenewByProof(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.open(node, replica, directory).Next(); err != nil {
		t.Error(err)
	}
}
