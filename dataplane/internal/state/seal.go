package state

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// A file is its header, then frames:
//
//	header: magic (8 bytes) | salt (32)
//	frame:  length of what follows the check (4, little-endian) | check (8) | nonce (12) | ciphertext | tag (16)
//
// The check is an HMAC over the frame's place and length: a length that somebody changed is told from one that a crash cut short.
const (
	magic        = "SPSTATE1"
	saltSize     = 32
	headerSize   = len(magic) + saltSize
	checkSize    = 8
	frameHeader  = 4 + checkSize
	sealOverhead = 28
	// maxFrame bounds a frame's plaintext, in bytes: a delta comes in one message of at most 4 MiB.
	maxFrame = 8 << 20
)

var (
	// ErrDamaged is returned for a file that isn't what was written, or not with this key, environment and place.
	ErrDamaged = errors.New("the file is damaged, or sealed with another key or for another environment")
	// errTorn ends a log whose last record a crash cut short.
	errTorn = errors.New("the file ends in the middle of a record")
)

// sealer seals the frames of one file.
type sealer struct {
	aead cipher.AEAD
	mac  []byte
}

// newSealer draws a file's own keys out of the node's, its salt, and what the file is.
func newSealer(key, salt []byte, what string) (*sealer, error) {
	material, err := hkdf.Key(sha256.New, key, salt, "sallyport state v1\x00"+what, 2*keySize)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	block, err := aes.NewCipher(material[:keySize])
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return &sealer{aead: aead, mac: material[keySize:]}, nil
}

// newHeader returns the header of a new file, and its sealer.
func newHeader(key []byte, what string) ([]byte, *sealer, error) {
	header := make([]byte, headerSize)
	copy(header, magic)
	rand.Read(header[len(magic):]) // never fails: the runtime ends the process instead
	s, err := newSealer(key, header[len(magic):], what)
	return header, s, err
}

// readHeader returns the sealer of a file that is there.
func readHeader(header, key []byte, what string) (*sealer, error) {
	if len(header) != headerSize || string(header[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: it doesn't begin as it must", ErrDamaged)
	}
	return newSealer(key, header[len(magic):], what)
}

func (s *sealer) check(index uint64, length uint32) []byte {
	var what [12]byte
	binary.LittleEndian.PutUint64(what[:], index)
	binary.LittleEndian.PutUint32(what[8:], length)
	mac := hmac.New(sha256.New, s.mac)
	mac.Write(what[:])
	return mac.Sum(nil)[:checkSize]
}

// frame returns a sealed frame. index is its place in the file, from 0.
func (s *sealer) frame(index uint64, plain []byte) []byte {
	length := uint32(len(plain) + sealOverhead)
	frame := make([]byte, 0, frameHeader+length)
	frame = binary.LittleEndian.AppendUint32(frame, length)
	frame = append(frame, s.check(index, length)...)
	return s.aead.Seal(frame, nil, plain, binary.LittleEndian.AppendUint64(nil, index)) // #nosec G407 -- it draws its own nonce
}

// open opens what follows a frame's header, in place.
func (s *sealer) open(index uint64, sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(sealed[:0], nil, sealed, binary.LittleEndian.AppendUint64(nil, index))
	if err != nil {
		return nil, fmt.Errorf("%w: record %d doesn't open", ErrDamaged, index)
	}
	return plain, nil
}
