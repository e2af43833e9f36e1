package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	identityHeader = "X-Identity-Token"
	identityIssuer = "https://gateway.test"
	identityPath   = "/.well-known/identity-keys"
)

// identityToken returns a policy that tells services who calls.
func identityToken(name string, attached sallyport.Attachment, config map[string]any) sallyport.Policy {
	return sallyport.Policy{Name: name, Kind: "identity-token", Config: config, AttachedTo: []sallyport.Attachment{attached}}
}

// signedBy is the configuration of one that signs.
func signedBy(algorithm string) map[string]any {
	return map[string]any{"token": map[string]any{"issuer": identityIssuer, "algorithm": algorithm}}
}

// told is a caller's request as one example has it.
type told struct{ Subject, Consumer, Request string }

// identities is an environment with an example of a service that checks who calls, and one that records what it is told.
type identities struct {
	*harness.Story

	t        *testing.T
	language string
	consumer sallyport.Consumer
	key      sallyport.APIKey
	orders   sallyport.Service
	recorder *harness.Upstream
	address  string // of the example itself, beside the gateway
}

func newIdentities(t *testing.T, language, algorithm string) *identities {
	t.Helper()
	w := &identities{Story: product.OwnStory(t, 2, harness.Loopback), t: t, language: language, recorder: harness.NewUpstream(t, nil)}
	w.Settings(map[string]any{"identity_keys_path": identityPath})
	w.address = w.example()
	w.orders = w.Service("orders", w.address)
	recorded := w.Service("recorded", w.recorder.Address)
	w.Policy(harness.APIKeys(w.Name("keys"), sallyport.Attachment{Environment: true}))
	w.Policy(identityToken(w.Name("who"), sallyport.Attachment{Environment: true}, signedBy(algorithm)))
	w.Route(sallyport.Route{Name: w.Name("orders"), Service: w.orders.Name, Paths: harness.Below("/orders")})
	w.Route(sallyport.Route{Name: w.Name("recorded"), Service: recorded.Name, Paths: harness.Below("/recorded")})
	w.Route(sallyport.Route{Name: w.Name("own"), Service: recorded.Name, Paths: harness.Below("/as-orders")})
	w.consumer = w.Consumer("shop")
	w.key = w.Key(sallyport.APIKey{Consumer: w.consumer.Name, Scopes: []string{"orders:read"}})
	return w
}

// example starts one more of the example, which takes tokens for the first.
func (w *identities) example() string {
	w.t.Helper()
	return harness.StartExample(w.t, w.language, "KEYS_URL="+w.Edges()[0].URL+identityPath, "ISSUER="+identityIssuer, "AUDIENCE="+w.Name("orders"))
}

// call asks through the gateway.
func (w *identities) call(edge *harness.Edge, path string, more http.Header) harness.Response {
	header := harness.WithKey(w.key.Key)
	for name, values := range more {
		header[name] = values
	}
	return w.Send(edge, http.MethodGet, path, header)
}

// token returns what the recording service was told last, on a path.
func (w *identities) token(path string) string {
	w.t.Helper()
	if answer := w.call(w.Edges()[0], path, nil); answer.Status != http.StatusOK {
		w.t.Fatal(answer)
	}
	all := w.recorder.Requests()
	return all[len(all)-1].Header.Get(identityHeader)
}

// direct asks the example beside the gateway.
func direct(t *testing.T, address string, tokens ...string) (int, told) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/orders", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header[identityHeader] = tokens
	client := http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var said told
	if answer.StatusCode == http.StatusOK {
		if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
			t.Fatal(err)
		}
	}
	return answer.StatusCode, said
}

// headOf reads a token's head.
func headOf(t *testing.T, token string) (head struct{ Alg, Kid, Typ string }) {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil || json.Unmarshal(raw, &head) != nil {
		t.Fatalf("the token is %q: %v", token, err)
	}
	return head
}

