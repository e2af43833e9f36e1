package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// What a new digest costs, and is made of.
const (
	memoryKiB = 19456
	passes    = 2
	lanes     = 1
	saltSize  = 16
	hashSize  = 32
)

// Bounds of what a digest may cost: nobody who may write one may stop a node by it.
const (
	maxMemoryKiB = 64 << 10
	maxPasses    = 8
	leastMemory  = 8 // KiB, for each lane (RFC 9106, section 3.1)
)

// ErrMalformed is a digest that can't be compared with.
var ErrMalformed = errors.New("malformed password digest")

// Digest is what a password is compared by. It is immutable and comparable: two of one password differ.
type Digest struct {
	memoryKiB, passes uint32
	salt              [saltSize]byte
	hash              [hashSize]byte
}

// New makes the digest of a password, with a salt of its own.
func New(password string) Digest {
	d := Digest{memoryKiB: memoryKiB, passes: passes}
	rand.Read(d.salt[:]) // never fails: the runtime ends the process instead
	d.hash = d.of(password)
	return d
}

// Nobody returns a digest that no password fits, as costly as a new one: what those are compared with whom nobody knows.
func Nobody() Digest {
	d := Digest{memoryKiB: memoryKiB, passes: passes}
	rand.Read(d.salt[:])
	rand.Read(d.hash[:])
	return d
}

// Fits tells whether a password is the one that the digest was made of, at the digest's whole cost.
func (d *Digest) Fits(password string) bool {
	of := d.of(password)
	return subtle.ConstantTimeCompare(of[:], d.hash[:]) == 1
}

func (d *Digest) of(password string) (hash [hashSize]byte) {
	copy(hash[:], argon2.IDKey([]byte(password), d.salt[:], d.passes, d.memoryKiB, lanes, hashSize))
	return hash
}

// Append appends what tells the digest from every other one.
func (d *Digest) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, d.memoryKiB), d.passes)
	return append(append(b, d.salt[:]...), d.hash[:]...)
}

// Message returns the digest as entries hold it.
func (d *Digest) Message() *directoryv1.Argon2Id {
	return &directoryv1.Argon2Id{MemoryKib: d.memoryKiB, Passes: d.passes, Salt: d.salt[:], Hash: d.hash[:]}
}

// Of reads a digest. Its errors hold nothing of it but sizes.
func Of(m *directoryv1.Argon2Id) (Digest, error) {
	d := Digest{memoryKiB: m.GetMemoryKib(), passes: m.GetPasses()}
	switch {
	case d.memoryKiB < leastMemory || d.memoryKiB > maxMemoryKiB:
		return Digest{}, fmt.Errorf("%w: memory_kib of %d, between %d and %d", ErrMalformed, d.memoryKiB, leastMemory, maxMemoryKiB)
	case d.passes < 1 || d.passes > maxPasses:
		return Digest{}, fmt.Errorf("%w: %d passes, between 1 and %d", ErrMalformed, d.passes, maxPasses)
	case len(m.GetSalt()) != saltSize:
		return Digest{}, fmt.Errorf("%w: salt of %d bytes, not %d", ErrMalformed, len(m.GetSalt()), saltSize)
	case len(m.GetHash()) != hashSize:
		return Digest{}, fmt.Errorf("%w: hash of %d bytes, not %d", ErrMalformed, len(m.GetHash()), hashSize)
	}
	d.salt, d.hash = [saltSize]byte(m.GetSalt()), [hashSize]byte(m.GetHash())
	return d, nil
}

// String keeps digests out of logs.
func (Digest) String() string { return "password digest" }

// GoString keeps digests out of logs.
func (Digest) GoString() string { return "password digest" }
