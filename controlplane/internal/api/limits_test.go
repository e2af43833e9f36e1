package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestAnEnvironmentShowsHowMuchItHoldsOfHowMuchItMay(t *testing.T) {
	w := newWorld(t)
	w.do(http.MethodPost, at("consumers"), `{"name":"app"}`).want(t, http.StatusCreated)
	w.do(http.MethodPost, at("services"), `{"name":"s","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`).want(t, http.StatusCreated)
	used := map[string]any{}
	for _, limit := range w.do(http.MethodGet, at("limits"), "").want(t, http.StatusOK).object(t).list("data") {
		used[limit.text("name")] = limit["used"]
		if limit["alarming"] == true || limit["most"] == nil {
			t.Errorf("%v", limit)
		}
	}
	if fmt.Sprint(used["consumers"], used["services"], used["api-keys"]) != "1 1 <nil>" || used["configuration-bytes"] == nil {
		t.Errorf("%v", used)
	}
}

func TestForceIsAskedForAndGiven(t *testing.T) {
	w := newWorld(t)
	var create, remove []string
	for n := range 12 {
		create = append(create, fmt.Sprintf(`{"action":"create","collection":"routes","body":{"name":"r%d","service":"s","paths":[{"exact":"/%d"}],"public":true}}`, n, n))
		remove = append(remove, fmt.Sprintf(`{"action":"delete","collection":"routes","key":"r%d"}`, n))
	}
	w.do(http.MethodPost, at("services"), `{"name":"s","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`).want(t, http.StatusCreated)
	w.do(http.MethodPost, at("changes"), `{"operations":[`+strings.Join(create, ",")+`]}`).want(t, http.StatusOK)
	all := `{"operations":[` + strings.Join(remove, ",") + `]}`
	for _, query := range []string{"", "?dry_run=true", "?force=false"} {
		w.do(http.MethodPost, at("changes")+query, all).want(t, http.StatusConflict).wantProblem(t, problem.ForceNeeded, "/operations/11")
	}
	w.do(http.MethodPost, at("changes")+"?force=1", all).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/force")
	done := w.do(http.MethodPost, at("changes")+"?force=true", all).want(t, http.StatusOK)
	if said := fmt.Sprint(done.object(t)["warnings"]); !strings.Contains(said, "removes 12") {
		t.Errorf("the warnings are %s", said)
	}
}
