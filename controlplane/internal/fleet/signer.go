package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/trust"
)

// headContext is in front of what is signed, so that a signature over a head can't be taken for one
// over anything else.
const headContext = "sallyport head v1\x00"

// Materials keeps secret material sealed under the root key. generate runs at most once for a name among
// all replicas; everyone gets what it made.
type Materials interface {
	Material(ctx context.Context, name string, generate func() ([]byte, error)) ([]byte, error)
}

// Signer signs heads with the control plane's Ed25519 key. Every replica holds the same key, so any
// of them can sign for any node. A Trust swaps the key when it is rotated.
type Signer struct{ current atomic.Pointer[signingKey] }

type signingKey struct {
	id  string
	key ed25519.PrivateKey
}

// signingMaterial is the name of the first key's seed; those that took its place have their id behind it.
const signingMaterial = "fleet/signing-key"

// LoadSigner returns the signer of this installation with its first key; the first call ever makes it.
func LoadSigner(ctx context.Context, materials Materials) (*Signer, error) {
	key, err := loadSigningKey(ctx, materials, signingMaterial, makeSeed)
	if err != nil {
		return nil, err
	}
	s := new(Signer)
	s.current.Store(key)
	return s, nil
}

func makeSeed() ([]byte, error) {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails: the runtime ends the process instead
	return seed, nil
}

func loadSigningKey(ctx context.Context, materials Materials, name string, generate func() ([]byte, error)) (*signingKey, error) {
	seed, err := materials.Material(ctx, name, generate)
	if err != nil {
		return nil, fmt.Errorf("load the signing key: %w", err)
	}
	return newSigningKey(seed)
}

func newSigningKey(seed []byte) (*signingKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, errors.New("load the signing key: the stored seed has a wrong length")
	}
	key := ed25519.NewKeyFromSeed(seed)
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return &signingKey{id: hex.EncodeToString(sum[:8]), key: key}, nil
}

func (k *signingKey) public() *edgev1.SigningKey {
	return &edgev1.SigningKey{Id: k.id, PublicKey: k.key.Public().(ed25519.PublicKey)}
}

func (k *signingKey) announce(bundle *edgev1.TrustBundle) (*edgev1.SignedTrust, error) {
	return trust.Announce(bundle, k.id, k.key)
}

// Key returns the public half, as it stands in trust bundles.
func (s *Signer) Key() *edgev1.SigningKey { return s.current.Load().public() }

// stale tells whether a head was signed with another key than the current one. A node may not believe
// in that any more.
func (s *Signer) stale(signed *edgev1.SignedHead) bool {
	return signed.GetKeyId() != s.current.Load().id
}

// Sign returns the head with the control plane's word for it.
func (s *Signer) Sign(head *edgev1.Head) (*edgev1.SignedHead, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("marshal a head: %w", err)
	}
	by := s.current.Load()
	signature := ed25519.Sign(by.key, append([]byte(headContext), body...))
	return &edgev1.SignedHead{Head: body, Signature: signature, KeyId: by.id}, nil
}
