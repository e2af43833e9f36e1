package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// accepted waits until every edge takes a token: keys come within a second of their being seen.
func accepted(t *testing.T, s *harness.Story, token string) {
	t.Helper()
	answered(t, s, token, http.StatusOK, "")
}

// answered waits until every edge answers a token so.
func answered(t *testing.T, s *harness.Story, token string, status int, code string) {
	t.Helper()
	harness.Eventually(t, 2*time.Minute, func() error {
		for _, edge := range s.Edges() {
			answer, err := edge.Do(t.Context(), harness.Request{Method: http.MethodGet, Path: "/", Host: s.Host, Header: withToken(token)})
			if err != nil {
				return err
			}
			if answer.Status != status || answer.Code() != code {
				return fmt.Errorf("%s answers %s; want %d %s", edge.Name, answer, status, code)
			}
		}
		return nil
	})
}

func TestAGoodTokenPassesAndEachFlawHasItsCode(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 2, harness.Loopback) // whose edges see this address fail often
	idp := newTokenIssuer(t)
	upstream := harness.NewUpstream(t, nil)
	app := behindTokens(t, s, upstream.Address, trust(t, s, idp, sallyport.Control), map[string]any{
		"audiences": []string{tokenAudience}, "required_scopes": []string{"orders:read"},
	})
	good := idp.claims(app.Name)
	token := idp.Token(t, good)
	accepted(t, s, token)

	parts := strings.Split(token, ".")
	header := claims{"alg": "ES256", "kid": idp.key().id}
	forged := newTokenIssuer(t)
	now := time.Now()
	for name, test := range map[string]struct {
		token  string
		status int
		code   string
	}{
		"alg none":            {compact(t, claims{"alg": "none"}) + "." + parts[1] + ".", 401, "credential_invalid"},
		"HMAC by the key":     {idp.byMAC(t, good), 401, "credential_invalid"},
		"RS256 by an EC key":  {idp.Signed(t, header.with(claims{"alg": "RS256"}), good), 401, "credential_invalid"},
		"kid is a path":       {idp.Signed(t, header.with(claims{"kid": "../../etc/passwd"}), good), 401, "credential_invalid"},
		"kid is SQL":          {idp.Signed(t, header.with(claims{"kid": "' OR '1'='1"}), good), 401, "credential_invalid"},
		"kid is a URL":        {idp.Signed(t, header.with(claims{"kid": forged.Issuer + "/jwks"}), good), 401, "credential_invalid"},
		"jku":                 {forged.Signed(t, header.with(claims{"jku": forged.Issuer + "/jwks"}), good), 401, "credential_invalid"},
		"x5u":                 {forged.Signed(t, header.with(claims{"x5u": forged.Issuer + "/jwks"}), good), 401, "credential_invalid"},
		"a key of its own":    {forged.Signed(t, header.with(claims{"jwk": claims{"kty": "EC"}}), good), 401, "credential_invalid"},
		"another's signature": {forged.Signed(t, header, good), 401, "credential_invalid"},
		"crit":                {idp.Signed(t, header.with(claims{"crit": []string{"exp"}}), good), 401, "credential_invalid"},
		"a log-out":           {idp.Signed(t, header.with(claims{"typ": "logout+jwt"}), good), 401, "credential_invalid"},
		"expired":             {idp.Token(t, good.with(claims{"exp": now.Add(-time.Minute).Unix()})), 401, "credential_expired"},
		"not yet valid":       {idp.Token(t, good.with(claims{"nbf": now.Add(time.Hour).Unix()})), 401, "credential_invalid"},
		"from the future":     {idp.Token(t, good.with(claims{"iat": now.Add(time.Hour).Unix()})), 401, "credential_invalid"},
		"never ends":          {idp.Token(t, good.with(claims{"exp": nil})), 401, "credential_invalid"},
		"wrong issuer":        {idp.Token(t, good.with(claims{"iss": forged.Issuer})), 401, "credential_invalid"},
		"another route's":     {idp.Token(t, good.with(claims{"aud": "https://other.example.com"})), 401, "credential_invalid"},
		"wrong audience":      {idp.Token(t, good.with(claims{"aud": "https://evil.example"})), 401, "credential_invalid"},
		"twisted claim":       {idp.Token(t, good.with(claims{"EXP": 1})), 401, "credential_invalid"},
		"claim twice":         {twice(t, idp, header, good), 401, "credential_invalid"},
		"unknown consumer":    {idp.Token(t, good.with(claims{"client_id": "nobody"})), 401, "credential_invalid"},
		"without its scope":   {idp.Token(t, good.with(claims{"scope": "other"})), 403, "scope_missing"},
		"truncated":           {token[:len(token)-5], 401, "credential_invalid"},
		"oversized":           {idp.Token(t, good.with(claims{"x": strings.Repeat("x", 20<<10)})), 401, "credential_invalid"},
		"JSON serialisation":  {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, 401, "credential_invalid"},
		"spaces inside":       {parts[0] + " ." + parts[1] + "." + parts[2], 401, "credential_invalid"},
		"no token":            {"hello", 401, "credential_invalid"},
	} {
		for _, edge := range s.Edges() {
			answer := s.Send(edge, http.MethodGet, "/", withToken(test.token))
			if answer.Status != test.status || answer.Code() != test.code {
				t.Errorf("%s on %s: %s; want %d %s", name, edge.Name, answer, test.status, test.code)
			}
			if challenge := answer.Header.Get("WWW-Authenticate"); !strings.Contains(challenge, `Bearer realm="api", error="`) {
				t.Errorf("%s on %s: the challenge is %q", name, edge.Name, challenge)
			}
		}
	}
	answer := s.Expect(s.Edges()[0], "/", http.Header{}, http.StatusUnauthorized, "credential_missing")
	if challenge := answer.Header.Get("WWW-Authenticate"); challenge != `Bearer realm="api", scope="orders:read"` {
		t.Errorf("without a token the challenge is %q", challenge)
	}
	if forged.Looks() != 0 {
		t.Error("somebody looked for keys where a token said")
	}
}

