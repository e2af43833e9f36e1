package jwt_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/jwt"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
)

// signer is a key of an issuer.
type signer struct {
	id      string
	private crypto.Signer
	alg     configv1.SignatureAlgorithm
}

func newSigner(t testing.TB, id string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{id, key, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256}
}

func (s signer) public(t testing.TB) jwk.Key {
	t.Helper()
	key, err := jwk.New(s.id, s.alg, s.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// object is a JSON object in the making.
type object map[string]any

// with returns the object with other members; a nil one is left out.
func (o object) with(members object) object {
	o = maps.Clone(o)
	for name, value := range members {
		if value == nil {
			delete(o, name)
		} else {
			o[name] = value
		}
	}
	return o
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func marshal(t testing.TB, o object) string {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sign makes a token of these texts, whatever they are.
func (s signer) sign(t testing.TB, header, payload string) string {
	t.Helper()
	signed := encode([]byte(header)) + "." + encode([]byte(payload))
	sum := sha256.Sum256([]byte(signed))
	var signature []byte
	var err error
	switch key := s.private.(type) {
	case *ecdsa.PrivateKey:
		r, v, failed := ecdsa.Sign(rand.Reader, key, sum[:])
		signature, err = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...), failed
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(signed))
	}
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + encode(signature)
}

// token makes a token of claims.
func (s signer) token(t testing.TB, claims object) string {
	t.Helper()
	return s.sign(t, marshal(t, object{"alg": jwk.AlgorithmName(s.alg), "kid": s.id, "typ": "JWT"}), marshal(t, claims))
}

// byMAC makes a token signed by HMAC with a text that anybody knows.
func byMAC(t testing.TB, header object, payload string, secret []byte) string {
	t.Helper()
	signed := encode([]byte(marshal(t, header))) + "." + encode([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}

const (
	issuerName = "https://login.example.com"
	audience   = "https://api.example.com"
)

// claims are those of a good token for an hour, of the consumer "app".
func claims() object {
	return object{
		"iss": issuerName, "aud": audience, "sub": "alice", "jti": "t-1", "client_id": "app", "scope": "orders:read orders:write",
		"iat": edgetest.Epoch.Unix(), "exp": edgetest.Epoch.Add(time.Hour).Unix(),
	}
}

// world is an edge with one route for all, an issuer, one key of it and the consumer "app".
type world struct {
	*edgetest.Edge
	key signer
}

const service = `"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}]`

func newWorld(t testing.TB, config string) *world {
	t.Helper()
	w := &world{edgetest.New(t, jwt.Binding, apikey.Binding), newSigner(t, "k1")}
	w.Consumer(t, "app", false)
	w.Configure(t, `{`+service+`,
		"issuers": [{"name": "login", "issuer": "`+issuerName+`", "jwks_url": "https://login.example.com/jwks", "audiences": ["`+audience+`", "other"],
			"consumer": {"name_claim": "client_id"}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}]}],
		"policies": [{"name": "tokens", "kind": "jwt", "config": `+config+`, "attached_to": [{"environment": true}]}]}`)
	w.Keys(t, "login", []jwk.Key{w.key.public(t)})
	return w
}

func bearer(token string) edgetest.Request { return edgetest.Get("/", "Authorization: Bearer "+token) }

// ask shows a token, and wants a verdict and the status that goes with it.
func (w *world) ask(t testing.TB, token, want string) *pipeline.Exchange {
	t.Helper()
	ex := w.Do(bearer(token))
	if string(ex.Verdict) != want {
		reason := ""
		if ex.Rejection != nil {
			reason = ex.Rejection.Reason
		}
		t.Errorf("%s (%s), want %s", ex.Verdict, reason, want)
	}
	return ex
}
