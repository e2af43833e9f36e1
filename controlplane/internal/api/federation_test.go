package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/problem"
)

// issuer is an OpenID provider that says whatever a test wants.
type issuer struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	server *httptest.Server

	mu       sync.Mutex
	nonce    string                              // of the last who was sent to it
	verifier string                              // that the last code was exchanged with
	secret   string                              // that we have proven ourselves with
	claims   map[string]any                      // of the ID token, over what is right; nil: it is left out
	subject  any                                 // that it was of
	userInfo map[string]any                      // nil: nothing but the subject
	raw      func(header, payload string) string // of the ID token; nil: signed
	payload  string                              // in the place of the claims
	metadata map[string]any
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, claims: map[string]any{}, metadata: map[string]any{}}
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	answer := map[string]any{}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{
			"issuer": i.server.URL, "authorization_endpoint": i.server.URL + "/authorize", "token_endpoint": i.server.URL + "/token",
			"jwks_uri": i.server.URL + "/jwks", "userinfo_endpoint": i.server.URL + "/me", "id_token_signing_alg_values_supported": []string{"ES256"},
		}
		maps.Copy(answer, i.metadata)
	case "/jwks":
		point, err := i.key.PublicKey.Bytes()
		if err != nil {
			i.t.Error(err)
		}
		answer["keys"] = []any{map[string]any{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1", "x": encoded(point[1:33]), "y": encoded(point[33:])}}
	case "/token":
		i.verifier = r.PostFormValue("code_verifier")
		_, i.secret, _ = r.BasicAuth()
		answer = map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": i.idToken()}
	case "/me":
		if answer = i.userInfo; answer == nil {
			answer = map[string]any{"sub": i.subject}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (i *issuer) idToken() string {
	claims := map[string]any{
		"iss": i.server.URL, "aud": "sallyport", "sub": "person-1", "nonce": i.nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range i.claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	i.subject = claims["sub"]
	text, err := json.Marshal(claims)
	if err != nil {
		i.t.Error(err)
	}
	if i.payload != "" {
		text = []byte(strings.Replace(string(text), "{", "{"+i.payload+",", 1))
	}
	header := encoded([]byte(`{"alg":"ES256","kid":"1"}`))
	if i.raw != nil {
		return i.raw(header, encoded(text))
	}
	return header + "." + encoded(text) + "." + i.sign(header+"."+encoded(text))
}

func (i *issuer) sign(text string) string {
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		i.t.Error(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return encoded(signature)
}

// corporate makes the issuer a sign-in provider; changes is a merge patch over what is usual.
func (w *world) corporate(i *issuer, changes string) {
	w.t.Helper()
	body := strings.Replace(corporateProvider, "https://login.example.com", i.server.URL, 1)
	w.make(http.MethodPost, "/api/v1/sign-in-providers", body)
	w.make(http.MethodPatch, "/api/v1/sign-in-providers/corporate", changes)
}

// depart goes to the provider, and returns what comes back from there.
func (w *world) depart(b *browser, i *issuer) url.Values {
	w.t.Helper()
	gone := w.do(http.MethodGet, "/api/v1/sign-in/providers/corporate?return=/environments/production/routes", "", b.navigation()).want(w.t, http.StatusSeeOther)
	b.keep(gone)
	to, err := url.Parse(gone.header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), i.server.URL+"/authorize?") {
		w.t.Fatalf("sent to %q: %v", to, err)
	}
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("redirect_uri") != "https://example.com/api/v1/sign-in/callback" || !strings.Contains(q.Get("scope"), "openid") {
		w.t.Errorf("sent with %v", q)
	}
	i.mu.Lock()
	i.nonce = q.Get("nonce")
	i.mu.Unlock()
	return url.Values{"code": {"c"}, "state": {q.Get("state")}}
}

// comeBack returns from the provider, and returns where one is sent on to.
func (w *world) comeBack(b *browser, sent url.Values) string {
	w.t.Helper()
	back := w.do(http.MethodGet, "/api/v1/sign-in/callback?"+sent.Encode(), "", b.navigation(), header("Sec-Fetch-Site", "cross-site")).want(w.t, http.StatusSeeOther)
	b.keep(back)
	return back.header.Get("Location")
}

func TestWhoComesFromAProviderHasWhatTheirGroupsGiveAndNoMore(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{"create_users":true}`)
	i.claims = map[string]any{"preferred_username": "Ada.L", "name": "Ada Lovelace", "email": "ada@example.com", "email_verified": true, "groups": []string{"ops", "web", "other"}}
	b := newBrowser()
	if to := w.comeBack(b, w.depart(b, i)); to != "/environments/production/routes" {
		t.Fatalf("sent on to %q: %s", to, w.log)
	}
	if i.secret != "client-secret-of-ours" || len(i.verifier) < 43 {
		t.Errorf("the code was exchanged with the secret %q and the verifier %q", i.secret, i.verifier)
	}
	me := w.make(http.MethodGet, "/api/v1/me", "", b.page())
	if me.text("name") != "ada.l" || len(me.list("role_bindings")) != 2 {
		t.Fatalf("I am %v", me)
	}
	w.do(http.MethodGet, at("nodes"), "", b.page()).want(t, http.StatusOK)
	user := w.make(http.MethodGet, "/api/v1/users/ada.l", "")
	if user.text("email") != "ada@example.com" {
		t.Errorf("the user is %v", user)
	}
	bindings := w.make(http.MethodGet, "/api/v1/role-bindings?filter[user]=ada.l", "").list("data")
	if len(bindings) != 2 || !strings.HasPrefix(bindings[0].text("provider"), "idp_") {
		t.Errorf("the bindings are %v", bindings)
	}

	// A group that was left takes its role with it at the next sign-in: in all sessions, and for access tokens.
	w.make(http.MethodPost, "/api/v1/role-bindings", `{"name":"by-hand","user":"ada.l","role":"auditor","environment":"production"}`)
	i.claims["groups"], i.claims["preferred_username"] = "web", "somebody-else" // one text, and another name
	again := newBrowser()
	w.comeBack(again, w.depart(again, i))
	me = w.make(http.MethodGet, "/api/v1/me", "", b.page())
	roles := ""
	for _, held := range me.list("role_bindings") {
		roles += held.text("role") + " "
	}
	if me.text("name") != "ada.l" || !strings.Contains(roles, "viewer") || !strings.Contains(roles, "auditor") || strings.Contains(roles, "operator") {
		t.Errorf("I am %s with %s", me.text("name"), roles)
	}
	i.claims["groups"] = nil
	w.comeBack(again, w.depart(again, i))
	if left := w.do(http.MethodGet, "/api/v1/role-bindings?filter[user]=ada.l", "").names(t); len(left) != 1 || left[0] != "by-hand" {
		t.Errorf("left are %v", left)
	}

	// The provider's end is theirs.
	w.do(http.MethodPatch, "/api/v1/sign-in-providers/corporate", `{"disabled":true}`).want(t, http.StatusOK)
	w.do(http.MethodGet, "/api/v1/me", "", b.page()).want(t, http.StatusUnauthorized)
	w.do(http.MethodGet, "/api/v1/sign-in/providers/corporate", "", as("")).want(t, http.StatusNotFound)
	w.do(http.MethodDelete, "/api/v1/sign-in-providers/corporate", "").want(t, http.StatusNoContent)
	w.do(http.MethodDelete, "/api/v1/role-bindings/by-hand", "").want(t, http.StatusNoContent)
	w.do(http.MethodDelete, "/api/v1/users/ada.l", "").want(t, http.StatusNoContent)
	w.stop()
	operations := ""
	for _, e := range w.events("/api/v1/audit-events", "filter[operation]=finishProviderSignIn") {
		actor, _ := e["actor"].(map[string]any)
		operations += e.text("outcome") + " " + actor["name"].(string) + "; "
	}
	if operations != "done ada.l; done ada.l; done ada.l; " {
		t.Errorf("recorded: %s", operations)
	}
}

// Each is answered alike: sent back without a session, and recorded.
func TestNoIDTokenIsTakenThatDoesNotHold(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{"create_users":true}`)
	other := newIssuer(t)
	hour := time.Hour
	claims := func(name string, value any) func() { return func() { i.claims = map[string]any{name: value} } }
	hostile := map[string]func(){
		"alg none":             func() { i.raw = func(_, p string) string { return encoded([]byte(`{"alg":"none"}`)) + "." + p + "." } },
		"no signature":         func() { i.raw = func(h, p string) string { return h + "." + p + "." } },
		"another's key":        func() { i.raw = func(h, p string) string { return h + "." + p + "." + other.sign(h+"."+p) } },
		"a space inside":       func() { i.raw = func(h, p string) string { return h + "." + p + " ." + i.sign(h+"."+p) } },
		"no token":             func() { i.raw = func(string, string) string { return "" } },
		"a huge token":         claims("x", strings.Repeat("x", 100_000)),
		"another issuer":       claims("iss", "https://login.example.com"),
		"another audience":     claims("aud", "others"),
		"two audiences":        claims("aud", []string{"sallyport", "others"}),
		"another azp":          claims("azp", "others"),
		"no audience":          claims("aud", nil),
		"another nonce":        claims("nonce", "n"),
		"no nonce":             claims("nonce", nil),
		"expired":              claims("exp", time.Now().Add(-2*time.Minute).Unix()),
		"no expiry":            claims("exp", nil),
		"of a time to come":    claims("iat", time.Now().Add(hour).Unix()),
		"not valid yet":        claims("nbf", time.Now().Add(hour).Unix()),
		"no subject":           claims("sub", nil),
		"a number for subject": claims("sub", 7),
		"EXP for exp":          func() { i.claims = map[string]any{"exp": nil, "EXP": time.Now().Add(hour).Unix()} },
		"NONCE for nonce":      func() { i.claims = map[string]any{"nonce": nil}; i.payload = `"NONCE":"` + i.nonce + `"` },
		"two subjects":         func() { i.payload = `"sub":"somebody-else"` },
	}
	for name, spoil := range hostile {
		t.Run(name, func(t *testing.T) {
			w := w.in(t).from(nextAddress(name))
			b := newBrowser()
			sent := w.depart(b, i)
			i.mu.Lock()
			spoil()
			i.mu.Unlock()
			to := w.comeBack(b, sent)
			i.mu.Lock()
			i.claims, i.raw, i.payload = map[string]any{}, nil, ""
			i.mu.Unlock()
			if !strings.HasPrefix(to, "/?") || !strings.Contains(to, "sign-in-problem=sign_in_refused") || b.text() != "" {
				t.Errorf("sent on to %q with %q", to, b.text())
			}
		})
	}
	b := newBrowser()
	if to := w.comeBack(b, w.depart(b, i)); strings.Contains(to, "problem") {
		t.Errorf("one that holds isn't taken: %s", to)
	}
}

// nextAddress is another address for each name, so that none is slowed down by the others.
func nextAddress(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("[2001:db8:%x:%x:%x::1]:1", sum[0], sum[1], sum[2])
}

func TestAReturnIsTakenOnceAndFromTheBrowserThatBeganIt(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{"create_users":true}`)
	refused := func(what, to string) {
		t.Helper()
		if !strings.Contains(to, "sign-in-problem=") {
			t.Errorf("%s: sent on to %q", what, to)
		}
	}
	ada := newBrowser()
	sent := w.depart(ada, i)
	refused("a browser that began nothing", w.comeBack(newBrowser(), sent))
	mallory := newBrowser()
	w.depart(mallory, i)
	refused("another's sign-in", w.comeBack(mallory, sent))
	spoilt := func(name string, values ...string) url.Values {
		changed := url.Values{}
		maps.Copy(changed, sent)
		changed[name] = values
		return changed
	}
	for what, changed := range map[string]url.Values{
		"another state": spoilt("state", "x"), "two states": spoilt("state", sent.Get("state"), sent.Get("state")), "no state": spoilt("state"),
	} {
		b := &browser{cookies: maps.Clone(ada.cookies)}
		refused(what, w.comeBack(b, changed))
	}
	for what, changed := range map[string]url.Values{"two codes": spoilt("code", "a", "b"), "no code": spoilt("code"), "another issuer": spoilt("iss", "https://login.example.com"), "an error": spoilt("error", "access_denied")} {
		fresh := newBrowser()
		next := w.depart(fresh, i)
		changed["state"] = next["state"]
		refused(what, w.comeBack(fresh, changed))
	}
	last := newBrowser()
	sent = w.depart(last, i)
	sent.Set("session_state", "more that the provider sends")
	flow := maps.Clone(last.cookies)
	if to := w.comeBack(last, sent); strings.Contains(to, "problem") {
		t.Fatalf("sent on to %q: %s", to, w.log)
	}
	refused("the same once more", w.comeBack(&browser{cookies: flow}, sent))
	slow := newBrowser()
	sent = w.depart(slow, i)
	w.clock.forward(11 * time.Minute)
	refused("too late", w.comeBack(slow, sent))
}

func TestAProviderLetsInWhomItMay(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{"domains":["example.com"]}`)
	w.make(http.MethodPost, "/api/v1/users", `{"name":"ada","email":"Ada@Example.com"}`)
	try := func(want string, claims map[string]any) *browser {
		t.Helper()
		i.claims = claims
		before, b := w.log.String(), newBrowser()
		to := w.from(nextAddress(want)).comeBack(b, w.depart(b, i))
		told := w.log.String()[len(before):]
		if refused := strings.Contains(to, "sign_in_refused"); refused != (want != "") || !strings.Contains(told, want) {
			t.Errorf("sent on to %q, want %q: %s", to, want, told)
		}
		return b
	}
	in := func(email string, verified any) map[string]any {
		return map[string]any{"email": email, "email_verified": verified}
	}
	try("one of its domains", in("ada@evil.example", true))
	try("one of its domains", in("ada@example.com", false))
	try("one of its domains", in("ada@example.com@evil.example", true))
	try("there is no user for them", in("ada@example.com", true)) // it isn't trusted with addresses
	w.make(http.MethodPatch, "/api/v1/sign-in-providers/corporate", `{"match_email":true}`)
	b := try("", in("ada@example.com", true))
	if me := w.make(http.MethodGet, "/api/v1/me", "", b.page()); me.text("name") != "ada" {
		t.Errorf("I am %v", me)
	}
	// Whoever gets the address next isn't ada.
	try("there is no user for them", map[string]any{"sub": "person-2", "email": "ada@example.com", "email_verified": true})
	w.make(http.MethodPatch, "/api/v1/users/ada", `{"disabled":true}`)
	try("the user is disabled", in("ada@example.com", true))

	// What the ID token leaves out is asked for, of the same person.
	w.make(http.MethodPatch, "/api/v1/sign-in-providers/corporate", `{"create_users":true}`)
	i.userInfo = map[string]any{"sub": "person-4", "email": "eve@example.com", "email_verified": true, "groups": []string{"ops"}}
	try("", map[string]any{"sub": "person-4"})
	if roles := w.make(http.MethodGet, "/api/v1/role-bindings?filter[user]=eve", "").list("data"); len(roles) != 1 {
		t.Errorf("eve has %v", roles)
	}
	try("doesn't hold", map[string]any{"sub": "person-5"})
}

func TestASecretIsNotShownToAnotherProvider(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{}`)
	const path = "/api/v1/sign-in-providers/corporate"
	w.do(http.MethodPatch, path, `{"issuer":"https://evil.example"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/client_secret")
	w.do(http.MethodPatch, path, `{"client_id":"another"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/client_secret")
	w.do(http.MethodPatch, path, `{"title":"Corporate"}`).want(t, http.StatusOK)
	w.do(http.MethodPatch, path, `{"client_id":"another","client_secret":"new"}`).want(t, http.StatusOK)
	for _, refused := range []string{"http://login.example.com", "https://user:password@login.example.com", "file:///etc/passwd", "https://", "http://169.254.169.254/"} {
		w.do(http.MethodPatch, path, jsonOf(t, map[string]string{"issuer": refused, "client_secret": "x"})).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/issuer")
	}
	w.do(http.MethodPatch, path, `{"groups":[{"group":"a","role":"no-such"},{"group":"b","role":"viewer","team":"web"}]}`).want(t, http.StatusBadRequest).
		wantProblem(t, problem.InvalidRequest, "/groups/0/role", "/groups/1/environment")
	// A role that is named there isn't deleted from under it.
	w.make(http.MethodPost, "/api/v1/roles", `{"name":"looker","permissions":["usage.read"]}`)
	w.do(http.MethodPatch, path, `{"groups":[{"group":"a","role":"looker"}]}`).want(t, http.StatusOK)
	w.do(http.MethodDelete, "/api/v1/roles/looker", "").want(t, http.StatusConflict).wantProblem(t, problem.Referenced)
	// It takes an owner: whoever decides who signs in can become anybody.
	almost := as(w.grantee("almost", place{}, "sign-in-providers.write", "sign-in-providers.read", "users.impersonate"))
	w.do(http.MethodPatch, path, `{"title":"Mine"}`, almost).want(t, http.StatusForbidden)
	w.do(http.MethodPost, "/api/v1/sign-in-providers", corporateProvider, almost).want(t, http.StatusForbidden)
}

func TestAProviderThatCannotBeAskedLeadsBackToTheSignIn(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{}`)
	i.metadata["authorization_endpoint"] = "javascript:alert(1)"
	got := w.do(http.MethodGet, "/api/v1/sign-in/providers/corporate", "", as("")).want(t, http.StatusSeeOther)
	if to := got.header.Get("Location"); !strings.HasPrefix(to, "/?") || !strings.Contains(to, "sign_in_refused") {
		t.Errorf("sent to %q", to)
	}
}

func TestNobodyIsSentElsewhereInTheEnd(t *testing.T) {
	w, i := newWorld(t), newIssuer(t)
	w.corporate(i, `{"create_users":true}`)
	for _, elsewhere := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/api/v1/sign-in/callback", "/ x", "evil", "/%0d%0aX:"} {
		b := newBrowser()
		gone := w.do(http.MethodGet, "/api/v1/sign-in/providers/corporate?return="+url.QueryEscape(elsewhere), "", b.navigation()).want(t, http.StatusSeeOther)
		b.keep(gone)
		to, err := url.Parse(gone.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		i.nonce = to.Query().Get("nonce")
		back := w.comeBack(b, url.Values{"code": {"c"}, "state": {to.Query().Get("state")}})
		if back != "/" && back != "/%0d%0aX:" {
			t.Errorf("%q leads to %q", elsewhere, back)
		}
	}
}
