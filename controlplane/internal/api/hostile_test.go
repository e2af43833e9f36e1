package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestBodiesOfAnotherTypeAreRefused(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	for _, tt := range []struct{ method, path, body, media string }{
		{http.MethodPost, at("services"), ordersService, ""},
		{http.MethodPost, at("services"), ordersService, "text/plain"},
		{http.MethodPost, at("services"), ordersService, "application/xml"},
		{http.MethodPost, at("services"), ordersService, "application/x-www-form-urlencoded"},
		{http.MethodPost, at("services"), ordersService, "application/json; charset=utf-16"},
		{http.MethodPost, at("services"), ordersService, "application/json;;"},
		{http.MethodPost, at("services"), ordersService, "application/merge-patch+json"},
		{http.MethodPatch, at("services", "orders"), `{}`, "application/json"},
		{http.MethodPatch, at("services", "orders"), `{}`, "application/json-patch+json"},
	} {
		w.do(tt.method, tt.path, tt.body, header("Content-Type", tt.media)).
			want(t, http.StatusUnsupportedMediaType).wantProblem(t, problem.UnsupportedMediaType)
	}
	for i, media := range []string{"application/json", "Application/JSON", "application/json; charset=UTF-8", "application/json ; charset=\"utf-8\""} {
		body := strings.Replace(ordersService, "orders", fmt.Sprintf("orders-%d", i), 1)
		w.do(http.MethodPost, at("services"), body, header("Content-Type", media)).want(t, http.StatusCreated)
	}
}

func TestBodiesThatAreNoJSONAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		"{", "}", "nope", `{"name":"x"} {}`, `{"name":"x",}`, `{'name':'x'}`, "\x00", "\xff\xfe{\x00}\x00", "[1,2", `{"name":"\ud800"}`, `{"name":01}`, "\ufeff{}", " ",
		strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), `{"name":"` + "\xff" + `"}`, `{"name":"a` + "\n" + `b"}`,
	} {
		for _, path := range []string{at("services"), at("consumers"), at("changes"), at("join-tokens"), "/api/v1/environments", "/api/v1/access-tokens"} {
			got := w.do(http.MethodPost, path, body)
			if got.status != http.StatusBadRequest {
				t.Errorf("POST %s %.40q: %d %s", path, body, got.status, got.body)
			}
		}
	}
	w.do(http.MethodPost, at("services"), "", header("Content-Type", "application/json")).want(t, http.StatusBadRequest)
}

func TestValuesThatAreNoObjectAreRefused(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	for _, body := range []string{"null", "1", `"text"`, "true", "[]", "[{}]"} {
		for _, path := range []string{at("services"), at("consumers"), at("changes"), at("join-tokens"), "/api/v1/environments", "/api/v1/access-tokens"} {
			if got := w.do(http.MethodPost, path, body); got.status != http.StatusBadRequest {
				t.Errorf("POST %s %s: %d %s", path, body, got.status, got.body)
			}
		}
		if got := w.do(http.MethodPut, at("services", "new"), body, header("If-None-Match", "*")); got.status != http.StatusBadRequest {
			t.Errorf("PUT %s: %d %s", body, got.status, got.body)
		}
		if got := w.do(http.MethodPatch, at("services", "orders"), body); got.status != http.StatusBadRequest {
			t.Errorf("PATCH %s: %d %s", body, got.status, got.body)
		}
	}
}

func TestTheSameFieldTwiceIsRefused(t *testing.T) {
	w := newWorld(t)
	for path, body := range map[string]string{
		at("services"):          `{"name":"a","name":"b","upstream":{"targets":[{"address":"a:1"}]}}`,
		at("consumers"):         `{"name":"a","metadata":{"x":"1","x":"2"}}`,
		at("changes"):           `{"operations":[{"action":"create","collection":"consumers","body":{"name":"a","name":"b"}}]}`,
		"/api/v1/access-tokens": `{"name":"a","name":"b"}`,
	} {
		w.do(http.MethodPost, path, body).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest)
	}
	w.do(http.MethodPut, at("services", "a"), `{"upstream":{"targets":[{"address":"a:1"}]},"description":"a","description":"b"}`, header("If-None-Match", "*")).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/description")
}