func TestAServiceLearnsWhoCallsAndChecksIt(t *testing.T) {
	t.Parallel()
	for language, algorithm := range map[string]string{"go": "es256", "node": "eddsa"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			w := newIdentities(t, language, algorithm)
			for _, edge := range w.Edges() {
				answer := w.call(edge, "/orders", http.Header{identityHeader: {"forged"}, "x_identity_token": {"forged"}, "X-Identity_token": {"forged"}})
				var said told
				if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &said) != nil || said.Consumer != w.consumer.Name || said.Subject != w.consumer.ID ||
					said.Request != answer.Header.Get("X-Request-Id") {
					t.Fatalf("%s: %s", edge.Name, answer)
				}
			}
			// A token for the recording service is none for orders, whoever shows it.
			stolen := w.token("/recorded")
			for name, tokens := range map[string][]string{
				"none": nil, "for another service": {stolen}, "altered": {stolen[:len(stolen)-5] + "AAAA" + stolen[len(stolen)-1:]}, "two": {stolen, stolen}, "nonsense": {"x"},
			} {
				if status, _ := direct(t, w.address, tokens...); status != http.StatusUnauthorized {
					t.Errorf("%s: %d", name, status)
				}
			}
			if head := headOf(t, stolen); !strings.EqualFold(head.Alg, algorithm) || head.Kid == "" {
				t.Errorf("the head is %+v", head)
			}
			for name := range w.recorder.Requests()[0].Header {
				if strings.ReplaceAll(strings.ToLower(name), "_", "-") == strings.ToLower(identityHeader) && name != identityHeader {
					t.Errorf("%s reached a service", name)
				}
			}
			// Who isn't allowed is told so by the service itself: it knows the scopes.
			other := w.Key(sallyport.APIKey{Consumer: w.consumer.Name})
			if answer := w.Send(w.Edges()[0], http.MethodGet, "/orders", harness.WithKey(other.Key)); answer.Status != http.StatusForbidden {
				t.Errorf("without the scope: %s", answer)
			}
		})
	}
}

// The edge and the control plane publish the same keys, and none of them is private.
func (w *identities) samePublished() {
	w.t.Helper()
	at, err := w.API.GetIdentityKeysWithResponse(w.t.Context(), w.Environment.Name)
	w.Must(at, err)
	harness.Eventually(w.t, time.Minute, func() error {
		at, err = w.API.GetIdentityKeysWithResponse(w.t.Context(), w.Environment.Name)
		w.Must(at, err)
		for _, edge := range w.Edges() {
			here := w.SendTo(edge, http.MethodGet, identityPath, "any.host", nil)
			if here.Status != http.StatusOK || here.Header.Get("Content-Type") != "application/jwk-set+json" || here.Header.Get("Cache-Control") != "public, max-age=300" {
				return fmt.Errorf("%s: %s %v", edge.Name, here, here.Header)
			}
			if !bytes.Equal(here.Body, at.Body) || bytes.Contains(here.Body, []byte(`"d"`)) {
				return fmt.Errorf("%s publishes %s, the control plane %s", edge.Name, here.Body, at.Body)
			}
		}
		return nil
	})
}