// twice signs claims of which one is there twice.
func twice(t *testing.T, idp *tokenIssuer, header, of claims) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(compact(t, of))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(payload), "{", `{"exp":9999999999,`, 1)
	return sign(t, idp.key().private, compact(t, header)+"."+base64.RawURLEncoding.EncodeToString([]byte(text)))
}

func TestAServiceLearnsWhoCallsAndNeitherTheTokenNorWhatTheCallerSaysOfItself(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	idp := newTokenIssuer(t)
	upstream := harness.NewUpstream(t, nil)
	issuer := trust(t, s, idp, sallyport.Edge)
	app := behindTokens(t, s, upstream.Address, issuer, nil)
	token := idp.Token(t, idp.claims(app.Name))
	accepted(t, s, token)

	header := withToken(token)
	for _, name := range []string{"X-Sallyport-Consumer", "X_Sallyport_Consumer", "X-Sallyport-Consumer-Name", "X-Sallyport-Credential", "X-Forwarded-User", "X-Remote-User"} {
		header[name] = []string{"spoofed"}
	}
	s.ExpectAll("/", header, http.StatusOK, "")

	for _, got := range upstream.Requests() {
		if got.Header.Get("Authorization") != "" || got.Header.Get("X-Sallyport-Consumer") != app.ID || got.Header.Get("X-Sallyport-Credential") != issuer.ID {
			t.Errorf("the service got %v", got.Header)
		}
		for name, values := range got.Header {
			if strings.Contains(strings.Join(values, " "), "spoofed") {
				t.Errorf("%s reached the service", name)
			}
		}
	}
}

func TestBlocksOnATokenAndOnASubjectHoldOnEveryEdgeAndEndTheirStreams(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	idp := newTokenIssuer(t)
	issuer := trust(t, s, idp, sallyport.Edge)
	app := behindTokens(t, s, ticker(t), issuer, nil)
	of := idp.claims(app.Name)
	stolen, left, other := idp.Token(t, of), idp.Token(t, of.with(claims{"jti": "token-2", "sub": "bob"})), idp.Token(t, of.with(claims{"jti": "token-3"}))
	for _, token := range []string{stolen, left, other} {
		streaming(t, s, token)
	}
	ofStolen, ofLeft, ofOther := openStreams(t, s, withToken(stolen)), openStreams(t, s, withToken(left)), openStreams(t, s, withToken(other))

	made := block(t, s, sallyport.Block{Token: sallyport.IssuedToken{Issuer: issuer.Name, ID: "token-1"}})
	block(t, s, sallyport.Block{Subject: sallyport.IssuedSubject{Issuer: issuer.ID, Subject: "bob"}})

	for _, one := range append(ofStolen, ofLeft...) {
		one.ends(t)
	}
	for _, one := range ofOther {
		one.goesOn(t)
	}
	s.ExpectAll("/", withToken(stolen), http.StatusForbidden, "blocked")
	s.ExpectAll("/", withToken(left), http.StatusForbidden, "blocked")
	shown, err := s.API.GetBlockRevocationWithResponse(t.Context(), s.Environment.Name, made.Name)
	s.Must(shown, err)
	if got := shown.JSON200; got.Cause != "blocked" || got.Status.Durable != len(s.Edges()) {
		t.Errorf("the proof is %+v", got)
	}

	suspended := true
	patched, err := s.API.PatchConsumerWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, app.Name,
		&sallyport.PatchConsumerParams{Wait: s.Wait()}, map[string]any{"suspended": suspended})
	s.Must(patched, err)
	s.Applied(patched.HTTPResponse)
	for _, one := range ofOther {
		one.ends(t)
	}
	s.ExpectAll("/", withToken(other), http.StatusForbidden, "consumer_suspended")
}

