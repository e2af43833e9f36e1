package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/identity"
)

var encode = base64.RawURLEncoding.EncodeToString

// gateway signs, and publishes its keys.
type gateway struct {
	t       *testing.T
	server  *httptest.Server
	fetched atomic.Int64
	down    atomic.Bool
	now     atomic.Int64

	mu   sync.Mutex
	keys map[string]crypto.Signer
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, keys: map[string]crypto.Signer{}}
	g.now.Store(1_700_000_000)
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		g.fetched.Add(1)
		if g.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(g.set())
	}))
	t.Cleanup(g.server.Close)
	g.publish("e", elliptical(t))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	g.publish("d", ed)
	return g
}

func elliptical(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (g *gateway) publish(id string, key crypto.Signer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if key == nil {
		delete(g.keys, id)
		return
	}
	g.keys[id] = key
}

func (g *gateway) set() map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := []any{map[string]any{"kty": "RSA", "kid": "other", "n": "AQAB", "e": "AQAB"}}
	for id, key := range g.keys {
		switch public := key.Public().(type) {
		case ed25519.PublicKey:
			list = append(list, map[string]any{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": id, "x": encode(public)})
		case *ecdsa.PublicKey:
			point, err := public.Bytes()
			if err != nil {
				g.t.Error(err)
			}
			list = append(list, map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": id, "x": encode(point[1:33]), "y": encode(point[33:])})
		}
	}
	return map[string]any{"keys": list}
}

func (g *gateway) checker(change func(*identity.Config)) *identity.Checker {
	g.t.Helper()
	config := identity.Config{
		KeysURL: g.server.URL, Issuer: "https://gateway.test", Audience: "orders",
		Now: func() time.Time { return time.Unix(g.now.Load(), 0) },
	}
	if change != nil {
		change(&config)
	}
	c, err := identity.New(config)
	if err != nil {
		g.t.Fatal(err)
	}
	return c
}

// says is what a good token says, with changes; nil takes a claim out.
func (g *gateway) says(changes map[string]any) map[string]any {
	now := g.now.Load()
	all := map[string]any{
		"iss": "https://gateway.test", "sub": "con_1", "aud": "orders", "iat": now, "nbf": now, "exp": now + 300,
		"consumer": map[string]any{"id": "con_1", "name": "shop"}, "scope": "read write", "idp": "https://idp.test", "idp_sub": "alice", "roles": []string{"x"},
	}
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

func (g *gateway) sign(key crypto.Signer, head map[string]any, claims any) string {
	g.t.Helper()
	rawHead, err1 := json.Marshal(head)
	rawClaims, err2 := json.Marshal(claims)
	message := encode(rawHead) + "." + encode(rawClaims)
	var signature []byte
	var err3 error
	switch key := key.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(message))
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256([]byte(message))
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err3 = err; err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		g.t.Fatal(err)
	}
	return message + "." + encode(signature)
}

func (g *gateway) token(id string, changes map[string]any) string {
	g.mu.Lock()
	key := g.keys[id]
	g.mu.Unlock()
	algorithm := "ES256"
	if _, ed := key.(ed25519.PrivateKey); ed {
		algorithm = "EdDSA"
	}
	return g.sign(key, map[string]any{"alg": algorithm, "kid": id, "typ": "JWT"}, g.says(changes))
}

func TestAGenuineTokenSaysWhoCalls(t *testing.T) {
	g := newGateway(t)
	checker := g.checker(nil)
	for _, id := range []string{"e", "d"} {
		caller, err := checker.Check(t.Context(), g.token(id, nil))
		if err != nil {
			t.Fatal(err)
		}
		var more struct{ Roles []string }
		if err := caller.Claims(&more); err != nil || len(more.Roles) != 1 {
			t.Errorf("the claims are %+v, %v", more, err)
		}
		if caller.Subject != "con_1" || caller.ConsumerID != "con_1" || caller.ConsumerName != "shop" || !caller.Has("write") || caller.Has("writ") ||
			caller.IDP != "https://idp.test" || caller.IDPSubject != "alice" || caller.Expires.Unix() != g.now.Load()+300 {
			t.Errorf("the caller is %+v", caller)
		}
	}
	if n := g.fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestWhatIsntGenuineIsRefused(t *testing.T) {
	g := newGateway(t)
	checker := g.checker(nil)
	good := g.token("e", nil)
	parts := strings.Split(good, ".")
	none := encode([]byte(`{"alg":"none","kid":"e"}`))
	symmetric := encode([]byte(`{"alg":"HS256","kid":"e"}`))
	public, err := g.keys["e"].Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(symmetric + "." + parts[1]))
	now := g.now.Load()
	for name, token := range map[string]string{
		"another service's":      g.token("e", map[string]any{"aud": "billing"}),
		"a list of audiences":    g.token("e", map[string]any{"aud": []string{"orders", "billing"}}),
		"no audience":            g.token("e", map[string]any{"aud": nil}),
		"another issuer's":       g.token("e", map[string]any{"iss": "https://gateway.test/"}),
		"ended":                  g.token("e", map[string]any{"exp": now - 30}),
		"without end":            g.token("e", map[string]any{"exp": nil}),
		"with an endless end":    g.token("e", map[string]any{"exp": 1e300}),
		"with a text as its end": g.token("e", map[string]any{"exp": "never"}),
		"not begun":              g.token("e", map[string]any{"nbf": now + 31}),
		"without subject":        g.token("e", map[string]any{"sub": nil}),
		"signed by a stranger":   g.sign(elliptical(t), map[string]any{"alg": "ES256", "kid": "e"}, g.says(nil)),
		"of a key nobody has":    g.sign(elliptical(t), map[string]any{"alg": "ES256", "kid": "x"}, g.says(nil)),
		"without a key's name":   g.sign(g.keys["e"], map[string]any{"alg": "ES256"}, g.says(nil)),
		"with another algorithm": g.sign(g.keys["d"], map[string]any{"alg": "EdDSA", "kid": "e"}, g.says(nil)),
		"with a lying head":      g.sign(g.keys["d"], map[string]any{"alg": "ES256", "kid": "d"}, g.says(nil)),
		"with something to heed": g.sign(g.keys["e"], map[string]any{"alg": "ES256", "kid": "e", "crit": []string{"b64"}, "b64": false}, g.says(nil)),
		"unsigned":               none + "." + parts[1] + ".",
		"signed by a public key": symmetric + "." + parts[1] + "." + encode(mac.Sum(nil)),
		"with other claims":      parts[0] + "." + encode([]byte(`{"iss":"https://gateway.test","sub":"root","aud":"orders","exp":99999999999}`)) + "." + parts[2],
		"without signature":      parts[0] + "." + parts[1] + ".",
		"cut short":              good[:len(good)-4],
		"with a byte more":       good + "A",
		"in two parts":           parts[0] + "." + parts[1],
		"in four parts":          good + "." + parts[2],
		"empty":                  "",
		"with a space":           " " + good,
		"with a line break":      parts[0] + "\n." + parts[1] + "." + parts[2],
		"too long":               good + strings.Repeat("A", 20<<10),
	} {
		if caller, err := checker.Check(t.Context(), token); !errors.Is(err, identity.ErrRefused) || caller != nil {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
	if _, err := checker.Check(t.Context(), g.token("e", map[string]any{"exp": now - 29, "nbf": now + 30})); err != nil {
		t.Errorf("by a clock that is off a little: %v", err)
	}
}

func TestKeysAreFetchedWhenOneIsNewAndAtMostOnceASecond(t *testing.T) {
	g := newGateway(t)
	checker := g.checker(nil)
	check := func(token string) error { _, err := checker.Check(t.Context(), token); return err }
	if err := check(g.token("e", nil)); err != nil {
		t.Fatal(err)
	}
	g.publish("new", elliptical(t))
	g.now.Add(1)
	if err := check(g.token("new", nil)); err != nil {
		t.Errorf("a new key: %v", err)
	}
	before := g.fetched.Load()
	var all sync.WaitGroup
	for i := range 100 {
		unknown := g.sign(elliptical(t), map[string]any{"alg": "ES256", "kid": fmt.Sprint("x", i)}, g.says(nil))
		all.Go(func() {
			if err := check(unknown); !errors.Is(err, identity.ErrRefused) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := g.fetched.Load() - before; n > 1 {
		t.Errorf("100 unknown keys were looked for %d times", n)
	}
	leaked := g.token("new", map[string]any{"exp": g.now.Load() + 3600})
	g.publish("new", nil)
	g.now.Add(300)
	if err := check(leaked); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a key that is gone: %v", err)
	}
}

func TestKeysAreBelievedForADayWhileTheyCantBeFetched(t *testing.T) {
	g := newGateway(t)
	checker := g.checker(nil)
	check := func(id string) error { _, err := checker.Check(t.Context(), g.token(id, nil)); return err }
	g.down.Store(true)
	if err := check("e"); err == nil || errors.Is(err, identity.ErrRefused) {
		t.Errorf("the token was blamed: %v", err)
	}
	g.down.Store(false)
	g.now.Add(1)
	if err := check("e"); err != nil {
		t.Fatal(err)
	}
	g.down.Store(true)
	g.now.Add(23 * 3600)
	before := g.fetched.Load()
	for range 10 {
		if err := check("e"); err != nil {
			t.Error(err)
		}
	}
	if n := g.fetched.Load() - before; n != 1 {
		t.Errorf("tried %d times", n)
	}
	g.now.Add(2 * 3600)
	if err := check("e"); err == nil {
		t.Error("believed for more than a day")
	}
}

func TestHandlersLearnWhoCallsAndOthersDontGetThere(t *testing.T) {
	g := newGateway(t)
	for header, prefix := range map[string]string{"": "", "Authorization": "Bearer "} {
		checker := g.checker(func(c *identity.Config) { c.Header = header })
		handler := checker.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(identity.From(r.Context()).ConsumerName))
		}))
		if header == "" {
			header = "X-Identity-Token"
		}
		for name, c := range map[string]struct {
			values []string
			want   int
		}{
			"none": {nil, 401}, "good": {[]string{prefix + g.token("e", nil)}, 200}, "two": {[]string{prefix + g.token("e", nil), prefix + g.token("d", nil)}, 401},
			"bad": {[]string{prefix + "x"}, 401},
		} {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			for _, v := range c.values {
				r.Header.Add(header, v)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != c.want || c.want == 200 && w.Body.String() != "shop" || c.want == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %d %s", header, name, w.Code, w.Body)
			}
		}
	}
	if identity.From(context.Background()) != nil {
		t.Error("somebody is known without a checker")
	}
}

func TestACheckerWantsToKnowWhoseTokensItTakes(t *testing.T) {
	for _, config := range []identity.Config{{}, {KeysURL: "http://x", Issuer: "x"}, {KeysURL: "http://x", Audience: "x"}, {Issuer: "x", Audience: "x"}} {
		if _, err := identity.New(config); err == nil {
			t.Errorf("%+v is enough", config)
		}
	}
}
