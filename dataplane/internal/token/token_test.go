package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"sync"
	"testing"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

const (
	rs256 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS256
	rs384 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS384
	rs512 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_RS512
	ps256 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS256
	ps384 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS384
	ps512 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_PS512
	es256 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256
	es384 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES384
	es512 = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES512
	eddsa = configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_EDDSA
)

// everything is an issuer that allows all algorithms.
var everything = NewAlgorithms(rs256, rs384, rs512, ps256, ps384, ps512, es256, es384, es512, eddsa)

// signer is an issuer's key, and an algorithm to sign by.
type signer struct {
	id        string
	algorithm configv1.SignatureAlgorithm
	private   crypto.Signer
}

// issuer has a key of each kind, made once for all tests: RSA keys take their time.
var issuer = sync.OnceValue(func() map[string]signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	all := map[string]signer{}
	for _, s := range []signer{
		{"rsa", rs256, rsaKey},
		{"rsa", rs384, rsaKey},
		{"rsa", rs512, rsaKey},
		{"rsa", ps256, rsaKey},
		{"rsa", ps384, rsaKey},
		{"rsa", ps512, rsaKey},
		{"p256", es256, p256},
		{"p384", es384, p384},
		{"p521", es512, p521},
		{"ed", eddsa, ed},
	} {
		all[jwk.AlgorithmName(s.algorithm)] = s
	}
	return all
})

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (s signer) key() jwk.Key {
	k, err := jwk.New(s.id, 0, s.private.Public())
	must(err)
	return k
}

// issuerKeys are the public halves.
var issuerKeys = sync.OnceValue(func() *KeySet {
	var keys []jwk.Key
	for _, s := range issuer() {
		keys = append(keys, s.key())
	}
	return NewKeySet(keys)
})

// part is a part of a token, from its JSON or its bytes.
func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign signs header and payload, whatever they are.
func (s signer) sign(header, payload string) string {
	signed := part(header) + "." + part(payload)
	return signed + "." + part(string(s.signature(signed)))
}

func (s signer) signature(signed string) []byte {
	hash, digest := sum(s.algorithm, []byte(signed), nil)
	switch private := s.private.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(signed))
	case *ecdsa.PrivateKey:
		r, v, err := ecdsa.Sign(rand.Reader, private, digest)
		must(err)
		size := (private.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), v.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		var options crypto.SignerOpts = hash
		if s.algorithm >= ps256 {
			options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		signature, err := private.Sign(rand.Reader, digest, options)
		must(err)
		return signature
	}
	panic("no such key")
}

// header is the usual one.
func (s signer) header() string {
	b, err := json.Marshal(map[string]string{"alg": jwk.AlgorithmName(s.algorithm), "kid": s.id, "typ": "JWT"})
	must(err)
	return string(b)
}

func (s signer) token(payload string) string { return s.sign(s.header(), payload) }

const goodClaims = `{"iss":"https://issuer.example","sub":"alice","aud":["https://api.example","other"],"exp":2000000000,"nbf":1000000000,"iat":1000000000,"jti":"t1","scope":"read write"}`

func TestTokensOfEveryAlgorithmAreVerified(t *testing.T) {
	for name, s := range issuer() {
		t.Run(name, func(t *testing.T) {
			parsed, err := Parse(s.token(goodClaims))
			if err != nil {
				t.Fatal(err)
			}
			v, err := parsed.Verify(issuerKeys(), everything)
			if err != nil {
				t.Fatal(err)
			}
			if v.Key() != s.key().Thumbprint || v.KeyID != s.id || v.Algorithm != s.algorithm || v.Type != "jwt" || v.Claims.Subject() != "alice" ||
				len(v.Audience) != 2 || v.Expires != 2000000000 || !v.HasExpires || v.NotBefore != 1000000000 || v.IssuedAt != 1000000000 {
				t.Errorf("read %+v", v)
			}
			if err := issuerKeys().Check(v, everything); err != nil {
				t.Errorf("verified, but then: %v", err)
			}
		})
	}
}