// streaming waits until every edge lets a token in where answers never end.
func streaming(t *testing.T, s *harness.Story, token string) {
	t.Helper()
	harness.Eventually(t, time.Minute, func() error {
		for _, edge := range s.Edges() {
			answer, err := edge.Stream(t.Context(), harness.Request{Path: "/", Host: s.Host, Header: withToken(token)})
			if err != nil {
				return err
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answers %d", edge.Name, answer.StatusCode)
			}
		}
		return nil
	})
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	idp := newTokenIssuer(t)
	app := behindTokens(t, s, ticker(t), trust(t, s, idp, sallyport.Edge), nil)
	streaming(t, s, idp.Token(t, idp.claims(app.Name)))
	token := idp.Token(t, idp.claims(app.Name).with(claims{"exp": time.Now().Add(shortLife).Unix()}))
	for _, one := range openStreams(t, s, withToken(token)) {
		one.ends(t)
	}
	s.ExpectAll("/", withToken(token), http.StatusUnauthorized, "credential_expired")
}

// A new key is taken as soon as a token names it, requests by the one before go on meanwhile, and that is dead once the issuer has taken it back;
// whoever looks for keys.
func TestKeysRotateUnderTrafficAndNoRollbackBringsOneBack(t *testing.T) {
	t.Parallel()
	for _, from := range []sallyport.IssuerFetchFrom{sallyport.Control, sallyport.Edge, sallyport.Both} {
		t.Run(string(from), func(t *testing.T) {
			t.Parallel()
			rotates(t, from)
		})
	}
}

func rotates(t *testing.T, from sallyport.IssuerFetchFrom) {
	t.Helper()
	s := product.OwnStory(t, 1, harness.Loopback)
	idp := newTokenIssuer(t)
	app := behindTokens(t, s, harness.NewUpstream(t, nil).Address, trust(t, s, idp, from), map[string]any{"unknown_key_wait": "1s"})
	old := idp.Token(t, idp.claims(app.Name))
	accepted(t, s, old)
	before := s.Head().Revision
	service := s.Service("more", "127.0.0.1:9")

	idp.Rotate(t)
	renewed := idp.Token(t, idp.claims(app.Name))
	looks := idp.Looks()
	accepted(t, s, renewed) // mostly at once: the request waits for the key
	if idp.Looks() == looks {
		t.Error("nobody looked at the issuer's keys")
	}
	s.ExpectAll("/", withToken(old), http.StatusOK, "")

	idp.Retire()
	answered(t, s, old, http.StatusUnauthorized, "credential_invalid")
	s.ExpectAll("/", withToken(renewed), http.StatusOK, "")

	rollback(t, s, before)
	gone, err := s.API.GetServiceWithResponse(t.Context(), s.Environment.Name, service.Name)
	if err != nil || gone.StatusCode() != http.StatusNotFound {
		t.Errorf("nothing was rolled back: %v", err)
	}
	s.ExpectAll("/", withToken(old), http.StatusUnauthorized, "credential_invalid")
	s.ExpectAll("/", withToken(renewed), http.StatusOK, "")
}

// Made-up names of keys cost the issuer next to nothing, and those who share their address nothing at all.
func TestAThousandMadeUpKeysAreAFewQuestions(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback) // whose edge comes to know this address for one that guesses
	idp := newTokenIssuer(t)
	app := behindTokens(t, s, harness.NewUpstream(t, nil).Address, trust(t, s, idp, sallyport.Edge), nil)
	of := idp.claims(app.Name)
	accepted(t, s, idp.Token(t, of))
	edge := s.Edges()[0]
	begun, before := time.Now(), idp.Looks()
	codes := map[string]int{}
	for n := range 1000 {
		header := withToken(idp.Signed(t, claims{"alg": "ES256", "kid": fmt.Sprint("made-up-", n)}, of))
		answer, err := edge.Do(t.Context(), harness.Request{Method: http.MethodGet, Path: "/", Host: s.Host, Header: header})
		if err != nil {
			t.Fatal(err)
		}
		codes[answer.Code()]++
	}
	if wrong, guessing := codes["credential_invalid"], codes["too_many_failures"]; wrong < 50 || guessing == 0 || wrong+guessing != 1000 {
		t.Errorf("1,000 made-up keys are answered %v", codes)
	}
	s.ExpectAll("/", withToken(idp.Token(t, of.with(claims{"jti": "never seen before"}))), http.StatusOK, "")
	// All edges look at their interval besides.
	usual := len(s.Edges()) * (1 + int(time.Since(begun)/(4*time.Second)))
	if looks := idp.Looks() - before; looks > 5+usual {
		t.Errorf("%d looks for 1,000 made-up keys in %v, of which %d are usual", looks, time.Since(begun), usual)
	}
}
