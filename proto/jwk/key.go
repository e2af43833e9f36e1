package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// Key is a public key that checks signatures. It is immutable.
type Key struct {
	// ID is the issuer's name for it ("kid"); "": it has none.
	ID string
	// Algorithm is the only one that it may be used with ("alg"); "": any that fits. An Ed25519 key says "EdDSA", also where the issuer
	// wrote "Ed25519" (RFC 9864).
	Algorithm string
	// Public is an *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
	Public crypto.PublicKey
	// Thumbprint is what the key is known by, whatever it is called (RFC 7638, SHA-256).
	Thumbprint [sha256.Size]byte
}

// algorithmNames are the names of RFC 7518 section 3.1 and RFC 8037 section 3.1.
var algorithmNames = [...]string{
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS256: "RS256",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS384: "RS384",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS512: "RS512",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS256: "PS256",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS384: "PS384",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS512: "PS512",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256: "ES256",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES384: "ES384",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES512: "ES512",
	configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA: "EdDSA",
}

// AlgorithmName returns an algorithm's name as keys and tokens write it; "": there is no such algorithm.
func AlgorithmName(algorithm configv1.SignatureAlgorithm) string {
	if algorithm < 0 || int(algorithm) >= len(algorithmNames) {
		return ""
	}
	return algorithmNames[algorithm]
}

// AlgorithmNamed returns the algorithm of a name, to the letter; unspecified: there is none. "Ed25519" is the newer name of what we know
// of EdDSA (RFC 9864, section 2.2).
func AlgorithmNamed(name string) configv1.SignatureAlgorithm {
	if name == "Ed25519" {
		return configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA
	}
	for algorithm, known := range algorithmNames {
		if known == name && name != "" {
			return configv1.SignatureAlgorithm(algorithm)
		}
	}
	return configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_UNSPECIFIED
}

// Fits tells whether signatures of an algorithm may be checked with the key. It is what keeps a key of one kind from being taken for one
// of another (RFC 8725, section 3.1).
func (k Key) Fits(algorithm configv1.SignatureAlgorithm) bool {
	name := AlgorithmName(algorithm)
	return name != "" && (k.Algorithm == "" || k.Algorithm == name) && fits(k.Public, algorithm)
}

func fits(public crypto.PublicKey, algorithm configv1.SignatureAlgorithm) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return algorithm >= configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS256 && algorithm <= configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS512
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return algorithm == configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256
		case elliptic.P384():
			return algorithm == configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES384
		case elliptic.P521():
			return algorithm == configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES512
		}
	case ed25519.PublicKey:
		return algorithm == configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA
	}
	return false
}

// New returns a key of ours, to be published. It refuses what [Parse] would.
func New(id string, algorithm configv1.SignatureAlgorithm, public crypto.PublicKey) (Key, error) {
	k := Key{ID: id, Algorithm: AlgorithmName(algorithm), Public: public}
	return Parse(k.AppendJSON(nil))
}

// AppendJSON appends the key as a JSON Web Key with its public members alone, in alphabetical order and without spaces: equal keys are
// equal bytes. It reads back as it is.
func (k Key) AppendJSON(b []byte) []byte { return k.appendJSON(b, true) }

// appendJSON leaves out what names the key when it isn't named: what is left is what its thumbprint is over (RFC 7638, section 3.2).
func (k Key) appendJSON(b []byte, named bool) []byte {
	named, algorithm := named && k.ID != "", named && k.Algorithm != ""
	b = append(b, '{')
	if algorithm {
		b = appendMember(b, "alg", k.Algorithm)
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		b = appendMember(b, "e", encode(big.NewInt(int64(public.E)).Bytes()))
		b = appendID(b, k.ID, named)
		b = appendMember(b, "kty", "RSA")
		b = appendMember(b, "n", encode(public.N.Bytes()))
	case *ecdsa.PublicKey:
		x, y := coordinates(public)
		b = appendMember(b, "crv", public.Curve.Params().Name)
		b = appendID(b, k.ID, named)
		b = appendMember(b, "kty", "EC")
		b = appendMember(b, "x", encode(x))
		b = appendMember(b, "y", encode(y))
	case ed25519.PublicKey:
		b = appendMember(b, "crv", "Ed25519")
		b = appendID(b, k.ID, named)
		b = appendMember(b, "kty", "OKP")
		b = appendMember(b, "x", encode(public))
	}
	b[len(b)-1] = '}' // in the place of the last comma
	return b
}

func appendID(b []byte, id string, named bool) []byte {
	if !named {
		return b
	}
	return appendMember(b, "kid", id)
}

// appendMember appends a member and a comma. A text has no control characters, see checkID.
func appendMember(b []byte, name, text string) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	for i := range len(text) {
		if text[i] == '"' || text[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, text[i])
	}
	return append(b, `",`...)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// coordinates returns those of a point that is on its curve, each as long as the curve wants.
func coordinates(public *ecdsa.PublicKey) (x, y []byte) {
	point, err := public.Bytes()
	if err != nil {
		return nil, nil // not on its curve: Parse refuses what comes of it
	}
	half := len(point) / 2
	return point[1 : 1+half], point[1+half:]
}
