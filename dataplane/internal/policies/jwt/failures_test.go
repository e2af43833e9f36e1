package jwt_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/jwk"
)

// forged returns the n-th token that somebody signed with a key of their own under a name of the issuer's.
func (w *world) forged(t testing.TB, n int) string {
	t.Helper()
	return signer{"k1", newSigner(t, "k1").private, w.key.alg}.token(t, claims().with(object{"jti": fmt.Sprint("forged-", n)}))
}

// fails takes n different tokens that nobody signed, and returns how often each verdict came.
func (w *world) fails(t testing.TB, n int, nth func(int) string) map[string]int {
	t.Helper()
	verdicts := map[string]int{}
	for i := range n {
		ex := w.Do(bearer(nth(i)))
		verdicts[string(ex.Verdict)]++
	}
	return verdicts
}

func tooMany(ex *pipeline.Exchange, after string) bool {
	return ex.Verdict == "too_many_failures" && ex.Response.Status == 429 && ex.Response.Header.Get("Retry-After") == after &&
		!ex.Response.Header.Has("WWW-Authenticate") && !ex.Identity.Known()
}

func TestATokenWithAWrongSignatureIsRefusedUnseenUntilItHasWaited(t *testing.T) {
	w := newWorld(t, `{"issuers": ["login"]}`)
	bad, good := w.forged(t, 0), w.key.token(t, claims())
	for range 6 {
		w.ask(t, bad, "credential_invalid")
	}
	if ex := w.Do(bearer(bad)); !tooMany(ex, "1") {
		t.Fatalf("%s, %v", ex.Verdict, ex.Response.Header.Fields())
	}
	// It is the token that waits: neither its address nor its subject does, and it is heard from elsewhere.
	w.ask(t, good, "allowed")
	w.ask(t, w.forged(t, 1), "credential_invalid")
	elsewhere := bearer(bad)
	elsewhere.Address = "198.51.100.7"
	if ex := w.Do(elsewhere); ex.Verdict != "credential_invalid" {
		t.Errorf("from elsewhere: %s", ex.Verdict)
	}
	w.Advance(time.Second)
	w.ask(t, bad, "credential_invalid")
	if ex := w.Do(bearer(bad)); !tooMany(ex, "2") {
		t.Errorf("%s, %v", ex.Verdict, ex.Response.Header.Fields())
	}
}

// An issuer may put a new key under an old name: what was signed by it before we knew is no guess.
func TestATokenThatFailedIsHeardAtOnceWhenTheIssuersKeysHaveChanged(t *testing.T) {
	w := newWorld(t, `{"issuers": ["login"]}`)
	next := newSigner(t, "k1")
	token := next.token(t, claims())
	for range 7 {
		w.Do(bearer(token))
	}
	w.ask(t, token, "too_many_failures")
	w.Keys(t, "login", []jwk.Key{next.public(t)})
	w.ask(t, token, "allowed")
}

func TestAKeyThatNobodyKnowsMakesNoTokenWait(t *testing.T) {
	w := newWorld(t, `{"issuers": ["login"]}`)
	next := newSigner(t, "k2")
	token := next.token(t, claims())
	for range 200 { // of clients that are ahead of the issuer
		w.ask(t, token, "credential_invalid")
	}
	w.Keys(t, "login", []jwk.Key{w.key.public(t), next.public(t)})
	w.ask(t, token, "allowed")
}

func TestAnAddressWithManyFailuresIsToldSoAndItsGoodTokensPass(t *testing.T) {
	for name, nth := range map[string]func(*world, int) string{
		"wrong signatures": func(w *world, n int) string { return w.forged(t, n) },
		"unknown keys":     func(w *world, n int) string { return newSigner(t, fmt.Sprint("made-up-", n)).token(t, claims()) },
		"keys without a name": func(w *world, n int) string {
			return newSigner(t, "").sign(t, `{"alg":"ES256"}`, marshal(t, claims().with(object{"jti": fmt.Sprint(n)})))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, `{"issuers": ["login"]}`)
			remembered := w.key.token(t, claims())
			w.ask(t, remembered, "allowed")
			if v := w.fails(t, 60, func(n int) string { return nth(w, n) }); v["credential_invalid"] != 51 || v["too_many_failures"] != 9 {
				t.Fatalf("%v", v)
			}
			w.ask(t, remembered, "allowed")
			w.ask(t, w.key.token(t, claims().with(object{"jti": "t-2"})), "allowed") // which nobody here has seen yet
			// What is wrong in another way guesses nothing, and is told what it is.
			w.ask(t, "nonsense", "credential_invalid")
			w.ask(t, w.key.token(t, claims().with(object{"exp": edgetest.Epoch.Add(-time.Hour).Unix()})), "credential_expired")
			elsewhere := bearer(nth(w, 1000))
			elsewhere.Address = "198.51.100.7"
			if ex := w.Do(elsewhere); ex.Verdict != "credential_invalid" {
				t.Errorf("from elsewhere: %s", ex.Verdict)
			}
			w.Advance(30 * time.Second)
			w.ask(t, nth(w, 1001), "credential_invalid")
		})
	}
}

func TestNobodyWaitsForAKeyAtAnAddressThatGuesses(t *testing.T) {
	w := newWorld(t, `{"issuers": ["login"], "unknown_key_wait": "1s"}`)
	w.fails(t, 52, func(n int) string { return w.forged(t, n) })
	w.ask(t, newSigner(t, "k2").token(t, claims()), "too_many_failures")
	if s := w.Issuers.Stats(); s.Found+s.InVain+s.Crowded != 0 || s.Keys[0].Unknown != 1 {
		t.Errorf("somebody waited, or nobody was asked: %+v", s)
	}
}

func TestOtherFlawsThanSignaturesAndKeysAreNoGuesses(t *testing.T) {
	w := newWorld(t, `{"issuers": ["login"]}`)
	for _, token := range []string{
		"nonsense", w.key.token(t, claims().with(object{"aud": "x"})), w.key.token(t, claims().with(object{"iss": "https://evil.example"})),
		w.key.token(t, claims().with(object{"client_id": "nobody"})), w.key.sign(t, `{"alg":"none"}`, marshal(t, claims())),
	} {
		w.ask(t, token, "credential_invalid")
	}
	if n := w.Failures.Stats().Keys; n != 0 {
		t.Errorf("%d failures are remembered", n)
	}
}

func TestInShadowAndDryRunsNoFailureIsCounted(t *testing.T) {
	w := newWorld(t, `{"issuers": ["login"]}`)
	tokens := []string{w.forged(t, 0), newSigner(t, "made-up").token(t, claims())}
	for _, token := range tokens {
		dry := bearer(token)
		dry.Dry = true
		for range 8 {
			if ex := w.Do(dry); ex.Verdict != "credential_invalid" {
				t.Errorf("in a dry run: %s", ex.Verdict)
			}
		}
	}
	w.Configure(t, `{
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}], "public": true}],
		"policies": [{"name": "tokens", "kind": "jwt", "mode": "shadow", "config": {"issuers": ["login"]}, "attached_to": [{"environment": true}]}]}`)
	for _, token := range tokens {
		for range 8 {
			if ex := w.Do(bearer(token)); ex.Verdict != "allowed" || ex.ShadowVerdict != "credential_invalid" {
				t.Errorf("%s, in shadow %s", ex.Verdict, ex.ShadowVerdict)
			}
		}
	}
	if n := w.Failures.Stats().Keys; n != 0 {
		t.Errorf("%d failures are remembered", n)
	}
}