func TestIdentityKeysAreRotatedWhileRequestsGoOnAndALeakedOneIsDead(t *testing.T) {
	t.Parallel()
	w := newIdentities(t, "go", "es256")
	w.samePublished()
	before := headOf(t, w.token("/recorded"))
	traffic, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var passed int
	all.Go(func() {
		for n := 0; traffic.Err() == nil; n++ {
			answer, err := w.Edges()[n%len(w.Edges())].Do(t.Context(), harness.Request{Host: w.Host, Path: "/orders", Header: harness.WithKey(w.key.Key)})
			if err != nil || answer.Status != http.StatusOK {
				t.Errorf("while keys were rotated: %s %v", answer, err)
				return
			}
			passed++
		}
	})
	rotate := func(more ...string) {
		t.Helper()
		args := append([]string{"rotate", "identity-keys", "-environment", w.Environment.Name}, more...)
		if said, err := w.Environment.Stack.Control(t.Context(), args...); err != nil || !strings.Contains(said, "are signed with key") {
			t.Fatalf("%s %v", said, err)
		}
	}
	rotate("-after", "2s")
	var old string
	harness.Eventually(t, time.Minute, func() error {
		token := w.token("/recorded")
		if headOf(t, token) == before {
			old = token
			return fmt.Errorf("the key before still signs")
		}
		return nil
	})
	after := headOf(t, w.token("/recorded"))
	w.samePublished()
	published := w.SendTo(w.Edges()[0], http.MethodGet, identityPath, "any.host", nil).Body
	for _, kid := range []string{before.Kid, after.Kid} {
		if !bytes.Contains(published, []byte(kid)) {
			t.Errorf("%s isn't published", kid)
		}
	}
	stop()
	all.Wait()
	if passed == 0 || old == "" {
		t.Errorf("%d requests went on, the last token before the change is %q", passed, old)
	}

	rotate("-leaked")
	harness.Eventually(t, time.Minute, func() error {
		for _, edge := range w.Edges() {
			published := w.SendTo(edge, http.MethodGet, identityPath, "any.host", nil).Body
			for _, kid := range []string{before.Kid, after.Kid} {
				if bytes.Contains(published, []byte(kid)) {
					return fmt.Errorf("%s leaked, and %s still publishes it", kid, edge.Name)
				}
			}
		}
		return nil
	})
	w.samePublished()
	harness.Eventually(t, time.Minute, func() error { // a service that knew nothing of the new key
		if answer := w.call(w.Edges()[0], "/orders", nil); answer.Status != http.StatusOK {
			return fmt.Errorf("%s", answer)
		}
		return nil
	})
	if head := headOf(t, w.token("/recorded")); head == after || head == before {
		t.Error("a leaked key signs")
	}
	events, err := w.Environment.Stack.Control(t.Context(), "rotate", "identity-keys", "-environment", "no-such-environment")
	if err == nil {
		t.Errorf("of an environment that isn't there: %s", events)
	}
}

func TestPlainFieldsTellWhoCallsAndNoClientDoes(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("public"), Service: p.Service.Name, Paths: harness.Below("/public"), Public: true})
	s.Policy(identityToken(s.Name("who"), sallyport.Attachment{Service: p.Service.Name}, map[string]any{"headers": map[string]any{"fields": []any{
		map[string]any{"name": "X-User", "fact": "consumer_name"}, map[string]any{"name": "X-User-Id", "fact": "subject"}, map[string]any{"name": "X-Roles", "claim": "roles"},
	}}}))
	forged := "X-User: root\r\nx_user: root\r\nX.User: root\r\nX-User-Id: root\r\nX_User-Id: root\r\nX-Roles: root\r\nX_ROLES: root\r\nConnection: X-User, X-User-Id\r\n"
	for _, path := range []string{"/public", "/"} {
		if answer, err := s.Edges()[0].DoRaw(t.Context(), "GET "+path+" HTTP/1.1\r\nHost: "+s.Host+"\r\n"+forged+"X-Api-Key: "+p.Key.Key+"\r\n\r\n"); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: %s %v", path, answer, err)
		}
	}
	if strings.Contains(string(upstream.Raw()), "root") {
		t.Errorf("a forged field reached the service:\n%s", upstream.Raw())
	}
	reached := upstream.Requests()
	if len(reached) != 2 || reached[0].Header.Get("X-User") != p.Consumer.Name && reached[0].Header.Get("X-User") != "" ||
		reached[1].Header.Get("X-User") != p.Consumer.Name || reached[1].Header.Get("X-User-Id") != p.Consumer.ID || reached[1].Header.Get("X-Roles") != "" {
		t.Errorf("the service was told %v", reached)
	}
}

// forger publishes keys of its own, so that tokens can be made that no gateway signs.
type forger struct {
	t        *testing.T
	elliptic *ecdsa.PrivateKey
	edwards  ed25519.PrivateKey
	url      string
}

var b64 = base64.RawURLEncoding.EncodeToString

