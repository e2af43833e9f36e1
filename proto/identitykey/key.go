package identitykey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

const (
	// Most is how many keys there are at once.
	Most = 8
	// SetAge is how long services may keep a set of keys.
	SetAge = 5 * time.Minute
	// Lead is how long a key is published before it signs: twice as long as a set is kept, for nodes that hear of it late.
	Lead = 2 * SetAge
	// MostLifetime is how long a token can be good.
	MostLifetime = time.Hour
	// Overlap is how long a key stays published after its successor has begun to sign: until its last token has ended, by a clock that is off too.
	Overlap = MostLifetime + 5*time.Minute

	// scalarBytes and signatureBytes are those of P-256 (RFC 7518, section 3.4).
	scalarBytes    = 32
	signatureBytes = 64
)

var (
	errVersion = errors.New("it has no version")
	errSeed    = fmt.Errorf("ed25519 isn't %d bytes", ed25519.SeedSize)
)

// Algorithm is what a token is signed by.
type Algorithm uint8

// The algorithms.
const (
	ES256 Algorithm = iota
	EdDSA
	algorithms
)

// String returns its name in a token's head (RFC 7518, section 3.1; RFC 8037, section 3.1).
func (a Algorithm) String() string {
	if a == ES256 {
		return "ES256"
	}
	return "EdDSA"
}

// Key is one that an environment signs with: of each algorithm its own. It is immutable.
type Key struct {
	Version   uint32
	CreatedAt time.Time
	// SignsFrom is when it begins to sign.
	SignsFrom time.Time

	p256    *ecdsa.PrivateKey
	ed25519 ed25519.PrivateKey
	public  [algorithms]jwk.Key
}

// New makes a key.
func New(version uint32, now, signsFrom time.Time) (*directoryv1.IdentityKey, error) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for ES256: %w", err)
	}
	scalar, err := p256.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make a key for ES256: %w", err)
	}
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails: the runtime ends the process instead
	return &directoryv1.IdentityKey{
		Version: version, Ed25519: seed, P256: scalar, CreatedAtMs: now.UnixMilli(), SignsFromMs: signsFrom.UnixMilli(),
	}, nil
}

// Parse reads a key. Its errors hold nothing of it.
func Parse(m *directoryv1.IdentityKey) (*Key, error) {
	if m.GetVersion() == 0 {
		return nil, errVersion
	}
	if len(m.GetEd25519()) != ed25519.SeedSize {
		return nil, errSeed
	}
	p256, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), m.GetP256())
	if err != nil {
		return nil, fmt.Errorf("p256: %w", err)
	}
	k := &Key{
		Version: m.GetVersion(), CreatedAt: time.UnixMilli(m.GetCreatedAtMs()), SignsFrom: time.UnixMilli(m.GetSignsFromMs()),
		p256: p256, ed25519: ed25519.NewKeyFromSeed(m.GetEd25519()),
	}
	if k.public[ES256], err = published(configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256, &p256.PublicKey); err != nil {
		return nil, err
	}
	k.public[EdDSA], err = published(configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA, k.ed25519.Public())
	return k, err
}

// published is a public key by the name of its thumbprint.
func published(algorithm configv1.SignatureAlgorithm, public crypto.PublicKey) (jwk.Key, error) {
	unnamed, err := jwk.New("", algorithm, public)
	if err != nil {
		return jwk.Key{}, fmt.Errorf("publish a key: %w", err)
	}
	return jwk.New(base64.RawURLEncoding.EncodeToString(unnamed.Thumbprint[:]), algorithm, public)
}

// String keeps keys out of logs.
func (*Key) String() string { return "identity key" }

// GoString keeps keys out of logs.
func (*Key) GoString() string { return "identity key" }

// ID is what services know the key of an algorithm by ("kid").
func (k *Key) ID(a Algorithm) string { return k.public[a].ID }

// AppendSignature appends the signature of a message, as tokens hold it (RFC 7515).
func (k *Key) AppendSignature(b []byte, a Algorithm, message []byte) ([]byte, error) {
	if a == EdDSA {
		return append(b, ed25519.Sign(k.ed25519, message)...), nil
	}
	sum := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, k.p256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var signature [signatureBytes]byte // both numbers at their full length, which DER doesn't give
	r.FillBytes(signature[:scalarBytes])
	s.FillBytes(signature[scalarBytes:])
	return append(b, signature[:]...), nil
}

// Set is the public halves of keys as services get them (RFC 7517, section 5).
func Set(keys []*Key) []byte {
	b := []byte(`{"keys":[`)
	for _, k := range keys {
		for i := range k.public {
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = k.public[i].AppendJSON(b)
		}
	}
	return append(b, "]}"...)
}

// Signer returns which of the keys, newest first, signs now: the newest that has begun. By a clock that is so far behind that none has, it is the oldest.
func Signer(keys []*Key, now time.Time) *Key {
	for _, k := range keys {
		if !k.SignsFrom.After(now) {
			return k
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return keys[len(keys)-1]
}

// Needed returns how many of the keys, newest first, are still to be published: all up to the first whose successor has signed for the time of
// an overlap.
func Needed(keys []*directoryv1.IdentityKey, now time.Time) int {
	for i, k := range keys {
		if !time.UnixMilli(k.GetSignsFromMs()).Add(Overlap).After(now) {
			return i + 1
		}
	}
	return len(keys)
}
