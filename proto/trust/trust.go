package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// context is in front of what is signed, so that a signature over a bundle can't be taken for one
// over anything else.
const context = "sallyport trust v1\x00"

// Bounds of a bundle. A rotation makes two of a thing; more than a few are a mistake, or an attack.
const (
	maxAuthorities = 4
	maxKeys        = 4
	maxIssuers     = 4
	maxBundle      = 64 << 10
)

// Errors of an announcement that isn't believed.
var (
	ErrVersion   = errors.New("trust: the announcement doesn't follow the bundle that is believed in")
	ErrSignature = errors.New("trust: the announcement isn't signed by a key that is believed in")
	ErrBundle    = errors.New("trust: the bundle is none to believe in")
)

// Announce signs a bundle by a key of the bundle before it.
func Announce(bundle *edgev1.TrustBundle, keyID string, key ed25519.PrivateKey) (*edgev1.SignedTrust, error) {
	if err := Check(bundle); err != nil {
		return nil, err
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(bundle)
	if err != nil {
		return nil, fmt.Errorf("trust: marshal a bundle: %w", err)
	}
	return &edgev1.SignedTrust{Bundle: body, Signature: ed25519.Sign(key, message(body)), KeyId: keyID}, nil
}

// Next returns the bundle that an announcement leads to from the one that is believed in, of which
// version and signing keys count: it must be the very next, and signed by one of those keys.
func Next(version uint64, keys []*edgev1.SigningKey, link *edgev1.SignedTrust) (*edgev1.TrustBundle, error) {
	if err := verify(keys, link); err != nil {
		return nil, err
	}
	bundle, err := Parse(link)
	if err != nil {
		return nil, err
	}
	if bundle.GetVersion() != version+1 {
		return nil, fmt.Errorf("%w: it is of version %d, believed in is %d", ErrVersion, bundle.GetVersion(), version)
	}
	return bundle, nil
}

// Parse reads an announcement's bundle, whoever signed it.
func Parse(link *edgev1.SignedTrust) (*edgev1.TrustBundle, error) {
	bundle := new(edgev1.TrustBundle)
	if len(link.GetBundle()) > maxBundle || proto.Unmarshal(link.GetBundle(), bundle) != nil {
		return nil, fmt.Errorf("%w: it can't be read", ErrBundle)
	}
	if len(bundle.ProtoReflect().GetUnknown()) > 0 {
		return nil, fmt.Errorf("%w: it has fields that this build doesn't know", ErrBundle)
	}
	return bundle, Check(bundle)
}

func verify(keys []*edgev1.SigningKey, link *edgev1.SignedTrust) error {
	for _, key := range keys {
		if key.GetId() == link.GetKeyId() && len(key.GetPublicKey()) == ed25519.PublicKeySize &&
			ed25519.Verify(key.GetPublicKey(), message(link.GetBundle()), link.GetSignature()) {
			return nil
		}
	}
	return fmt.Errorf("%w: it says %q", ErrSignature, link.GetKeyId())
}

// Check tells whether a bundle is one to believe in: it must leave somebody to believe.
func Check(bundle *edgev1.TrustBundle) error {
	authorities, keys := bundle.GetAuthorities(), bundle.GetSigningKeys()
	switch {
	case bundle.GetVersion() == 0:
		return fmt.Errorf("%w: it has no version", ErrBundle)
	case len(authorities) == 0 || len(authorities) > maxAuthorities:
		return fmt.Errorf("%w: it has %d authorities, want 1 to %d", ErrBundle, len(authorities), maxAuthorities)
	case len(keys) == 0 || len(keys) > maxKeys:
		return fmt.Errorf("%w: it has %d signing keys, want 1 to %d", ErrBundle, len(keys), maxKeys)
	case len(bundle.GetBusIssuers()) > maxIssuers:
		return fmt.Errorf("%w: it has %d issuers of the bus, at most %d", ErrBundle, len(bundle.GetBusIssuers()), maxIssuers)
	}
	for n, der := range authorities {
		if authority, err := x509.ParseCertificate(der); err != nil || !authority.IsCA {
			return fmt.Errorf("%w: authority %d is none", ErrBundle, n)
		}
	}
	known := make(map[string]bool, len(keys))
	for _, key := range keys {
		if key.GetId() == "" || known[key.GetId()] || len(key.GetPublicKey()) != ed25519.PublicKeySize {
			return fmt.Errorf("%w: signing key %q is no Ed25519 key, or there twice", ErrBundle, key.GetId())
		}
		known[key.GetId()] = true
	}
	return nil
}

func message(body []byte) []byte { return append([]byte(context), body...) }
