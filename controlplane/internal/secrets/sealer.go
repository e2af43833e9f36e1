package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// sealVersion is the first byte of everything sealed. A new way of sealing gets a new one; the old
// one stays readable.
const sealVersion = 1

const (
	nonceSize = 12
	tagSize   = 16
	overhead  = 1 + nonceSize + tagSize
)

// ErrSealed is returned for what doesn't open: other root key, other purpose, or damaged.
var ErrSealed = errors.New("secrets: sealed bytes don't open under this root key and purpose")

// Sealer seals and opens under a root key. It is safe for concurrent use.
type Sealer struct{ root RootKey }

// New returns the sealer of a root key.
func New(root RootKey) *Sealer { return &Sealer{root: root} }

// Seal encrypts and authenticates plaintext for one purpose. The purpose names what is sealed and
// where it lies ("material/signing-key"), so that sealed bytes can't be moved elsewhere.
func (s *Sealer) Seal(purpose string, plaintext []byte) ([]byte, error) {
	aead, err := s.aead(purpose)
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, 1+nonceSize, overhead+len(plaintext))
	sealed[0] = sealVersion
	rand.Read(sealed[1:]) // never fails: the runtime ends the process instead
	return aead.Seal(sealed, sealed[1:], plaintext, sealed[:1]), nil
}

// Open returns what was sealed for the same purpose. Its error is ErrSealed, wrapped.
func (s *Sealer) Open(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < overhead {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrSealed, len(sealed))
	}
	if sealed[0] != sealVersion {
		return nil, fmt.Errorf("%w: version %d is unknown", ErrSealed, sealed[0])
	}
	aead, err := s.aead(purpose)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, sealed[1:1+nonceSize], sealed[1+nonceSize:], sealed[:1])
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

// aead derives the purpose's key. Each purpose seals few things, so that random nonces don't meet.
func (s *Sealer) aead(purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.root.bytes[:], nil, "sallyport seal v1\x00"+purpose, RootKeySize)
	if err != nil {
		return nil, fmt.Errorf("secrets: derive key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secrets: cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("secrets: cipher: %w", err)
	}
	return aead, nil
}
