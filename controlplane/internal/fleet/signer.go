package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
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
// of them can sign for any node.
type Signer struct {
	id  string
	key ed25519.PrivateKey
}

// LoadSigner returns the signer of this installation; the first call ever makes its key.
func LoadSigner(ctx context.Context, materials Materials) (*Signer, error) {
	seed, err := materials.Material(ctx, "fleet/signing-key", func() ([]byte, error) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed) // never fails: the runtime ends the process instead
		return seed, nil
	})
	if err != nil {
		return nil, fmt.Errorf("load the signing key: %w", err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, errors.New("load the signing key: the stored seed has a wrong length")
	}
	return newSigner(ed25519.NewKeyFromSeed(seed)), nil
}

func newSigner(key ed25519.PrivateKey) *Signer {
	sum := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return &Signer{id: hex.EncodeToString(sum[:8]), key: key}
}

// Key returns the public half, as it stands in trust bundles.
func (s *Signer) Key() *edgev1.SigningKey {
	return &edgev1.SigningKey{Id: s.id, PublicKey: s.key.Public().(ed25519.PublicKey)}
}

// Sign returns the head with the control plane's word for it.
func (s *Signer) Sign(head *edgev1.Head) (*edgev1.SignedHead, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("marshal a head: %w", err)
	}
	signature := ed25519.Sign(s.key, append([]byte(headContext), body...))
	return &edgev1.SignedHead{Head: body, Signature: signature, KeyId: s.id}, nil
}

// Verify returns the head that was signed with the control plane's key: by this replica, another one, or long ago.
func (s *Signer) Verify(signed *edgev1.SignedHead) (*edgev1.Head, error) {
	if signed.GetKeyId() != s.id {
		return nil, fmt.Errorf("a head signed with key %q, which isn't the control plane's", clean(signed.GetKeyId(), 64))
	}
	if !ed25519.Verify(s.key.Public().(ed25519.PublicKey), append([]byte(headContext), signed.GetHead()...), signed.GetSignature()) {
		return nil, errors.New("a head whose signature doesn't verify")
	}
	head := new(edgev1.Head)
	if err := proto.Unmarshal(signed.GetHead(), head); err != nil {
		return nil, fmt.Errorf("a signed head: %w", err)
	}
	return head, nil
}
