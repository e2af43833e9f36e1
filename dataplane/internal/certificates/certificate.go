package certificates

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/proto/certificate"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// Certificate is one of a revision's. It is immutable but for what it keeps of the directory, and safe for concurrent use.
type Certificate struct {
	// ID and Name are those of the object.
	ID   id.ID
	Name string

	hosts    []string
	standard bool // for clients that name no host, or an unknown one
	chain    *certificate.Chain
	secret   id.ID

	pair    atomic.Pointer[pair]
	config  atomic.Pointer[config]
	trouble atomic.Pointer[string] // that was told last; nil: none
}

// pair is a certificate with what a secret held when it was looked for its key.
type pair struct {
	secret      []byte // the directory's own, which never changes
	certificate tls.Certificate
	err         error // the key isn't in it
}

// New compiles a certificate, which has its defaults filled in.
func New(self id.ID, m *configv1.Certificate) (*Certificate, error) {
	chain, err := certificate.Parse(m.GetChain())
	if err != nil {
		return nil, fmt.Errorf("chain: it %w", err)
	}
	secret, err := id.Parse(id.Secret, m.GetPrivateKey())
	if err != nil {
		return nil, fmt.Errorf("private_key: %w", err)
	}
	return &Certificate{
		ID: self, Name: m.GetName(), hosts: slices.Clone(m.GetHosts()), standard: m.GetDefault(), chain: chain, secret: secret,
	}, nil
}

// Ends returns when the certificate ends.
func (c *Certificate) Ends() time.Time { return c.chain.Leaf.NotAfter }

// errNoSecret is told of a certificate whose secret the directory doesn't hold.
var errNoSecret = errors.New("the secret that holds its private key isn't there")

// find returns the certificate with its private key, as the directory has it now.
func (c *Certificate) find(directory Directory) (*pair, error) {
	secret, ok := directory.Secret(c.secret)
	if !ok {
		c.pair.Store(nil) // a key that is gone is forgotten
		c.config.Store(nil)
		return nil, errNoSecret
	}
	p := c.pair.Load()
	if p == nil || !bytes.Equal(p.secret, secret) {
		p = c.open(secret)
		c.pair.Store(p) // another goroutine may have made the same
	}
	return p, p.err
}

func (c *Certificate) open(secret []byte) *pair {
	key, err := c.chain.Pair(secret)
	if err != nil {
		return &pair{secret: secret, err: err}
	}
	return &pair{secret: secret, certificate: tls.Certificate{Certificate: c.chain.DER, PrivateKey: key, Leaf: c.chain.Leaf}}
}
