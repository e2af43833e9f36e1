package trust_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/trust"
)

type signer struct {
	id  string
	key ed25519.PrivateKey
}

func newSigner(t testing.TB, id string) signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, key}
}

func (s signer) public() *edgev1.SigningKey {
	return &edgev1.SigningKey{Id: s.id, PublicKey: s.key.Public().(ed25519.PublicKey)}
}

func authority(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func announce(t testing.TB, bundle *edgev1.TrustBundle, by signer) *edgev1.SignedTrust {
	t.Helper()
	link, err := trust.Announce(bundle, by.id, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func bundle(version uint64, ca []byte, keys ...signer) *edgev1.TrustBundle {
	b := &edgev1.TrustBundle{Version: version, Authorities: [][]byte{ca}}
	for _, key := range keys {
		b.SigningKeys = append(b.SigningKeys, key.public())
	}
	return b
}

func TestAChainIsWalkedLinkByLink(t *testing.T) {
	ca, first, second := authority(t), newSigner(t, "a"), newSigner(t, "b")
	at := bundle(1, ca, first)
	for _, link := range []*edgev1.SignedTrust{
		announce(t, bundle(2, ca, first, second), first),
		announce(t, bundle(3, ca, second), second),
	} {
		next, err := trust.Next(at.GetVersion(), at.GetSigningKeys(), link)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	if at.GetVersion() != 3 || len(at.GetSigningKeys()) != 1 || at.GetSigningKeys()[0].GetId() != "b" {
		t.Errorf("it ends at %v", at)
	}
}

func TestWhatDoesNotFollowIsNotBelieved(t *testing.T) {
	ca, first, second, stranger := authority(t), newSigner(t, "a"), newSigner(t, "b"), newSigner(t, "a")
	good := announce(t, bundle(3, ca, second), second)
	changed := proto.CloneOf(good)
	changed.Bundle[len(changed.Bundle)-1] ^= 1
	otherContext := proto.CloneOf(good)
	otherContext.Signature = ed25519.Sign(second.key, append([]byte("sallyport head v1\x00"), good.GetBundle()...))
	for name, test := range map[string]struct {
		link *edgev1.SignedTrust
		want error
	}{
		"a version skipped":           {announce(t, bundle(4, ca, second), second), trust.ErrVersion},
		"the same version again":      {announce(t, bundle(2, ca, second), second), trust.ErrVersion},
		"an older one, replayed":      {announce(t, bundle(1, ca, second), second), trust.ErrVersion},
		"a key that was retired":      {announce(t, bundle(3, ca, first), first), trust.ErrSignature},
		"a stranger's under our name": {announce(t, bundle(3, ca, stranger), signer{"b", stranger.key}), trust.ErrSignature},
		"a changed bundle":            {changed, trust.ErrSignature},
		"a signature over a head":     {otherContext, trust.ErrSignature},
		"nothing":                     {&edgev1.SignedTrust{}, trust.ErrSignature},
	} {
		if next, err := trust.Next(2, []*edgev1.SigningKey{second.public()}, test.link); !errors.Is(err, test.want) || next != nil {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, err := trust.Next(2, []*edgev1.SigningKey{second.public()}, good); err != nil {
		t.Error(err)
	}
}

func TestABundleLeavesSomebodyToBelieve(t *testing.T) {
	ca, key := authority(t), newSigner(t, "a")
	many := bundle(2, ca, key)
	many.Authorities = [][]byte{ca, ca, ca, ca, ca}
	for name, b := range map[string]*edgev1.TrustBundle{
		"no version":        bundle(0, ca, key),
		"no key":            bundle(2, ca),
		"a key twice":       bundle(2, ca, key, key),
		"no authority":      {Version: 2, SigningKeys: []*edgev1.SigningKey{key.public()}},
		"not an authority":  bundle(2, []byte("x"), key),
		"too many":          many,
		"a key of one byte": {Version: 2, Authorities: [][]byte{ca}, SigningKeys: []*edgev1.SigningKey{{Id: "a", PublicKey: []byte{1}}}},
	} {
		if _, err := trust.Announce(b, "a", key.key); !errors.Is(err, trust.ErrBundle) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
