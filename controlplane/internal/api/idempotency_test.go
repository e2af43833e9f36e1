package api_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func under(key string) option { return header("Idempotency-Key", key) }

func TestAPostThatIsRepeatedUnderItsKeyIsAnsweredAsItWasAndDoneOnce(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	first := w.do(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`, under("k-1")).want(t, http.StatusCreated)
	again := w.do(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`, under("k-1")).want(t, http.StatusCreated)
	if first.object(t).text("key") == "" || !bytes.Equal(first.body, again.body) {
		t.Errorf("first %s\nthen %s", first.body, again.body)
	}
	for _, name := range []string{"Location", "ETag", "Content-Type", "Sallyport-Sequence"} {
		if value := again.header.Get(name); value == "" || value != first.header.Get(name) {
			t.Errorf("%s is %q, was %q", name, value, first.header.Get(name))
		}
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("X-Request-Id") == again.header.Get("X-Request-Id") {
		t.Errorf("replayed: %q, then %q", first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
	}
	if keys := w.do(http.MethodGet, at("api-keys"), "").names(t); len(keys) != 1 {
		t.Errorf("there are the keys %v", keys)
	}
	w.do(http.MethodPost, at("api-keys"), `{"name":"app","consumer":"shop"}`, under("k-1")).want(t, http.StatusUnprocessableEntity).wantProblem(t, problem.IdempotencyMismatch)
	w.do(http.MethodPost, at("api-keys")+"?dry_run=true", `{"name":"web","consumer":"shop"}`, under("k-1")).wantProblem(t, problem.IdempotencyMismatch)
	other := w.alteredToken("other", "description = 'another person'")
	w.do(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`, under("k-1"), as(other)).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
}

func TestARefusalIsNotKeptForItsKey(t *testing.T) {
	w := newWorld(t)
	w.do(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`, under("k")).want(t, http.StatusBadRequest)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	w.do(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`, under("k")).want(t, http.StatusCreated)
}

func TestAnIdempotencyKeyIsOneWordGivenOnce(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"", "two words", strings.Repeat("x", 256), "ä"} {
		w.do(http.MethodPost, at("consumers"), shopConsumer, under(key)).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/Idempotency-Key")
	}
	twice := func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "b"} }
	w.do(http.MethodPost, at("consumers"), shopConsumer, twice).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/Idempotency-Key")
}

func TestOfManyPostsUnderOneKeyAtOnceOneIsDone(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	var wg sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 12)
	for i := range answers {
		request := w.request(http.MethodPost, at("api-keys"), `{"consumer":"shop"}`, under("k")) // without a name nothing but the key tells that it is one
		wg.Go(func() {
			answers[i] = httptest.NewRecorder()
			w.server.ServeHTTP(answers[i], request)
		})
	}
	wg.Wait()
	bodies := map[string]bool{}
	for _, answer := range answers {
		switch answer.Code {
		case http.StatusCreated:
			bodies[answer.Body.String()] = true
		case http.StatusConflict:
			if answer.Header().Get("Retry-After") == "" || !strings.Contains(answer.Body.String(), string(problem.IdempotencyInProgress)) {
				t.Errorf("refused with %s", answer.Body)
			}
		default:
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	}
	if keys := w.do(http.MethodGet, at("api-keys"), "").object(t).list("data"); len(keys) != 1 || len(bodies) != 1 {
		t.Errorf("%d keys were made and %d told of", len(keys), len(bodies))
	}
}

func TestEveryPostOfTheDocumentNamesTheIdempotencyKey(t *testing.T) {
	for path, item := range theContract(t).doc.Paths.Map() {
		if item.Post == nil {
			continue
		}
		named := item.Post.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
		permission := item.Post.Extensions["x-permission"]
		if about := permission == "public" || permission == "signed-in"; named == about { // how somebody signs in
			t.Errorf("POST %s: it is named: %v", path, named)
		}
	}
}

func TestAPanicFreesItsKey(t *testing.T) {
	w := newWorld(t)
	w.environmentsPanic = true
	w.do(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`, under("k")).want(t, http.StatusInternalServerError)
	w.environmentsPanic = false
	w.do(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`, under("k")).want(t, http.StatusCreated)
}

func TestAKeptAnswerIsNotShownToWhoMayDoLessByNow(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	const role = `{"permissions":["environments.read","changes.write","credentials.write"]}`
	script := as(w.grantee("script", place{environment: "production"}, "environments.read", "changes.write", "credentials.write"))
	const batch = `{"operations":[{"action":"create","collection":"api-keys","body":{"name":"web","consumer":"shop"}}]}`
	key := w.do(http.MethodPost, at("changes"), batch, script, under("k")).want(t, http.StatusOK).object(t).list("results")[0]["object"].(map[string]any)["key"].(string)
	again := w.do(http.MethodPost, at("changes"), batch, script, under("k")).want(t, http.StatusOK)
	if key == "" || !strings.Contains(string(again.body), key) {
		t.Fatalf("it isn't answered as it was: %s", again.body)
	}
	w.make(http.MethodPatch, "/api/v1/roles/script", `{"permissions":["environments.read","changes.write"]}`)
	denied := w.do(http.MethodPost, at("changes"), batch, script, under("k")).want(t, http.StatusForbidden)
	denied.wantProblem(t, problem.Forbidden)
	if strings.Contains(string(denied.body), key) || denied.header.Get("Sallyport-Sequence") != "" {
		t.Errorf("the refusal shows %s", denied.body)
	}
	w.make(http.MethodPatch, "/api/v1/roles/script", role)
	w.do(http.MethodPost, at("changes"), batch, script, under("k")).want(t, http.StatusOK)

	// The narrower token of the same user isn't shown what the wider one made.
	user := w.make(http.MethodPost, "/api/v1/users", `{"name":"ada"}`).text("id")
	w.make(http.MethodPost, "/api/v1/role-bindings", `{"user":"`+user+`","role":"admin","environment":"production"}`)
	token := func(more string) option {
		return as(w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"ada-`+strings.Repeat("x", len(more)+1)+`","user":"ada"`+more+`}`).text("token"))
	}
	wide, narrow := token(""), token(`,"scope":{"permissions":["changes.write"]}`)
	const other = `{"operations":[{"action":"create","collection":"api-keys","body":{"name":"app","consumer":"shop"}}]}`
	w.do(http.MethodPost, at("changes"), other, wide, under("k")).want(t, http.StatusOK)
	w.do(http.MethodPost, at("changes"), other, narrow, under("k")).want(t, http.StatusForbidden)
	w.do(http.MethodPost, at("changes"), other, wide, under("k")).want(t, http.StatusOK)
}
