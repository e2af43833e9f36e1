package snapshotfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

const (
	magic    = "SPSNAP01"
	keySize  = 32
	saltSize = 32
	// frameData bounds what one frame carries, in bytes.
	frameData = 256 << 10
	tagSize   = 16
	lastFrame = 1 << 31
)

// Key seals a file.
type Key [keySize]byte

// ErrKey is returned for a text that is no key. It doesn't quote it.
var ErrKey = errors.New("a snapshot key is 32 bytes in base64")

// NewKey returns a new key.
func NewKey() Key {
	var k Key
	rand.Read(k[:]) // never fails: the runtime ends the process instead
	return k
}

// ParseKey reads a key's text.
func ParseKey(text string) (Key, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != keySize {
		return Key{}, ErrKey
	}
	return Key(raw), nil
}

// Reveal returns the key's text.
func (k Key) Reveal() string { return base64.StdEncoding.EncodeToString(k[:]) }

// String hides the key.
func (k Key) String() string { return "[snapshot key]" }

// seal is a file's own cipher.
type seal struct {
	aead  cipher.AEAD
	frame uint64 // number of the next one
}

func newSeal(key Key, salt []byte) (*seal, error) {
	own, err := hkdf.Key(sha256.New, key[:], salt, "sallyport snapshot file v1", keySize)
	if err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	return &seal{aead: aead}, nil
}

// nonce returns the next frame's. The key is the file's own: none comes twice.
func (s *seal) nonce() []byte {
	nonce := make([]byte, s.aead.NonceSize())
	binary.BigEndian.PutUint64(nonce[len(nonce)-8:], s.frame)
	s.frame++
	return nonce
}
