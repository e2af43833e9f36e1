package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// tokenIssuer is an issuer of tokens on loopback, whose keys the test has.
type tokenIssuer struct {
	// Issuer is what its tokens say in "iss", and where its discovery document is.
	Issuer string

	mu    sync.Mutex
	shown []signingKey // the first one signs
	made  int
	asked int
}

type signingKey struct {
	id      string
	private *ecdsa.PrivateKey
}

// claims are a token's. One that is nil is left out.
type claims map[string]any

func (c claims) with(more claims) claims {
	c = maps.Clone(c)
	maps.Copy(c, more)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	return c
}

func newTokenIssuer(t *testing.T) *tokenIssuer {
	t.Helper()
	i := new(tokenIssuer)
	i.Rotate(t)
	s := httptest.NewServer(i)
	t.Cleanup(s.Close)
	i.Issuer = s.URL
	return i
}

// ServeHTTP answers with the discovery document or the keys.
func (i *tokenIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.Issuer, "jwks_uri": i.Issuer + "/jwks"}) // a node that is gone hears nothing
	case "/jwks":
		i.asked++
		keys := []json.RawMessage{}
		for _, key := range i.shown {
			public, err := jwk.New(key.id, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256, key.private.Public())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			keys = append(keys, public.AppendJSON(nil))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
	default:
		http.NotFound(w, r)
	}
}

// Rotate signs with a new key from now on, and shows those before it too.
func (i *tokenIssuer) Rotate(t *testing.T) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	i.shown = append([]signingKey{{"key-" + strconv.Itoa(i.made), private}}, i.shown...)
}

// Retire shows no key but the one that signs.
func (i *tokenIssuer) Retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.shown = i.shown[:1]
}

// Looks returns how often the keys were looked at.
func (i *tokenIssuer) Looks() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func (i *tokenIssuer) key() signingKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.shown[0]
}

const tokenAudience = "https://api.example.com"

// claims are those of a good token of a consumer, for an hour.
func (i *tokenIssuer) claims(consumer string) claims {
	now := time.Now()
	return claims{
		"iss": i.Issuer, "aud": tokenAudience, "sub": "alice", "jti": "token-1", "client_id": consumer, "scope": "orders:read",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

// Token signs claims by the key of now.
func (i *tokenIssuer) Token(t *testing.T, of claims) string {
	t.Helper()
	return i.Signed(t, claims{"alg": "ES256", "kid": i.key().id, "typ": "JWT"}, of)
}

// Signed signs claims under any header.
func (i *tokenIssuer) Signed(t *testing.T, header, of claims) string {
	t.Helper()
	return sign(t, i.key().private, compact(t, header)+"."+compact(t, of))
}

func sign(t *testing.T, by *ecdsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, by, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	size := by.Curve.Params().BitSize / 8
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...))
}

// byMAC signs by HMAC with what everybody knows of the issuer's key.
func (i *tokenIssuer) byMAC(t *testing.T, of claims) string {
	t.Helper()
	public, err := jwk.New(i.key().id, configv1.SignatureAlgorithm_SIGNATURE_ALGORITHM_ES256, i.key().private.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := compact(t, claims{"alg": "HS256", "kid": i.key().id}) + "." + compact(t, of)
	mac := hmac.New(sha256.New, public.AppendJSON(nil))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// compact writes an object as a token's part.
func compact(t *testing.T, of claims) string {
	t.Helper()
	text, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes.TrimSpace(text))
}

// trust makes an issuer that is trusted. Nodes and control plane find its keys as from says.
func trust(t *testing.T, s *harness.Story, i *tokenIssuer, from sallyport.IssuerFetchFrom) sallyport.Issuer {
	t.Helper()
	made, err := s.API.CreateIssuerWithResponse(t.Context(), s.Environment.Name, &sallyport.CreateIssuerParams{Wait: s.Wait()}, sallyport.Issuer{
		Name: s.Name("login"), Issuer: i.Issuer, Discovery: &sallyport.Discovery{}, FetchFrom: &from,
		RefreshInterval: pointer("5s"), ClockSkew: pointer("0s"), Audiences: []string{tokenAudience, "https://other.example.com"},
		Consumer: sallyport.ConsumerMapping{NameClaim: "client_id"},
	})
	s.Must(made, err)
	s.Applied(made.HTTPResponse)
	return *made.JSON201
}

// behindTokens creates a service on target behind tokens of an issuer, and a consumer.
func behindTokens(t *testing.T, s *harness.Story, target string, issuer sallyport.Issuer, config map[string]any) sallyport.Consumer {
	t.Helper()
	service := s.Service("service", target)
	all := map[string]any{"issuers": []string{issuer.Name}}
	maps.Copy(all, config)
	s.Policy(sallyport.Policy{Name: s.Name("tokens"), Kind: "jwt", Config: all, AttachedTo: []sallyport.Attachment{{Service: service.Name}}})
	s.Route(sallyport.Route{Name: s.Name("route"), Service: service.Name, Paths: harness.Below("/")})
	return s.Consumer("app")
}

func withToken(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}
