package fleet

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// NodeLife is how long a node's certificate lives, unless WithNodeLife says otherwise.
	NodeLife   = 24 * time.Hour
	serverLife = 7 * 24 * time.Hour
	// clockSkew is how far a peer's clock may be behind ours and still find a fresh certificate valid;
	// of a short-lived one a tenth of its life, so that half of what it says is half of its life.
	clockSkew = 5 * time.Minute
)

// Authority is the installation's certificate authority: it issues the certificates of nodes and of
// the control plane's own listeners. Its key never leaves the process unsealed.
type Authority struct {
	key         crypto.Signer
	certificate *x509.Certificate
	nodeLife    time.Duration
	now         func() time.Time
}

// WithNodeLife returns the same authority, whose certificates for nodes live for so long.
func (a *Authority) WithNodeLife(life time.Duration) *Authority {
	b := *a
	b.nodeLife = life
	return &b
}

// LoadAuthority returns the authority of this installation; the first call ever makes it.
func LoadAuthority(ctx context.Context, materials Materials) (*Authority, error) {
	stored, err := materials.Material(ctx, "fleet/authority", func() ([]byte, error) {
		return makeAuthority(time.Now())
	})
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	authority, err := parseAuthority(stored)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	return authority, nil
}

// makeAuthority returns a new key and its certificate as two PEM blocks.
func makeAuthority(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "Sallyport authority"},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(authorityLife),
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: trustDomain}},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	stored := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	return append(stored, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), nil
}

func parseAuthority(stored []byte) (*Authority, error) {
	first, rest := pem.Decode(stored)
	second, _ := pem.Decode(rest)
	if first == nil || second == nil {
		return nil, errors.New("the stored material isn't two PEM blocks")
	}
	certificate, err := x509.ParseCertificate(first.Bytes)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(second.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T can't sign", private)
	}
	return &Authority{key: key, certificate: certificate, nodeLife: NodeLife, now: time.Now}, nil
}

// Certificate returns the authority's own certificate, DER.
func (a *Authority) Certificate() []byte { return a.certificate.Raw }

// Fingerprint returns SHA-256 of the authority's SubjectPublicKeyInfo: what a join token carries.
func (a *Authority) Fingerprint() [sha256.Size]byte {
	return sha256.Sum256(a.certificate.RawSubjectPublicKeyInfo)
}

// Pool returns a pool that trusts this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// IssueNode returns a certificate (DER, leaf first, then the authority's) for the key of a PKCS #10
// request, and when it ends. Of the request only the key counts, and the signature that proves that
// the node holds it.
func (a *Authority) IssueNode(identity Identity, request []byte) (chain [][]byte, ends time.Time, err error) {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("parse the certificate request: %w", err)
	}
	if err := checkKey(csr.PublicKey); err != nil {
		return nil, time.Time{}, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, time.Time{}, fmt.Errorf("check the certificate request's signature: %w", err)
	}
	template := a.template(a.nodeLife, identity.URI(), x509.ExtKeyUsageClientAuth)
	template.Subject = pkix.Name{CommonName: identity.Node}
	leaf, err := x509.CreateCertificate(rand.Reader, template, a.certificate, csr.PublicKey, a.key)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("issue a node's certificate: %w", err)
	}
	return [][]byte{leaf, a.certificate.Raw}, template.NotAfter, nil
}

// issueServer returns a certificate (DER chain) for one of the control plane's listeners.
func (a *Authority) issueServer(key crypto.PublicKey) (chain [][]byte, ends time.Time, err error) {
	uri, err := url.Parse(ControlURI)
	if err != nil {
		return nil, time.Time{}, err
	}
	template := a.template(serverLife, uri, x509.ExtKeyUsageServerAuth)
	template.Subject = pkix.Name{CommonName: "Sallyport control plane"}
	leaf, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("issue a listener's certificate: %w", err)
	}
	return [][]byte{leaf, a.certificate.Raw}, template.NotAfter, nil
}

func (a *Authority) template(life time.Duration, uri *url.URL, usage x509.ExtKeyUsage) *x509.Certificate {
	now := a.now()
	return &x509.Certificate{
		SerialNumber:          newSerial(),
		NotBefore:             now.Add(-min(clockSkew, life/10)),
		NotAfter:              now.Add(life).Truncate(time.Second), // as fine as a certificate says it
		URIs:                  []*url.URL{uri},
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{usage},
		BasicConstraintsValid: true,
	}
}

// ErrKeyRefused says that a certificate request is for a kind of key that nodes may not have.
var ErrKeyRefused = errors.New("the key must be Ed25519, or ECDSA on P-256 or P-384")

func checkKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return nil
		}
	}
	return ErrKeyRefused
}

// newSerial returns 127 random bits: unique without a counter, positive, at most 20 octets (RFC 5280 §4.1.2.2).
func newSerial() *big.Int {
	var raw [16]byte
	rand.Read(raw[:]) // never fails: the runtime ends the process instead
	raw[0] &= 0x7f
	return new(big.Int).SetBytes(raw[:])
}
