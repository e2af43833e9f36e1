package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestTheKeysOfAnIssuerAreShown(t *testing.T) {
	w := newWorld(t)
	const body = `{"name":"login","issuer":"https://login.test","audiences":["api"],"consumer":{"name_claim":"client_id"},` +
		`"jwks":"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"}`
	made := w.do(http.MethodPost, at("issuers"), body).want(t, http.StatusCreated).object(t)
	for _, key := range []string{"login", made.text("id")} {
		keys := w.do(http.MethodGet, at("issuers/"+key+"/keys"), "").want(t, http.StatusOK).object(t)
		listed := keys.list("keys")
		if len(listed) != 1 || listed[0].text("kid") != "a" || listed[0].text("thumbprint") != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" || listed[0].text("since") == "" {
			t.Errorf("%s has the keys %v", key, listed)
		}
		if keys.text("issuer") != made.text("id") || keys.text("name") != "login" || keys.text("source") != "configuration" || keys["next_at"] != nil {
			t.Errorf("%s is shown as %v", key, keys)
		}
	}
	for _, path := range []string{"issuers/other/keys", "issuers/iss_01k00000000000000000000009/keys"} {
		w.do(http.MethodGet, at(path), "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
	}
	w.do(http.MethodPost, at("issuers/other/refresh"), "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
}

// What an issuer wherever it is says of itself is told in words, without its address: that may hold a secret behind its "?".
func TestWhyAnIssuerCannotBeAskedIsTold(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("issuers"), `{"name":"login","issuer":"https://login.test","jwks_url":"https://127.0.0.1:1/keys?code=hidden","audiences":["api"],"consumer":{"name_claim":"sub"}}`)
	keys := w.do(http.MethodPost, at("issuers/login/refresh"), "").want(t, http.StatusOK).object(t)
	if said := keys.text("error"); !strings.Contains(said, "127.0.0.1 is loopback") || strings.Contains(said, "hidden") || keys["fetched"] != true || keys["failures"] != float64(1) {
		t.Errorf("it is told as %v", keys)
	}
}
