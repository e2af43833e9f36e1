package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestEpochsAreListedTheNewestFirst(t *testing.T) {
	w := newWorld(t)
	if got := w.do(http.MethodGet, at("epochs"), "").want(t, http.StatusOK); string(got.body) != `{"data":[],"next_cursor":null}` {
		t.Errorf("no epochs are %s", got.body)
	}
	environment := w.make(http.MethodGet, "/api/v1/environments/production", "")["id"].(string)
	for _, reason := range []string{"first", "second"} {
		if _, err := w.epochs.OpenByHand(t.Context(), environment, reason, access.Actor{ID: "system"}); err != nil {
			t.Fatal(err)
		}
	}
	page := w.make(http.MethodGet, at("epochs")+"?limit=1", "")
	newest := page["data"].([]any)[0].(map[string]any)
	if newest["reason"] != "second" || newest["opened_by"] != "system" || newest["recall_until"] == nil || newest["lost"] != nil {
		t.Errorf("the newest is %v", newest)
	}
	rest := w.make(http.MethodGet, at("epochs")+"?limit=1&cursor="+page["next_cursor"].(string), "")
	if older := rest["data"].([]any)[0].(map[string]any); older["reason"] != "first" || rest["next_cursor"] != nil {
		t.Errorf("then comes %v", rest)
	}
	if got := w.do(http.MethodGet, at("epochs"), "", as("")).want(t, http.StatusUnauthorized); !strings.Contains(string(got.body), string(problem.Unauthenticated)) {
		t.Errorf("without a token: %s", got.body)
	}
}
