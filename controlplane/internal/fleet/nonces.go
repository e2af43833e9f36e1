package fleet

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

const (
	// nonceLife is how long a nonce is good for. It has no state: within that time it may be used
	// again, which gains nobody anything (see Renewer).
	nonceLife = time.Minute
	// nonceContext is in front of what is sealed.
	nonceContext = "sallyport renewal nonce v1\x00"
	nonceKeySize = 32

	nonceEndsSize   = 8
	nonceRandomSize = 16
	nonceSize       = nonceEndsSize + nonceRandomSize + sha256.Size
)

// Nonces makes the nonces of renewals and knows its own again. It keeps none: when one ends stands in
// it, and a seal over that and the certificate which it is for. Every replica holds the same key, so
// any of them takes what another made.
//
// A nonce is its end (unix milliseconds, big endian), 16 random bytes, and HMAC-SHA-256 over both and
// the SHA-256 of the certificate.
type Nonces struct {
	key []byte
	now func() time.Time
}

// LoadNonces returns the nonces of this installation; the first call ever makes their key.
func LoadNonces(ctx context.Context, materials Materials) (*Nonces, error) {
	key, err := materials.Material(ctx, "fleet/nonce-key", func() ([]byte, error) {
		key := make([]byte, nonceKeySize)
		rand.Read(key) // never fails: the runtime ends the process instead
		return key, nil
	})
	if err != nil {
		return nil, fmt.Errorf("load the nonces' key: %w", err)
	}
	if len(key) != nonceKeySize {
		return nil, errors.New("load the nonces' key: the stored key has a wrong length")
	}
	return &Nonces{key: key, now: time.Now}, nil
}

// For returns a new nonce for a certificate (DER).
func (n *Nonces) For(certificate []byte) []byte {
	nonce := make([]byte, nonceEndsSize+nonceRandomSize, nonceSize)
	binary.BigEndian.PutUint64(nonce, uint64(n.now().Add(nonceLife).UnixMilli()))
	rand.Read(nonce[nonceEndsSize:]) // never fails: the runtime ends the process instead
	return append(nonce, n.seal(nonce, certificate)...)
}

// Why a nonce isn't taken.
var (
	errNonceForged = errors.New("the nonce isn't ours, or for another certificate")
	errNonceEnded  = errors.New("the nonce has ended")
)

// Check tells whether a nonce is ours, for this certificate, and still good.
func (n *Nonces) Check(nonce, certificate []byte) error {
	if len(nonce) != nonceSize {
		return errNonceForged
	}
	body, seal := nonce[:nonceEndsSize+nonceRandomSize], nonce[nonceEndsSize+nonceRandomSize:]
	if !hmac.Equal(seal, n.seal(body, certificate)) {
		return errNonceForged
	}
	if ends := time.UnixMilli(int64(binary.BigEndian.Uint64(body))); !n.now().Before(ends) {
		return errNonceEnded
	}
	return nil
}

func (n *Nonces) seal(body, certificate []byte) []byte {
	of := sha256.Sum256(certificate)
	mac := hmac.New(sha256.New, n.key)
	mac.Write([]byte(nonceContext))
	mac.Write(body)
	mac.Write(of[:])
	return mac.Sum(nil)
}
