package certificate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// maxKeys bounds the keys that one secret is searched for.
const maxKeys = 8

// Errors of a secret in which a certificate's key isn't.
var (
	ErrNoKey     = errors.New("the secret holds no private key in PEM")
	ErrOtherKey  = errors.New("no private key in the secret is the certificate's")
	ErrEncrypted = errors.New("the private key in the secret is encrypted; the secret is sealed anyway, so give the key without a password")
)

// Pair returns the private key of the certificate among those in PEM that a secret holds. The secret may hold several, so that the key
// can be there before its certificate is.
func (c *Chain) Pair(secret []byte) (crypto.Signer, error) {
	public, ok := c.Leaf.PublicKey.(interface {
		Equal(other crypto.PublicKey) bool
	})
	if !ok {
		return nil, errKeyKind
	}
	failed := ErrNoKey
	for range maxKeys {
		block, rest := pem.Decode(secret)
		if block == nil {
			break
		}
		secret = rest
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue // a certificate, or parameters of a curve, beside it
		}
		if isEncrypted(block) {
			failed = ErrEncrypted
			continue
		}
		key := parseKey(block.Bytes)
		if key == nil {
			continue
		}
		if public.Equal(key.Public()) {
			return key, nil
		}
		failed = ErrOtherKey
	}
	return nil, failed
}

func isEncrypted(block *pem.Block) bool {
	return block.Type == "ENCRYPTED PRIVATE KEY" || bytes.Contains([]byte(block.Headers["Proc-Type"]), []byte("ENCRYPTED"))
}

// parseKey reads a key in any of the forms that there are; nil: it is in none. What is wrong with it isn't told: an error could quote it.
func parseKey(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := key.(crypto.Signer)
		return signer
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}