func TestBodiesAreBounded(t *testing.T) {
	w := newWorld(t)
	const mebibyte = 1 << 20
	long := `{"name":"x","description":"` + strings.Repeat("a", mebibyte) + `"}`
	for _, path := range []string{at("services"), at("consumers"), at("secrets"), "/api/v1/environments", "/api/v1/access-tokens"} {
		w.do(http.MethodPost, path, long).want(t, http.StatusRequestEntityTooLarge).wantProblem(t, problem.TooLarge)
		unknownLength := func(r *http.Request) { r.ContentLength = -1 }
		w.do(http.MethodPost, path, long, unknownLength).want(t, http.StatusRequestEntityTooLarge).wantProblem(t, problem.TooLarge)
	}
	w.do(http.MethodPost, at("changes"), long).want(t, http.StatusBadRequest)
	w.do(http.MethodPost, at("changes"), `{"message":"`+strings.Repeat("a", 16*mebibyte)+`"}`).want(t, http.StatusRequestEntityTooLarge)
}

func TestOperationsWithoutABodyTakeNone(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	w.do(http.MethodGet, at("services"), `{}`).want(t, http.StatusBadRequest)
	w.do(http.MethodDelete, at("services", "orders"), `{}`).want(t, http.StatusBadRequest)
	w.do(http.MethodGet, at("services", "orders"), "").want(t, http.StatusOK)
}

// What the database can't hold as text must not come back as an internal error.
func TestTextThatNoDatabaseHoldsIsNoInternalError(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	for path, body := range map[string]string{
		at("services"):          `{"name":"a","description":"a\u0000b","upstream":{"targets":[{"address":"a:1"}]}}`,
		at("consumers"):         `{"name":"a","description":"a\u0000b"}`,
		at("secrets"):           `{"name":"a","value":"v","labels":{"x":"a\u0000b"}}`,
		at("api-keys"):          `{"name":"a","consumer":"sh\u0000op"}`,
		at("join-tokens"):       `{"name":"a","description":"a\u0000b","expires_at":"2100-01-01T00:00:00Z"}`,
		at("changes"):           `{"message":"a\u0000b","operations":[{"action":"create","collection":"consumers","body":{"name":"b"}}]}`,
		"/api/v1/environments":  `{"name":"a","description":"a\u0000b"}`,
		"/api/v1/access-tokens": `{"name":"a","description":"a\u0000b"}`,
	} {
		if got := w.do(http.MethodPost, path, body); got.status >= http.StatusInternalServerError {
			t.Errorf("POST %s: %d %s", path, got.status, got.body)
		}
	}
	plan, err := listing.Query{}.Plan()
	if err != nil {
		t.Fatal(err)
	}
	forged := plan.Cursor("a\x00b") // a caller can compute it: it isn't signed
	for _, query := range []string{"cursor=" + forged, "filter[name]=%00", "labels=a%3D%00", "cursor=%00", "cursor=AQAAAAAAAAAA", "filter[consumer]=%ff", "filter[name]=" + strings.Repeat("x", 10000)} {
		if got := w.do(http.MethodGet, at("api-keys")+"?"+query, ""); got.status >= http.StatusInternalServerError {
			t.Errorf("GET ?%s: %d %s", query, got.status, got.body)
		}
	}
}

func TestNoAnswerTellsTheInside(t *testing.T) {
	w := newWorld(t)
	w.breakDatabase()
	for _, path := range []string{"/api/v1/environments", at("services"), at("consumers"), at("nodes"), at("usage")} {
		got := w.do(http.MethodGet, path, "")
		if got.status != http.StatusServiceUnavailable && got.status != http.StatusInternalServerError {
			t.Errorf("GET %s: %d", path, got.status)
		}
		for _, inside := range []string{"SQL", "pgx", "postgres", "closed pool", "goroutine", "127.0.0.1", "SELECT"} {
			if strings.Contains(string(got.body), inside) {
				t.Errorf("GET %s tells %q: %s", path, inside, got.body)
			}
		}
	}
}
