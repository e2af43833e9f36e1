package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestATokenIsShownOnceWorksAndEndsWhenDeleted(t *testing.T) {
	w := newWorld(t)
	made := w.do(http.MethodPost, "/api/v1/access-tokens", `{"name":"ci","description":"the pipeline","role":"owner"}`).want(t, http.StatusCreated)
	token := made.object(t)
	if made.header.Get("Location") != "/api/v1/access-tokens/"+token.text("id") || token.text("role") != "owner" {
		t.Errorf("made %v at %q", token, made.header.Get("Location"))
	}
	for _, key := range []string{"ci", token.text("id")} {
		read := w.do(http.MethodGet, "/api/v1/access-tokens/"+key, "", as(token.text("token"))).want(t, http.StatusOK)
		if strings.Contains(string(read.body), "spat_") {
			t.Errorf("the token is shown again: %s", read.body)
		}
	}
	listed := w.do(http.MethodGet, "/api/v1/access-tokens", "").want(t, http.StatusOK)
	if names := strings.Join(listed.names(t), " "); names != "bootstrap ci" || strings.Contains(string(listed.body), "spat_") {
		t.Errorf("listed: %s", listed.body)
	}
	w.do(http.MethodDelete, "/api/v1/access-tokens/ci", "").want(t, http.StatusNoContent)
	w.do(http.MethodGet, "/api/v1/access-tokens", "", as(token.text("token"))).want(t, http.StatusUnauthorized)
	w.do(http.MethodDelete, "/api/v1/access-tokens/ci", "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
}

func TestAccessTokens400And409(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"ci"}`)
	w.do(http.MethodPost, "/api/v1/access-tokens", `{"name":"ci"}`).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
	for body, pointer := range map[string]string{
		`{}`: "/name",
		`{"name":"tok_01jc0000000000000000000000"}`: "/name",
		`{"name":"A B"}`:                                                 "/name",
		`{"name":"x","role":"nobody"}`:                                   "/role",
		`{"name":"x","token":"spat_x"}`:                                  "/token",
		`{"name":"x","id":"tok_x"}`:                                      "/id",
		`{"name":"x","expires_at":"2020-01-01T00:00:00Z"}`:               "/expires_at",
		`{"name":"x","expires_at":"tomorrow"}`:                           "/expires_at",
		`{"name":"x","description":"` + strings.Repeat("é", 1025) + `"}`: "/description",
		`{"name":"x","description":"a\u0000b"}`:                          "/description",
	} {
		w.do(http.MethodPost, "/api/v1/access-tokens", body).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
}

func TestBadTokensAreRefusedAlike(t *testing.T) {
	w := newWorld(t)
	expired := w.expiredToken()
	var first string
	for name, token := range map[string]string{
		"another prefix":   "spk_production_x",
		"no token":         "x",
		"unknown id":       strings.Replace(w.token, w.token[5:10], "00000", 1),
		"another secret":   w.token[:len(w.token)-4] + "0000",
		"expired":          expired,
		"a space in it":    w.token + " ",
		"upper case":       strings.ToUpper(w.token),
		"very long":        w.token + strings.Repeat("0", 5000),
		"sql":              "spat_' OR 1=1--",
		"the bootstrap id": w.token[:32],
	} {
		t.Run(name, func(t *testing.T) {
			got := w.in(t).do(http.MethodGet, "/api/v1/environments", "", as(token)).want(t, http.StatusUnauthorized)
			got.wantProblem(t, problem.Unauthenticated)
			if first == "" {
				first = got.problem(t).Detail
			}
			if got.problem(t).Detail != first {
				t.Errorf("%q tells more than %q", got.problem(t).Detail, first)
			}
		})
	}
	for name, o := range map[string]option{
		"basic":       header("Authorization", "Basic "+w.token),
		"bare":        header("Authorization", w.token),
		"two of them": func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+w.token) },
	} {
		t.Run(name, func(t *testing.T) {
			w.in(t).do(http.MethodGet, "/api/v1/environments", "", o).want(t, http.StatusUnauthorized)
		})
	}
	w.do(http.MethodGet, "/api/v1/environments?access_token="+w.token, "", as("")).want(t, http.StatusUnauthorized)
	w.do(http.MethodGet, "/api/v1/environments", "", header("Authorization", "bearer "+w.token)).want(t, http.StatusOK)
}

func TestAnAddressThatGuessesIsSlowedDownAndOthersAreNot(t *testing.T) {
	w := newWorld(t).from("198.51.100.7:4000")
	w.do(http.MethodGet, "/api/v1/environments", "").want(t, http.StatusOK)
	for range 30 {
		w.do(http.MethodGet, "/api/v1/environments", "", as("spat_guess")).want(t, http.StatusUnauthorized)
	}
	slowed := w.do(http.MethodGet, "/api/v1/environments", "", as("spat_guess")).want(t, http.StatusTooManyRequests)
	slowed.wantProblem(t, problem.RateLimited)
	if slowed.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.do(http.MethodGet, "/api/v1/environments", "").want(t, http.StatusOK) // behind the same proxy
	w.from("198.51.100.8:4000").do(http.MethodGet, "/api/v1/environments", "").want(t, http.StatusOK)
	w.do(http.MethodGet, "/healthz", "", as("")).want(t, http.StatusNoContent)
}

func TestACallerThatRunsWildIsToldToWaitAndNobodyElse(t *testing.T) {
	w := newWorld(t)
	calm := w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"calm","role":"owner"}`)
	digits, _, _ := strings.Cut(strings.TrimPrefix(w.token, "spat_"), "_")
	w.server.Exhaust("tok_" + digits)
	refused := w.do(http.MethodGet, "/api/v1/environments", "")
	for refused.status == http.StatusOK { // a slow machine has given something back meanwhile
		w.server.Exhaust("tok_" + digits)
		refused = w.do(http.MethodGet, "/api/v1/environments", "")
	}
	refused.want(t, http.StatusTooManyRequests).wantProblem(t, problem.RateLimited)
	if refused.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", refused.header.Get("Retry-After"))
	}
	w.do(http.MethodGet, "/api/v1/environments", "", as(calm.text("token"))).want(t, http.StatusOK)
}
