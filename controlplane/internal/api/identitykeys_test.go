package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

func TestAnybodyCanReadTheIdentityKeysAndLearnsOfNoEnvironment(t *testing.T) {
	w := newWorld(t)
	read := func(environment string, want int) {
		t.Helper()
		got := w.do("GET", "/api/v1/environments/"+environment+"/identity-keys", "", as("")).want(t, http.StatusOK)
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(got.body, &set); err != nil || len(set.Keys) != want || set.Keys == nil {
			t.Errorf("%s has %s, want %d keys", environment, got.body, want)
		}
		keep := "public, max-age=300"
		if want == 0 {
			keep = "no-store"
		}
		if h := got.header; h.Get("Content-Type") != "application/jwk-set+json" || h.Get("Cache-Control") != keep {
			t.Errorf("the header is %v", h)
		}
		for _, key := range set.Keys {
			if key["d"] != nil || key["kid"] == nil || key["alg"] == nil {
				t.Errorf("a key is %v", key)
			}
		}
	}
	made := w.do("POST", "/api/v1/environments", `{"name":"signing"}`).want(t, http.StatusCreated).object(t)
	read("signing", 0)
	read("nobody-has-this", 0)
	w.do("POST", "/api/v1/environments/signing/policies",
		`{"name":"who","kind":"identity-token","config":{"token":{"issuer":"https://gateway.test"}},"attached_to":[{"environment":true}]}`).want(t, http.StatusCreated)
	read("signing", 2)
	read(made["id"].(string), 2)
	read("nobody-has-this", 0)
	w.breakDatabase()
	w.do("GET", "/api/v1/environments/other/identity-keys", "", as("")).want(t, http.StatusInternalServerError)
}
