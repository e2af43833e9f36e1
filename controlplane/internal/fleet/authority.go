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
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"sync/atomic"
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
// the control plane's own listeners. Its key never leaves the process unsealed. While it is rotated
// there are two, of which one issues and both are believed: a Trust swaps them.
type Authority struct {
	current  *atomic.Pointer[authorities] // shared with copies
	nodeLife time.Duration
	now      func() time.Time
}

// authorities are immutable.
type authorities struct {
	issuer
	believed []*x509.Certificate // the issuer's first
}

// issuer is one authority.
type issuer struct {
	key         crypto.Signer
	certificate *x509.Certificate
	crossed     [][]byte // its key, certified by those before it: DER
}

// WithNodeLife returns the same authority, whose certificates for nodes live for so long.
func (a *Authority) WithNodeLife(life time.Duration) *Authority {
	b := *a
	b.nodeLife = life
	return &b
}

// authorityMaterial is the name of the first authority's key and certificate; those that took its place
// have their fingerprint behind it.
const authorityMaterial = "fleet/authority"

// LoadAuthority returns the authority of this installation as it was first; the first call ever makes it.
func LoadAuthority(ctx context.Context, materials Materials) (*Authority, error) {
	first, err := loadIssuer(ctx, materials, authorityMaterial, func() ([]byte, error) { return makeAuthority(time.Now(), nil) })
	if err != nil {
		return nil, err
	}
	return newAuthority(&authorities{issuer: *first, believed: []*x509.Certificate{first.certificate}}), nil
}

func newAuthority(current *authorities) *Authority {
	a := &Authority{current: new(atomic.Pointer[authorities]), nodeLife: NodeLife, now: time.Now}
	a.current.Store(current)
	return a
}

func loadIssuer(ctx context.Context, materials Materials, name string, generate func() ([]byte, error)) (*issuer, error) {
	stored, err := materials.Material(ctx, name, generate)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	loaded, err := parseIssuer(stored)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	return loaded, nil
}

// makeAuthority returns a new key and its certificate as PEM blocks. Behind them the one before certifies
// the new key, so that who believes in that one alone believes in what the new one issues.
func makeAuthority(now time.Time, before *issuer) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := authorityTemplate(now, key.Public())
	if err != nil {
		return nil, err
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
	stored = append(stored, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if before == nil {
		return stored, nil
	}
	if template.NotAfter.After(before.certificate.NotAfter) {
		template.NotAfter = before.certificate.NotAfter
	}
	crossed, err := x509.CreateCertificate(rand.Reader, template, before.certificate, key.Public(), before.key)
	if err != nil {
		return nil, err
	}
	return append(stored, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: crossed})...), nil
}

// authorityTemplate names an authority by its key, so that chains of several can't be taken for each other's.
func authorityTemplate(now time.Time, key crypto.PublicKey) (*x509.Certificate, error) {
	public, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(public)
	return &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "Sallyport authority " + hex.EncodeToString(sum[:4])},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(authorityLife),
		URIs:                  []*url.URL{{Scheme: "spiffe", Host: trustDomain}},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            1, // the one that takes its place
	}, nil
}

func parseIssuer(stored []byte) (*issuer, error) {
	first, rest := pem.Decode(stored)
	second, rest := pem.Decode(rest)
	if first == nil || second == nil {
		return nil, errors.New("the stored material isn't PEM blocks of a certificate and its key")
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
	parsed := &issuer{key: key, certificate: certificate}
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		parsed.crossed = append(parsed.crossed, block.Bytes)
	}
	return parsed, nil
}

// Certificate returns the own certificate of the authority that issues, DER.
func (a *Authority) Certificate() []byte { return a.current.Load().certificate.Raw }

// Fingerprint returns SHA-256 of its SubjectPublicKeyInfo: what a join token carries.
func (a *Authority) Fingerprint() [sha256.Size]byte {
	return sha256.Sum256(a.current.Load().certificate.RawSubjectPublicKeyInfo)
}

// believes tells whether a fingerprint is that of an authority which is believed.
func (a *Authority) believes(fingerprint [sha256.Size]byte) bool {
	return slices.ContainsFunc(a.current.Load().believed, func(c *x509.Certificate) bool {
		return sha256.Sum256(c.RawSubjectPublicKeyInfo) == fingerprint
	})
}

// authorityName is how an authority is called in rotations and in nodes' rows.
func authorityName(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Pool returns a pool that trusts the authorities that are believed, and no other.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range a.current.Load().believed {
		pool.AddCert(certificate)
	}
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
	by := a.current.Load()
	leaf, err := x509.CreateCertificate(rand.Reader, template, by.certificate, csr.PublicKey, by.key)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("issue a node's certificate: %w", err)
	}
	return [][]byte{leaf, by.certificate.Raw}, template.NotAfter, nil
}

// issueServer returns a certificate (DER chain) for one of the control plane's listeners. Behind it are
// all authorities that are believed, and the issuer as those before it certify it: a node that was away
// while they changed, and a join token that names an earlier one, find theirs.
func (a *authorities) issueServer(template *x509.Certificate, key crypto.PublicKey) (chain [][]byte, err error) {
	uri, err := url.Parse(ControlURI)
	if err != nil {
		return nil, err
	}
	template.URIs = []*url.URL{uri}
	template.Subject = pkix.Name{CommonName: "Sallyport control plane"}
	leaf, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("issue a listener's certificate: %w", err)
	}
	chain = [][]byte{leaf}
	if len(a.believed) > 1 {
		chain = append(chain, a.crossed...)
	}
	for _, certificate := range a.believed {
		chain = append(chain, certificate.Raw)
	}
	return chain, nil
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
