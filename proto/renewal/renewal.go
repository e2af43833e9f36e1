package renewal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	_ "crypto/sha512" // SHA-384, for P-384
	"errors"
	"fmt"
	"time"
)

// Grace is how long after its end a certificate can still be renewed by proof of its key.
const Grace = 30 * 24 * time.Hour

// context is in front of what is signed, so that a signature over a renewal can't be taken for one
// over anything else, a TLS handshake's included.
const context = "sallyport renewal v1\x00"

// ErrProof says that a signature isn't the key's over this nonce, certificate and request.
var ErrProof = errors.New("the signature isn't the key's over this renewal")

// errKey says that a key is of a kind that no node's certificate has.
var errKey = errors.New("renewal: the key must be Ed25519, or ECDSA on P-256 or P-384")

// Sign returns the signature of a certificate's key over the renewal. All three are as they travel:
// the nonce raw, certificate and request DER.
func Sign(key crypto.Signer, nonce, certificate, request []byte) ([]byte, error) {
	said := message(nonce, certificate, request)
	hash, err := hashFor(key.Public())
	if err != nil {
		return nil, err
	}
	signature, err := key.Sign(rand.Reader, digest(hash, said), hash)
	if err != nil {
		return nil, fmt.Errorf("renewal: sign: %w", err)
	}
	return signature, nil
}

// Verify tells whether a signature is what Sign makes with the key's private half; ErrProof if not.
func Verify(key crypto.PublicKey, nonce, certificate, request, signature []byte) error {
	said := message(nonce, certificate, request)
	hash, err := hashFor(key)
	if err != nil {
		return err
	}
	good := false
	switch key := key.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(key, said, signature)
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(key, digest(hash, said), signature)
	}
	if !good {
		return ErrProof
	}
	return nil
}

// message has one reading only: each part is a hash, of one length.
func message(nonce, certificate, request []byte) []byte {
	said := []byte(context)
	for _, part := range [][]byte{nonce, certificate, request} {
		sum := sha256.Sum256(part)
		said = append(said, sum[:]...)
	}
	return said
}

// hashFor returns what a key signs the message as: its hash, or, for 0, the message itself.
func hashFor(key crypto.PublicKey) (crypto.Hash, error) {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return 0, nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return crypto.SHA256, nil
		case elliptic.P384():
			return crypto.SHA384, nil
		}
	}
	return 0, errKey
}

func digest(hash crypto.Hash, said []byte) []byte {
	if hash == 0 {
		return said
	}
	h := hash.New()
	h.Write(said)
	return h.Sum(nil)
}
