package enroll

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nkeys"
)

// Identity is who the node is, and whom it believes. A Renewer renews it; whoever asks gets what is
// newest. It is safe for concurrent use.
type Identity struct {
	newest atomic.Pointer[papers]

	changing sync.Mutex // one change at a time, its write to the disk included
	dir      string
	held     Held
	frozen   bool // see Freeze
	unkept   bool // changed since

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
}

func newIdentity(p *papers, dir string) *Identity {
	i := &Identity{dir: dir, changed: make(chan struct{})}
	i.newest.Store(p)
	return i
}

func (i *Identity) papers() *papers { return i.newest.Load() }

// papers are an identity as it was issued at one time. They are immutable.
type papers struct {
	record      record
	certificate tls.Certificate
	authorities []*x509.Certificate
	bus         nkeys.KeyPair
}

// newPapers makes papers of their record, and checks that its parts fit each other: the record may be
// an answer just received, or a file that somebody touched.
func newPapers(r record) (*papers, error) {
	p := &papers{record: r}
	var err error
	if p.authorities, err = parseAuthorities(r.Authorities); err != nil {
		return nil, err
	}
	if p.certificate, err = parseCertificate(r.Certificates, r.Key); err != nil {
		return nil, err
	}
	if err := p.checkNames(); err != nil {
		return nil, err
	}
	if err := errors.Join(checkSigningKeys(r.SigningKeys), checkRetired(r.RetiredKeys)); err != nil {
		return nil, err
	}
	if p.bus, err = parseBusUser(r); err != nil {
		return nil, err
	}
	return p, nil
}

// Node returns the node's id, "node_…".
func (i *Identity) Node() string { return i.papers().record.Node }

// Environment returns the id of the node's environment, "env_…".
func (i *Identity) Environment() string { return i.papers().record.Environment }

// EnvironmentName returns the name of the node's environment, for people.
func (i *Identity) EnvironmentName() string { return i.papers().record.EnvironmentName }

// Expires returns when the certificate ends.
func (i *Identity) Expires() time.Time { return i.papers().expires() }

func (p *papers) expires() time.Time { return p.certificate.Leaf.NotAfter }

// BusURLs returns where the bus is.
func (i *Identity) BusURLs() []string { return slices.Clone(i.papers().record.BusURLs) }

// BusJWT returns the bus's newest word on who the node is: the bus is told it at each connection (nats.UserJWTHandler).
func (i *Identity) BusJWT() (string, error) { return i.papers().record.BusJWT, nil }

// BusSign signs the bus's nonce, which proves the JWT to be ours (nats.SignatureHandler).
func (i *Identity) BusSign(nonce []byte) ([]byte, error) {
	signature, err := i.papers().bus.Sign(nonce)
	if err != nil {
		return nil, fmt.Errorf("enroll: sign the bus's nonce: %w", err)
	}
	return signature, nil
}

func parseAuthorities(all [][]byte) ([]*x509.Certificate, error) {
	if len(all) == 0 {
		return nil, errors.New("no authority to believe in")
	}
	authorities := make([]*x509.Certificate, len(all))
	for n, der := range all {
		authority, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("authority %d: %w", n, err)
		}
		if !authority.IsCA {
			return nil, fmt.Errorf("authority %d is none: its certificate isn't a CA's", n)
		}
		authorities[n] = authority
	}
	return authorities, nil
}

// parseCertificate joins the node's chain with its key, whose public half the leaf must hold.
func parseCertificate(chain [][]byte, pkcs8 []byte) (tls.Certificate, error) {
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the node's certificate: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return tls.Certificate{}, errors.New("the node's key can't be read") // the cause could quote it
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("the node's key is a %T, which can't sign", key)
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return tls.Certificate{}, errors.New("the certificate is for another key than the node's")
	}
	return tls.Certificate{Certificate: chain, PrivateKey: signer, Leaf: leaf}, nil
}

func checkSigningKeys(keys []signingKey) error {
	if len(keys) == 0 {
		return errors.New("no signing key to believe in")
	}
	for _, key := range keys {
		if key.ID == "" || len(key.PublicKey) != ed25519Size {
			return fmt.Errorf("signing key %q is no Ed25519 key", key.ID)
		}
	}
	return nil
}
