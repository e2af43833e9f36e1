package renewal_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/sallyport/sallyport/proto/renewal"
)

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]crypto.Signer{"ed25519": edwards}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384()} {
		if all[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestProofHoldsForItsKeyNonceCertificateAndRequestAlone(t *testing.T) {
	others := keys(t)
	for name, key := range keys(t) {
		nonce, certificate, request := []byte("nonce"), []byte("certificate"), []byte("request")
		signature, err := renewal.Sign(key, nonce, certificate, request)
		if err != nil {
			t.Fatal(err)
		}
		if err := renewal.Verify(key.Public(), nonce, certificate, request, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for what, err := range map[string]error{
			"another key":            renewal.Verify(others[name].Public(), nonce, certificate, request, signature),
			"another nonce":          renewal.Verify(key.Public(), []byte("nonce2"), certificate, request, signature),
			"another certificate":    renewal.Verify(key.Public(), nonce, []byte("x"), request, signature),
			"another request":        renewal.Verify(key.Public(), nonce, certificate, nil, signature),
			"parts that were moved":  renewal.Verify(key.Public(), []byte("nonc"), []byte("ecertificate"), request, signature),
			"parts that were turned": renewal.Verify(key.Public(), certificate, nonce, request, signature),
			"no signature":           renewal.Verify(key.Public(), nonce, certificate, request, nil),
			"half of the signature":  renewal.Verify(key.Public(), nonce, certificate, request, signature[:len(signature)/2]),
		} {
			if !errors.Is(err, renewal.ErrProof) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

func TestOnlyKindsOfKeysThatNodesHaveProveAnything(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"rsa": weak, "p224": small} {
		if _, err := renewal.Sign(key, nil, nil, nil); err == nil {
			t.Errorf("%s signs", name)
		}
		if err := renewal.Verify(key.Public(), nil, nil, nil, []byte("x")); err == nil || errors.Is(err, renewal.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
