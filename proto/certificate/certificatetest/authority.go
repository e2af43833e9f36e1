package certificatetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// Leaf is what an authority has issued.
type Leaf struct {
	// Chain is the certificate, and the authority's behind it, in PEM.
	Chain string
	// Key is its private key, in PEM.
	Key string
	// Certificate is the certificate itself.
	Certificate *x509.Certificate
}

// NewAuthority returns an authority that is its own root.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key := NewKey(t)
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "test authority"}, BasicConstraintsValid: true, IsCA: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	return &Authority{certificate: sign(t, template, template, key.Public(), key), key: key}
}

// NewKey returns a private key of the kind that is made where none is given: ECDSA, P-256.
func NewKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Issue returns a certificate for names, valid for a year, with a key of its own.
func (a *Authority) Issue(t testing.TB, names ...string) Leaf {
	t.Helper()
	return a.IssueFor(t, NewKey(t), &x509.Certificate{DNSNames: names})
}

// IssueFor returns a certificate for a key. What the template leaves open is as in Issue.
func (a *Authority) IssueFor(t testing.TB, key crypto.Signer, template *x509.Certificate) Leaf {
	t.Helper()
	made := *template
	made.SerialNumber = serial(t)
	if made.NotAfter.IsZero() {
		made.NotBefore, made.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(365*24*time.Hour)
	}
	if made.ExtKeyUsage == nil {
		made.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	leaf := sign(t, &made, a.certificate, key.Public(), a.key)
	return Leaf{Chain: CertificatePEM(leaf) + a.PEM(), Key: KeyPEM(t, key), Certificate: leaf}
}

// PEM returns the authority's own certificate.
func (a *Authority) PEM() string { return CertificatePEM(a.certificate) }

// Pool returns the authority as the one that is believed.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// CertificatePEM returns a certificate in PEM.
func CertificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// KeyPEM returns a private key in PEM (PKCS #8).
func KeyPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	const bits = 120
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
