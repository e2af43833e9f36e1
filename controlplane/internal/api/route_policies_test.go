package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestARouteShowsItsPoliciesInTheOrderInWhichTheyRun(t *testing.T) {
	const (
		key     = `"kind":"api-key","config":{}`
		limitBy = `"kind":"rate-limit","config":{"windows":[{"requests":1,"window":"1s"}],"by":[{"%s":true}]}`
	)
	everywhere, onService, onRoute := `{"environment":true}`, `{"service":"s"}`, `{"route":"r"}`
	type p struct{ name, body, places string }
	limit := func(by string) string { return fmt.Sprintf(limitBy, by) }
	tests := []struct {
		name     string
		policies []p
		want     string
	}{
		{"by phase, level, position, name", []p{
			{"d-late", limit("key"), onRoute},
			{"c-early", limit("address"), onRoute},
			{"b-key", key, everywhere},
			{"a-all", limit("address") + `,"position":5`, everywhere},
			{"a-first", limit("address") + `,"position":-5`, everywhere},
		}, "a-first guard environment running, a-all guard environment running, c-early guard route running, b-key authenticate environment running, d-late limit route running"},
		{
			"the most specific takes the place",
			[]p{{"general", key, everywhere}, {"special", key, onService}},
			"general authenticate environment replaced service, special authenticate service running",
		},
		{
			"unless the general one is final",
			[]p{{"general", key + `,"final":true`, everywhere}, {"special", key, onRoute}},
			"general authenticate environment running, special authenticate route replaced environment",
		},
		{
			"one that is off takes the place too",
			[]p{{"general", key, everywhere}, {"special", key + `,"mode":"off"`, onRoute}},
			"general authenticate environment replaced route, special authenticate route off",
		},
		{"twice attached, listed once, where it runs", []p{{"both", key, everywhere + "," + onRoute}}, "both authenticate route running"},
		{"twice attached and merging, on the general level", []p{{"both", limit("key"), onRoute + "," + everywhere}}, "both limit environment running"},
		{"elsewhere", []p{{"other", key, `{"route":"other"}`}, {"nowhere", key, ""}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.do(http.MethodPost, at("services"), `{"name":"s","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`).want(t, http.StatusCreated)
			for _, name := range []string{"r", "other"} {
				w.do(http.MethodPost, at("routes"), `{"name":"`+name+`","service":"s","paths":[{"exact":"/`+name+`"}],"public":true}`).want(t, http.StatusCreated)
			}
			for _, p := range tt.policies {
				w.do(http.MethodPost, at("policies"), `{"name":"`+p.name+`",`+p.body+`,"attached_to":[`+p.places+`]}`).want(t, http.StatusCreated)
			}
			var shown []string
			for _, m := range w.do(http.MethodGet, at("routes", "r", "policies"), "").want(t, http.StatusOK).object(t).list("data") {
				shown = append(shown, strings.TrimSpace(strings.Join([]string{m.text("name"), m.text("phase"), m.text("level"), m.text("state"), m.text("replaced_by")}, " ")))
			}
			if got := strings.Join(shown, ", "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTheKindsSayWhatPeopleCallThemAndWhetherTheyMerge(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{"api-key": "API key false", "rate-limit": "Rate limit true"} {
		kind := w.do(http.MethodGet, "/api/v1/policy-kinds/"+path, "").want(t, http.StatusOK).object(t)
		if got := fmt.Sprint(kind.text("title"), " ", kind["merges"] == true); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
