package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// owned is an object of team B, and what team A tries with it.
type owned struct {
	collection, id, name string
	body                 string // of one like it, of any name
	etag                 string
}

// teamWorld has the teams a and b in production, a caller who is admin of a, and an object of b
// in each collection that teams have.
type teamWorld struct {
	*world
	a   option
	ids map[string]string // of teams
	of  []owned
}

func newTeamWorld(t *testing.T) *teamWorld {
	t.Helper()
	w := newWorld(t)
	tw := &teamWorld{world: w, ids: map[string]string{}}
	for _, team := range []string{"a", "b"} {
		tw.ids[team] = w.make(http.MethodPost, at("teams"), `{"name":"`+team+`"}`).text("id")
	}
	token := w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"of-a"}`)
	w.bind(token.text("id"), place{"production", "a"}, "admin")
	tw.a = as(token.text("token"))
	for _, made := range []struct{ collection, name, body string }{
		{"services", "b-orders", `{"upstream":{"targets":[{"address":"b.internal:8080"}]}}`},
		{"routes", "b-orders", `{"service":"b-orders","paths":[{"prefix":"/b"}],"public":true}`},
		{"policies", "b-limit", `{"kind":"rate-limit","attached_to":[{"route":"b-orders"}],"config":{"by":[{"address":true}],"windows":[{"requests":3,"window":"1m"}]}}`},
		{"consumers", "b-shop", `{}`},
		{"secrets", "b-secret", `{"value":"hidden"}`},
		{"api-keys", "b-key", `{"consumer":"b-shop"}`},
	} {
		body := `{"name":"` + made.name + `",` + strings.TrimPrefix(made.body, "{")
		body = strings.Replace(body, ",}", "}", 1)
		if made.collection != "api-keys" {
			body = strings.TrimSuffix(body, "}") + `,"team":"b"}`
		}
		answer := w.do(http.MethodPost, at(made.collection), body).want(t, http.StatusCreated)
		o := answer.object(t)
		if o.text("team") != tw.ids["b"] {
			t.Fatalf("%s has the team %q", made.collection, o.text("team"))
		}
		tw.of = append(tw.of, owned{made.collection, o.text("id"), made.name, made.body, answer.header.Get("ETag")})
	}
	return tw
}

// untouched fails unless team B's objects are what they were.
func (w *teamWorld) untouched(t *testing.T) {
	t.Helper()
	for _, o := range w.of {
		if got := w.do(http.MethodGet, at(o.collection, o.id), "").want(t, http.StatusOK).header.Get("ETag"); got != o.etag {
			t.Errorf("%s %s was changed", o.collection, o.name)
		}
	}
}

func TestATeamsObjectsAreNotThereForAnother(t *testing.T) {
	w := newTeamWorld(t)
	for _, o := range w.of {
		t.Run(o.collection, func(t *testing.T) {
			for _, key := range []string{o.id, o.name} {
				for method, body := range map[string]string{http.MethodGet: "", http.MethodPatch: `{"description":"mine"}`, http.MethodDelete: ""} {
					for _, options := range [][]option{{w.a}, {w.a, header("If-Match", o.etag)}} {
						got := w.do(method, at(o.collection, key), body, options...).want(t, http.StatusNotFound)
						got.wantProblem(t, problem.NotFound)
						none := w.do(method, at(o.collection, "nothing"), body, options...).want(t, http.StatusNotFound)
						if told := strings.ReplaceAll(none.problem(t).Detail, "nothing", key); got.problem(t).Detail != told {
							t.Errorf("%s: %q tells more than %q", method, got.problem(t).Detail, told)
						}
					}
				}
				w.do(http.MethodDelete, at(o.collection, key)+"?dry_run=true", "", w.a).want(t, http.StatusNotFound)
			}
			w.do(http.MethodPut, at(o.collection, o.id), o.body, w.a).want(t, http.StatusNotFound, http.StatusBadRequest)
			if got := w.do(http.MethodPut, at(o.collection, o.name), o.body, w.a); got.status < 400 {
				t.Errorf("it was replaced by name: %s", got.body)
			}
			w.tryBatches(t, o)
			w.tryLists(t, o)
		})
	}
	w.do(http.MethodPost, at("api-keys", "b-key", "rotate"), `{}`, w.a).want(t, http.StatusNotFound)
	w.untouched(t)
}

// tryBatches tries each verb in a batch, for good and as a dry run, by itself and behind a step that would do.
func (w *teamWorld) tryBatches(t *testing.T, o owned) {
	t.Helper()
	const fine = `{"action":"create","collection":"consumers","body":{"name":"fine"}},`
	for _, key := range []string{o.id, o.name} {
		for _, step := range []string{
			`"action":"patch","body":{"description":"mine"}`, `"action":"patch","body":{}`, `"action":"patch","body":{"team":"a"}`,
			`"action":"delete"`, `"action":"put","body":` + o.body, `"action":"rotate"`,
		} {
			for _, before := range []string{"", fine} {
				for _, dry := range []string{"", "?dry_run=true"} {
					body := fmt.Sprintf(`{"operations":[%s{"collection":%q,"key":%q,%s}]}`, before, o.collection, key, step)
					if got := w.do(http.MethodPost, at("changes")+dry, body, w.a); got.status < 400 || got.status >= 500 {
						t.Errorf("%s: %d %s", body, got.status, got.body)
					}
				}
			}
		}
	}
	w.do(http.MethodGet, at("consumers", "fine"), "").want(t, http.StatusNotFound)
}

// tryLists looks for an object in lists: with filters and cursors that lead to it.
func (w *teamWorld) tryLists(t *testing.T, o owned) {
	t.Helper()
	first := w.do(http.MethodGet, at(o.collection)+"?limit=1", "")
	queries := []string{
		"", "?filter[name]=" + o.name, "?limit=500", "?labels=!nothing", "?cursor=" + escaped(first.object(t).text("next_cursor")),
	}
	switch o.collection {
	case "services", "routes", "policies":
		queries = append(queries, "?filter[team]="+w.ids["b"], "?filter[team]=b")
	}
	for _, query := range queries {
		got := w.do(http.MethodGet, at(o.collection)+query, "", w.a)
		if got.status == http.StatusOK && strings.Contains(string(got.body), o.id) {
			t.Errorf("%s shows it: %s", query, got.body)
		}
	}
}

func escaped(cursor string) string { return strings.ReplaceAll(cursor, "=", "%3D") }

// TestATeamRefersToNothingOfAnother: not by id, not by name, not by what it makes itself.
func TestATeamRefersToNothingOfAnother(t *testing.T) {
	w := newTeamWorld(t)
	w.make(http.MethodPost, at("services"), `{"name":"shared","upstream":{"targets":[{"address":"s.internal:8080"}]}}`)
	w.make(http.MethodPost, at("consumers"), `{"name":"everybodys"}`)
	limit := func(attached string) string {
		return `{"name":"mine","kind":"rate-limit","attached_to":[` + attached + `],"config":{"by":[{"address":true}],"windows":[{"requests":1,"window":"1m"}]}}`
	}
	acl := func(consumer string) string {
		return `{"name":"mine","kind":"acl","attached_to":[],"config":{"allow":[{"consumers":["` + consumer + `"]}]}}`
	}
	b := map[string]string{}
	for _, o := range w.of {
		b[o.collection] = o.id
	}
	for name, tt := range map[string]struct {
		collection, body string
		status           int
		pointer          string
	}{
		"a route to its service":             {"routes", `{"name":"r","service":"b-orders","paths":[{"prefix":"/x"}],"public":true}`, 400, "/service"},
		"a route to its service by id":       {"routes", `{"name":"r","service":"` + b["services"] + `","paths":[{"prefix":"/x"}],"public":true}`, 400, "/service"},
		"a route to the environment's":       {"routes", `{"name":"r","service":"shared","paths":[{"prefix":"/x"}],"public":true}`, 400, "/service"},
		"a policy on its route":              {"policies", limit(`{"route":"b-orders"}`), 400, "/attached_to/0/route"},
		"a policy on its service":            {"policies", limit(`{"service":"` + b["services"] + `"}`), 400, "/attached_to/0/service"},
		"a policy on its consumer":           {"policies", limit(`{"consumer":"b-shop"}`), 400, "/attached_to/0/consumer"},
		"a policy on its consumer by id":     {"policies", limit(`{"consumer":"` + b["consumers"] + `"}`), 400, "/attached_to/0/consumer"},
		"a policy on the environment's":      {"policies", limit(`{"consumer":"everybodys"}`), 400, "/attached_to/0/consumer"},
		"a rule about its consumer":          {"policies", acl("b-shop"), 400, "/config/allow/0/consumers/0"},
		"a rule about its consumer by id":    {"policies", acl(b["consumers"]), 400, "/config/allow/0/consumers/0"},
		"a policy on all":                    {"policies", limit(`{"environment":true}`), 403, "/attached_to/0"},
		"a key for its consumer":             {"api-keys", `{"consumer":"b-shop"}`, 400, "/consumer"},
		"a key for its consumer by id":       {"api-keys", `{"consumer":"` + b["consumers"] + `"}`, 400, "/consumer"},
		"a key for the environment's":        {"api-keys", `{"consumer":"everybodys"}`, 400, "/consumer"},
		"a service of its":                   {"services", `{"name":"s","team":"b","upstream":{"targets":[{"address":"x.internal:80"}]}}`, 400, "/team"},
		"a service of its, by the team's id": {"services", `{"name":"s","team":"` + w.ids["b"] + `","upstream":{"targets":[{"address":"x.internal:80"}]}}`, 400, "/team"},
		"a consumer of its":                  {"consumers", `{"name":"c","team":"b"}`, 400, "/team"},
		"a secret of its":                    {"secrets", `{"name":"c","value":"x","team":"` + w.ids["b"] + `"}`, 400, "/team"},
		"a block":                            {"blocks", `{"address_range":"0.0.0.0/0"}`, 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, dry := range []string{"?dry_run=true", ""} {
				got := w.in(t).do(http.MethodPost, at(tt.collection)+dry, tt.body, w.a).want(t, tt.status)
				if tt.status == http.StatusBadRequest {
					got.wantProblem(t, problem.InvalidRequest, tt.pointer)
				} else if !strings.Contains(string(got.body), `"forbidden"`) {
					t.Errorf("not forbidden: %s", got.body)
				}
			}
		})
	}
	w.untouched(t)
}

// An object that reaches beyond its team, because somebody above made it so, is for those above to change.
func TestWhatReachesBeyondATeamIsNotItsToChange(t *testing.T) {
	w := newTeamWorld(t)
	w.make(http.MethodPost, at("policies"), `{"name":"a-everywhere","team":"a","kind":"rate-limit","attached_to":[{"environment":true}],"config":{"by":[{"address":true}],"windows":[{"requests":1000,"window":"1m"}]}}`)
	w.make(http.MethodPost, at("policies"), `{"name":"a-on-b","team":"a","kind":"rate-limit","attached_to":[{"route":"b-orders"}],"config":{"by":[{"address":true}],"windows":[{"requests":1000,"window":"1m"}]}}`)
	for _, policy := range []string{"a-everywhere", "a-on-b"} {
		w.do(http.MethodGet, at("policies", policy), "", w.a).want(t, http.StatusOK)
		for _, change := range []string{`{"mode":"off"}`, `{"attached_to":[]}`, `{"config":{"windows":[{"requests":1,"window":"1m"}]}}`} {
			if got := w.do(http.MethodPatch, at("policies", policy), change, w.a); got.status != http.StatusForbidden && got.status != http.StatusBadRequest {
				t.Errorf("%s %s: %d %s", policy, change, got.status, got.body)
			}
		}
		w.do(http.MethodDelete, at("policies", policy), "", w.a).want(t, http.StatusForbidden)
	}
	w.untouched(t)
}

func TestATeamMakesChangesAndDeletesItsOwn(t *testing.T) {
	w := newTeamWorld(t)
	made := w.do(http.MethodPost, at("changes"), `{"operations":[
		{"action":"create","collection":"services","body":{"name":"mine","upstream":{"targets":[{"address":"a.internal:80"}]}}},
		{"action":"put","collection":"routes","key":"mine","body":{"service":"mine","paths":[{"prefix":"/a"}],"public":true,"team":"a"}},
		{"action":"create","collection":"secrets","body":{"name":"mine","value":"x","team":"a"}},
		{"action":"create","collection":"consumers","body":{"name":"mine"}},
		{"action":"create","collection":"api-keys","body":{"name":"mine","consumer":"mine"}},
		{"action":"put","collection":"policies","key":"mine","body":{"kind":"rate-limit","attached_to":[{"route":"mine"},{"service":"mine"}],
			"config":{"by":[{"address":true}],"windows":[{"requests":1,"window":"1m"}]}}}]}`, w.a).want(t, http.StatusOK)
	for _, o := range made.object(t).list("results") {
		if object, _ := o["object"].(map[string]any); object["team"] != w.ids["a"] {
			t.Errorf("%s has the team %v", o.text("collection"), object["team"])
		}
	}
	for _, collection := range []string{"services", "routes", "secrets", "consumers", "api-keys", "policies"} {
		if names := w.do(http.MethodGet, at(collection), "", w.a).want(t, http.StatusOK).names(t); strings.Join(names, " ") != "mine" {
			t.Errorf("%s: team a sees %v", collection, names)
		}
		read := w.do(http.MethodGet, at(collection, "mine"), "", w.a).want(t, http.StatusOK)
		w.do(http.MethodPatch, at(collection, "mine"), `{"description":"ours"}`, w.a, header("If-Match", read.header.Get("ETag"))).want(t, http.StatusOK)
		if collection == "api-keys" {
			continue
		}
		for _, out := range []string{`{"team":null}`, `{"team":""}`} {
			got := w.do(http.MethodPatch, at(collection, "mine"), out, w.a)
			if got.status != http.StatusForbidden {
				t.Errorf("%s left the team by %s: %d %s", collection, out, got.status, got.body)
			}
		}
		w.do(http.MethodPatch, at(collection, "mine"), `{"team":"b"}`, w.a).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/team")
	}
	w.make(http.MethodPut, at("routes", "mine"), `{"service":"mine","paths":[{"prefix":"/aa"}],"public":true}`, w.a)
	if team := w.make(http.MethodGet, at("routes", "mine"), "").text("team"); team != w.ids["a"] {
		t.Errorf("a put without a team moved it to %q", team)
	}
	w.make(http.MethodPost, at("api-keys", "mine", "rotate"), `{"name":"next"}`, w.a)
	for _, path := range []string{"api-keys/next", "api-keys/mine", "consumers/mine", "policies/mine", "routes/mine", "services/mine", "secrets/mine"} {
		w.do(http.MethodDelete, at(path), "", w.a).want(t, http.StatusNoContent)
	}
	w.untouched(t)
}

func TestWhatIsToldOfAnotherTeamsObjectIsNotItsName(t *testing.T) {
	w := newTeamWorld(t)
	w.make(http.MethodPost, at("services"), `{"name":"mine","upstream":{"targets":[{"address":"a.internal:80"}]}}`, w.a)
	tie := w.do(http.MethodPost, at("routes"), `{"name":"tie","service":"mine","paths":[{"prefix":"/b"}],"public":true}`, w.a).want(t, http.StatusBadRequest)
	w.make(http.MethodPatch, at("routes", "b-orders"), `{"service":"mine"}`)
	gone := w.do(http.MethodDelete, at("services", "mine"), "", w.a).want(t, http.StatusConflict)
	gone.wantProblem(t, problem.Referenced)
	for _, told := range []answer{tie, gone} {
		if strings.Contains(string(told.body), "b-orders") || strings.Contains(string(told.body), "rt_") {
			t.Errorf("it tells %s", told.body)
		}
	}
}

func TestWhatCannotBeFilteredIsNotForATeam(t *testing.T) {
	w := newTeamWorld(t)
	for _, path := range []string{"revisions", "revisions/1", "revisions/1/diff", "revisions/1/status", "usage", "usage/credentials", "requests", "requests/x", "limits", "epochs", "nodes", "blocks", "settings", "sequences/1/status"} {
		w.do(http.MethodGet, at(path), "", w.a).want(t, http.StatusForbidden, http.StatusNotFound)
	}
	w.do(http.MethodGet, at("settings"), "", w.a).want(t, http.StatusForbidden)
	w.do(http.MethodPut, at("settings"), `{"team":"a"}`, w.a).want(t, http.StatusForbidden)
	w.do(http.MethodPost, at("revisions", "0", "rollback"), `{}`, w.a).want(t, http.StatusForbidden)
	w.do(http.MethodPost, at("changes"), `{"operations":[{"action":"put","collection":"settings","key":"settings","body":{"removal_percent":100}}]}`, w.a).want(t, http.StatusForbidden)
	w.untouched(t)
}

func TestATeamThatSomethingBelongsToCannotBeDeleted(t *testing.T) {
	w := newTeamWorld(t)
	kept := w.do(http.MethodDelete, at("teams", "b"), "").want(t, http.StatusConflict)
	kept.wantProblem(t, problem.Referenced)
	for _, o := range w.of {
		if o.collection != "api-keys" && !strings.Contains(string(kept.body), o.id) {
			t.Errorf("%s isn't named: %s", o.id, kept.body)
		}
	}
	bound := w.do(http.MethodDelete, at("teams", "a"), "").want(t, http.StatusConflict)
	if !strings.Contains(string(bound.body), "rb_") {
		t.Errorf("the role binding isn't named: %s", bound.body)
	}
	w.make(http.MethodPost, at("teams"), `{"name":"c"}`)
	w.do(http.MethodDelete, at("teams", "c"), "").want(t, http.StatusNoContent)
	w.do(http.MethodGet, at("teams", "c"), "").want(t, http.StatusNotFound)
}
