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
type Signer struct {
	current  atomic.Pointer[signingKey]
	believed atomic.Pointer[map[string]ed25519.PublicKey] // the keys that nodes believe in, the current one's among them
}

// use signs with a key from now on, and takes for the control plane's word what one of the keys has signed.
func (s *Signer) use(key *signingKey, believed []*edgev1.SigningKey) {
	keys := make(map[string]ed25519.PublicKey, len(believed))
	for _, k := range believed {
		keys[k.GetId()] = ed25519.PublicKey(k.GetPublicKey())
	}
	s.believed.Store(&keys)
	s.current.Store(key)
}

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
	s.use(key, []*edgev1.SigningKey{key.public()})
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

// Verify returns the head that was signed with a key that nodes believe in: by this replica, another one, or long ago. What a retired key
// has signed proves nothing: it may have been retired because others have it.
func (s *Signer) Verify(signed *edgev1.SignedHead) (*edgev1.Head, error) {
	key, believed := (*s.believed.Load())[signed.GetKeyId()]
	if !believed || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("a head signed with key %q, which isn't the control plane's", clean(signed.GetKeyId(), 64))
	}
	if !ed25519.Verify(key, append([]byte(headContext), signed.GetHead()...), signed.GetSignature()) {
		return nil, errors.New("a head whose signature doesn't verify")
	}
	head := new(edgev1.Head)
	if err := proto.Unmarshal(signed.GetHead(), head); err != nil {
		return nil, fmt.Errorf("a signed head: %w", err)
	}
	return head, nil
}