func newForger(t *testing.T) *forger {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"ec","x":%q,"y":%q},{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"ed","x":%q},{"kty":"RSA","kid":"x"}]}`,
		b64(point[1:33]), b64(point[33:]), b64(public))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(set)) }))
	t.Cleanup(server.Close)
	return &forger{t: t, elliptic: ec, edwards: ed, url: server.URL}
}

func (f *forger) token(head string, claims map[string]any) string {
	f.t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		f.t.Fatal(err)
	}
	message := b64([]byte(head)) + "." + b64(raw)
	var signature []byte
	switch {
	case strings.Contains(head, `"none"`):
	case strings.Contains(head, `"HS256"`):
		point, err := f.elliptic.PublicKey.Bytes()
		if err != nil {
			f.t.Fatal(err)
		}
		mac := hmac.New(sha256.New, point)
		mac.Write([]byte(message))
		signature = mac.Sum(nil)
	case strings.Contains(head, `"EdDSA"`):
		signature = ed25519.Sign(f.edwards, []byte(message))
	default:
		sum := sha256.Sum256([]byte(message))
		r, s, err := ecdsa.Sign(rand.Reader, f.elliptic, sum[:])
		if err != nil {
			f.t.Fatal(err)
		}
		signature = slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32)))
	}
	return message + "." + b64(signature)
}

// What the gateway of a test can't be made to sign: the examples' own checks, one by one.
func TestTheExamplesRefuseWhatNoGatewaySigns(t *testing.T) {
	t.Parallel()
	for _, language := range harness.Examples {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			f := newForger(t)
			address := harness.StartExample(t, language, "KEYS_URL="+f.url, "ISSUER="+identityIssuer, "AUDIENCE=orders")
			now := time.Now().Unix()
			says := func(name string, value any) map[string]any {
				all := map[string]any{
					"iss": identityIssuer, "sub": "con_1", "aud": "orders", "iat": now, "nbf": now, "exp": now + 300, "scope": "orders:read",
					"consumer": map[string]any{"id": "con_1", "name": "shop"},
				}
				if all[name] = value; value == nil {
					delete(all, name)
				}
				return all
			}
			const es, ed = `{"alg":"ES256","kid":"ec"}`, `{"alg":"EdDSA","kid":"ed"}`
			for _, head := range []string{es, ed} {
				if status, said := direct(t, address, f.token(head, says("x", 1))); status != http.StatusOK || said.Consumer != "shop" {
					t.Fatalf("a good one by %s: %d", head, status)
				}
			}
			good := f.token(es, says("x", 1))
			parts := strings.Split(good, ".")
			for name, token := range map[string]string{
				"expired": f.token(es, says("exp", now-31)), "endless": f.token(es, says("exp", nil)), "until a text": f.token(ed, says("exp", "never")),
				"not begun": f.token(ed, says("nbf", now+300)), "for another": f.token(es, says("aud", "billing")), "for several": f.token(es, says("aud", []string{"orders"})),
				"for nobody": f.token(es, says("aud", nil)), "of another issuer": f.token(ed, says("iss", identityIssuer+"/")), "of nobody": f.token(ed, says("sub", nil)),
				"unsigned": f.token(`{"alg":"none","kid":"ec"}`, says("x", 1)), "by the public key": f.token(`{"alg":"HS256","kid":"ec"}`, says("x", 1)),
				"by the other key": f.token(`{"alg":"EdDSA","kid":"ec"}`, says("x", 1)), "by a key unknown": f.token(`{"alg":"ES256","kid":"zz"}`, says("x", 1)),
				"of an odd name": f.token(`{"alg":"ES256","kid":"__proto__"}`, says("x", 1)), "without a name": f.token(`{"alg":"ES256"}`, says("x", 1)),
				"with something to heed": f.token(`{"alg":"ES256","kid":"ec","crit":["b64"]}`, says("x", 1)), "cut": good[:len(good)-3], "longer": good + "AAAA",
				"padded": good + "=", "in four": good + ".x", "in two": parts[0] + "." + parts[1], "with others' claims": parts[0] + "." + b64([]byte(`{"sub":"root"}`)) + "." + parts[2],
			} {
				if status, _ := direct(t, address, token); status != http.StatusUnauthorized {
					t.Errorf("%s: %d", name, status)
				}
			}
		})
	}
}
