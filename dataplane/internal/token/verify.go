package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"sync/atomic"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// Verified is a token that a key signed. Only [Token.Verify] makes one. It is immutable, but for what is kept with it.
type Verified struct {
	Token

	key  Thumbprint
	note atomic.Pointer[note]
}

// note is what somebody made of the token.
type note struct{ owner, value any }

// Key is the thumbprint of the key that signed.
func (v *Verified) Key() Thumbprint { return v.key }

// Keep keeps what its owner made of the token, so that it is made once and not on every request. The owner is compared by ==; give what the
// value was made by, as the compiled issuer, so that a later one doesn't find what an earlier one made. It takes the place of what was kept.
func (v *Verified) Keep(owner, value any) { v.note.Store(&note{owner, value}) }

// Kept returns what an owner kept last; nil: nothing, or another owner did since.
func (v *Verified) Kept(owner any) any {
	if n := v.note.Load(); n != nil && n.owner == owner {
		return n.value
	}
	return nil
}

// Verify checks who signed the token, and nothing else. Its errors are [ErrAlgorithm], [ErrUnknownKey] and [ErrSignature].
func (t *Token) Verify(keys *KeySet, allowed Algorithms) (*Verified, error) {
	key, err := keys.find(t, allowed)
	if err != nil {
		return nil, err
	}
	if !signedBy(key.Public, t.Algorithm, t.signed, t.signature) {
		return nil, ErrSignature
	}
	v := &Verified{Token: *t, key: key.Thumbprint}
	v.signed, v.signature = nil, nil // they have said what they had to
	return v, nil
}

// signedBy checks a signature (RFC 7518 section 3, RFC 8037 section 3.1). The key must fit the algorithm.
func signedBy(public crypto.PublicKey, algorithm configv1.SignatureAlgorithm, signed, signature []byte) bool {
	if public, ok := public.(ed25519.PublicKey); ok {
		return ed25519.Verify(public, signed, signature)
	}
	var room [sha512.Size]byte
	hash, digest := sum(algorithm, signed, room[:0])
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return isECDSA(public, digest, signature)
	case *rsa.PublicKey:
		if algorithm >= configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS256 {
			// The salt is as long as the hash (section 3.5).
			return rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
	}
	return false
}

func sum(algorithm configv1.SignatureAlgorithm, signed, room []byte) (crypto.Hash, []byte) {
	switch algorithm {
	case configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS384, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS384,
		configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES384:
		digest := sha512.Sum384(signed)
		return crypto.SHA384, append(room, digest[:]...)
	case configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS512, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS512,
		configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES512:
		digest := sha512.Sum512(signed)
		return crypto.SHA512, append(room, digest[:]...)
	default:
		digest := sha256.Sum256(signed)
		return crypto.SHA256, append(room, digest[:]...)
	}
}

// isECDSA checks a signature that is R and S, each as long as the curve's order (RFC 7518, section 3.4).
func isECDSA(public *ecdsa.PublicKey, digest, signature []byte) bool {
	size := (public.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(public, digest, r, s)
}
