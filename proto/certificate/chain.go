package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxChain  = 10
	leastRSA  = 2048 // bits
	mostRSA   = 8192 // bits: beyond, one handshake costs others theirs, and Go's clients refuse it
	blockType = "CERTIFICATE"
)

// Errors of a chain that is refused.
var (
	errNoPEM      = errors.New("holds something that is no PEM block; give certificates alone, from BEGIN CERTIFICATE to END CERTIFICATE")
	errPrivateKey = errors.New("holds a private key: put it into a secret, name that in private_key, and consider the key as told to whoever saw this")
	errNone       = errors.New("holds no certificate")
	errTooMany    = fmt.Errorf("holds more than %d certificates", maxChain)
	errLeafLater  = errors.New("begins with an authority's certificate; put the certificate of the hosts first, then those that lead to its root")
	errRSA        = fmt.Errorf("has an RSA key of another size than %d to %d bits", leastRSA, mostRSA)
	errCurve      = errors.New("has an ECDSA key on another curve than P-256 or P-384")
	errKeyKind    = errors.New("has a key that is neither RSA, ECDSA nor Ed25519")
	errNoServer   = errors.New("isn't meant for servers: its extended key usage lacks serverAuth")
)

// Chain is a certificate, and those that lead to its root.
type Chain struct {
	// Leaf is the certificate itself.
	Leaf *x509.Certificate
	// DER are all of them, the leaf first.
	DER [][]byte
}

// Parse reads a chain in PEM. The error says what is wrong with the first thing that is, in words that follow "it".
func Parse(text string) (*Chain, error) {
	certificates, err := decode([]byte(text))
	if err != nil {
		return nil, err
	}
	if err := checkOrder(certificates); err != nil {
		return nil, err
	}
	if err := checkKey(certificates[0]); err != nil {
		return nil, err
	}
	c := &Chain{Leaf: certificates[0]}
	for _, one := range certificates {
		c.DER = append(c.DER, one.Raw)
	}
	return c, nil
}

func decode(rest []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for rest = bytes.TrimSpace(rest); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return nil, errNoPEM // Decode would pass it over
		}
		block, after := pem.Decode(rest)
		switch {
		case block == nil || !bytes.HasPrefix(rest, []byte("-----BEGIN "+block.Type+"-----")):
			return nil, errNoPEM
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, errPrivateKey
		case block.Type != blockType:
			return nil, errNoPEM
		case len(certificates) == maxChain:
			return nil, errTooMany
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds, as its certificate %d, something that can't be read: %w", len(certificates), err)
		}
		certificates, rest = append(certificates, one), after
	}
	if len(certificates) == 0 {
		return nil, errNone
	}
	return certificates, nil
}

// checkOrder refuses a chain in which one isn't issued by the next. One that stands alone may be its own authority.
func checkOrder(certificates []*x509.Certificate) error {
	if len(certificates) > 1 && certificates[0].BasicConstraintsValid && certificates[0].IsCA {
		return errLeafLater
	}
	for i, one := range certificates[:len(certificates)-1] {
		if err := one.CheckSignatureFrom(certificates[i+1]); err != nil {
			return fmt.Errorf("is out of order: certificate %d isn't issued by certificate %d: %w", i, i+1, err)
		}
	}
	return nil
}

func checkKey(leaf *x509.Certificate) error {
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < leastRSA || bits > mostRSA {
			return errRSA
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return errCurve
		}
	case ed25519.PublicKey:
	default:
		return errKeyKind
	}
	return nil
}

// CheckServer refuses a certificate that clients wouldn't take from a server.
func (c *Chain) CheckServer() error {
	usage := c.Leaf.ExtKeyUsage
	if len(usage) == 0 && len(c.Leaf.UnknownExtKeyUsage) == 0 || slices.Contains(usage, x509.ExtKeyUsageServerAuth) || slices.Contains(usage, x509.ExtKeyUsageAny) {
		return nil
	}
	return errNoServer
}

// Covers tells whether the certificate is valid for a host, or for all that a wildcard in the place of a host's first part stands for.
func (c *Chain) Covers(host string) bool {
	if strings.HasPrefix(host, "*.") {
		return slices.ContainsFunc(c.Leaf.DNSNames, func(name string) bool { return strings.EqualFold(name, host) })
	}
	return c.Leaf.VerifyHostname(host) == nil
}

// Names returns the names that the certificate is valid for, to be shown.
func (c *Chain) Names() []string {
	names := slices.Clone(c.Leaf.DNSNames)
	for _, address := range c.Leaf.IPAddresses {
		names = append(names, address.String())
	}
	return names
}
