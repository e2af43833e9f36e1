package certificate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/certificate"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
)

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestChainsAreTakenInOrderAndWithSafeKeysAlone(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	authority := certificatetest.NewAuthority(t)
	leaf := authority.Issue(t, "api.test")
	other := certificatetest.NewAuthority(t)
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	issued := func(key crypto.Signer) string {
		return authority.IssueFor(t, key, &x509.Certificate{DNSNames: []string{"api.test"}}).Chain
	}
	alone := certificatetest.CertificatePEM(leaf.Certificate)
	for name, c := range map[string]struct{ text, want string }{
		"a chain":                        {leaf.Chain, ""},
		"a certificate without issuers":  {alone, ""},
		"an authority that stands alone": {authority.PEM(), ""},
		"RSA of 2048 bits":               {issued(rsaKey(t, 2048)), ""},
		"Ed25519":                        {issued(edwards), ""},
		"P-384":                          {issued(p384), ""},
		"nothing":                        {"", "holds no certificate"},
		"an authority first":             {authority.PEM() + alone, "begins with an authority's certificate"},
		"another authority":              {alone + other.PEM(), "out of order"},
		"RSA of 1024 bits":               {issued(rsaKey(t, 1024)), "RSA key of another size"},
		"P-521":                          {issued(p521), "another curve"},
		"words before":                   {"my certificate:\n" + alone, "no PEM block"},
		"words behind":                   {alone + "the end", "no PEM block"},
		"half a block":                   {alone[:len(alone)/2], "no PEM block"},
		"a private key":                  {leaf.Chain + leaf.Key, "holds a private key"},
		"something else":                 {string(pem.EncodeToMemory(&pem.Block{Type: "DH PARAMETERS", Bytes: []byte{1}})), "no PEM block"},
		"rubbish in PEM":                 {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})), "can't be read"},
		"too many":                       {strings.Repeat(alone, 11), "more than 10"},
	} {
		chain, err := certificate.Parse(c.text)
		switch {
		case c.want == "" && (err != nil || chain.Leaf == nil):
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAWildcardIsCoveredByTheSameWildcardAlone(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	chain, err := certificate.Parse(authority.Issue(t, "Api.test", "*.shop.test").Chain)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"api.test": true, "a.shop.test": true, "*.shop.test": true, "*.api.test": false, "shop.test": false, "a.b.shop.test": false, "*.test": false,
	} {
		if chain.Covers(host) != want {
			t.Errorf("%s: %v", host, !want)
		}
	}
}

func TestOfASecretsKeysTheCertificatesOwnIsFoundAndNoErrorQuotesOne(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	leaf, other := authority.Issue(t, "api.test"), authority.Issue(t, "api.test")
	chain, err := certificate.Parse(leaf.Chain)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"alone": leaf.Key, "behind another": other.Key + leaf.Key, "beside its certificate": leaf.Chain + leaf.Key + other.Key} {
		key, err := chain.Pair([]byte(secret))
		if err != nil || !leaf.Certificate.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	encrypted := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("secret words")}))
	for secret, want := range map[string]error{
		"": certificate.ErrNoKey, "hunter2": certificate.ErrNoKey, other.Key: certificate.ErrOtherKey, encrypted: certificate.ErrEncrypted,
		strings.Repeat(other.Key, 8) + leaf.Key: certificate.ErrOtherKey, // so many are no key's rotation
	} {
		_, err := chain.Pair([]byte(secret))
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func TestKeysAreReadInEveryFormThatToolsWrite(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	elliptical := certificatetest.NewKey(t).(*ecdsa.PrivateKey)
	sec1, _ := x509.MarshalECPrivateKey(elliptical)
	plain := rsaKey(t, 2048).(*rsa.PrivateKey)
	for name, c := range map[string]struct {
		key   crypto.Signer
		block *pem.Block
	}{
		"SEC 1":   {elliptical, &pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}},
		"PKCS #1": {plain, &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(plain)}},
	} {
		chain, err := certificate.Parse(authority.IssueFor(t, c.key, &x509.Certificate{DNSNames: []string{"a.test"}}).Chain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chain.Pair(pem.EncodeToMemory(c.block)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACertificateForClientsAloneIsNoServers(t *testing.T) {
	authority := certificatetest.NewAuthority(t)
	for usage, want := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageServerAuth: true, x509.ExtKeyUsageAny: true, x509.ExtKeyUsageClientAuth: false} {
		chain, err := certificate.Parse(authority.IssueFor(t, certificatetest.NewKey(t), &x509.Certificate{DNSNames: []string{"a.test"}, ExtKeyUsage: []x509.ExtKeyUsage{usage}}).Chain)
		if err != nil {
			t.Fatal(err)
		}
		if (chain.CheckServer() == nil) != want {
			t.Errorf("usage %d: %v", usage, chain.CheckServer())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", []byte("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text string, secret []byte) {
		chain, err := certificate.Parse(text)
		if (chain == nil) == (err == nil) {
			t.Fatal("neither a chain nor an error, or both")
		}
		if chain != nil {
			_, _ = chain.Pair(secret)
			chain.Covers("a.test")
		}
	})
}
