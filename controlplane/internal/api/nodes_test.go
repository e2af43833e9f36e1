package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestGroupsOfNodesAreMadeChangedAndEnded(t *testing.T) {
	w := newWorld(t)
	made := w.do(http.MethodPost, at("node-groups"), `{"name":"rack-1","labels":{"site":"north"}}`).want(t, http.StatusCreated)
	o := made.object(t)
	if !strings.HasPrefix(o.text("id"), "ng_") || made.header.Get("Location") != at("node-groups", o.text("id")) {
		t.Errorf("made %v at %q", o, made.header.Get("Location"))
	}
	w.make(http.MethodPost, at("node-groups"), `{"name":"rack-2"}`)
	w.do(http.MethodPost, at("node-groups"), `{"name":"rack-1"}`).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
	w.do(http.MethodPatch, at("node-groups", "rack-2"), `{"name":"rack-1"}`).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
	for query, names := range map[string]string{"": "rack-1 rack-2", "?labels=site=north": "rack-1", "?filter[name]=rack-2": "rack-2", "?labels=site!=north": "rack-2"} {
		if got := strings.Join(w.do(http.MethodGet, at("node-groups")+query, "").names(t), " "); got != names {
			t.Errorf("%q lists %q", query, got)
		}
	}
	patched := w.do(http.MethodPatch, at("node-groups", "rack-1"), `{"name":"row-1","labels":null,"description":"first"}`).want(t, http.StatusOK).object(t)
	if patched.text("name") != "row-1" || patched.text("description") != "first" || patched["labels"] != nil {
		t.Errorf("patched reads %v", patched)
	}
	for body, pointer := range map[string]string{
		`{}`: "/name", `{"name":"Rack 1"}`: "/name", `{"name":"x","labels":{"a b":"c"}}`: "/labels/a b", `{"name":"x","colour":"no"}`: "/colour",
	} {
		w.do(http.MethodPost, at("node-groups"), body).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
	w.do(http.MethodPost, at("node-groups"), `{"name":"x","nodes":7}`).want(t, http.StatusBadRequest)
	w.do(http.MethodPost, at("join-tokens"), `{"name":"j","expires_at":"2100-01-01T00:00:00Z","group":"nothing"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/group")
	token := w.make(http.MethodPost, at("join-tokens"), `{"name":"j","expires_at":"2100-01-01T00:00:00Z","group":"row-1"}`)
	if token.text("group") != o.text("id") {
		t.Errorf("the token is of group %q", token.text("group"))
	}
	w.do(http.MethodDelete, at("node-groups", "row-1"), "").want(t, http.StatusConflict).wantProblem(t, problem.Referenced)
	w.do(http.MethodDelete, at("join-tokens", "j"), "").want(t, http.StatusNoContent)
	w.do(http.MethodDelete, at("node-groups", "row-1"), "").want(t, http.StatusNoContent)
	w.do(http.MethodDelete, at("node-groups", "row-1"), "").want(t, http.StatusNotFound)
}

func TestNodesAreMovedRenamedAndSelected(t *testing.T) {
	w := newWorld(t)
	group := w.make(http.MethodPost, at("node-groups"), `{"name":"rack-1"}`).text("id")
	one, two := w.enrol("one", group), w.enrol("two", "")
	if got := w.do(http.MethodGet, at("nodes", one), "").want(t, http.StatusOK).object(t); got.text("group") != group || got["disabled"] == true {
		t.Errorf("a node of a group's token reads %v", got)
	}
	moved := w.do(http.MethodPatch, at("nodes", two), `{"group":"rack-1","labels":{"canary":"yes"},"name":"second"}`).want(t, http.StatusOK).object(t)
	if moved.text("group") != group || moved.text("name") != "second" {
		t.Errorf("moved reads %v", moved)
	}
	for query, names := range map[string]string{
		"?filter[group]=rack-1": "one second", "?labels=canary": "second", "?filter[name]=one": "one", "?filter[group]=nothing": "", "?filter[group]=" + group + "&labels=!canary": "one",
	} {
		if got := strings.Join(w.do(http.MethodGet, at("nodes")+query, "").names(t), " "); got != names {
			t.Errorf("%q lists %q", query, got)
		}
	}
	w.do(http.MethodDelete, at("node-groups", "rack-1"), "").want(t, http.StatusConflict).wantProblem(t, problem.Referenced)
	w.do(http.MethodPatch, at("nodes", two), `{"group":null}`).want(t, http.StatusOK)
	w.do(http.MethodPatch, at("nodes", two), `{"group":"nothing"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/group")
	w.do(http.MethodPatch, at("nodes", two), `{"capability":9}`).want(t, http.StatusBadRequest)
	w.do(http.MethodPatch, at("nodes", two), `{"name":""}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/name")
	if off := w.do(http.MethodPost, at("nodes", two, "disable"), "").want(t, http.StatusOK).object(t); off["disabled"] != true {
		t.Errorf("disabled reads %v", off)
	}
	w.do(http.MethodGet, at("nodes", one, "health"), "").want(t, http.StatusGatewayTimeout).wantProblem(t, problem.NodeUnreachable)
	if got := w.do(http.MethodGet, at("node-health")+"?filter[name]=one", "").want(t, http.StatusOK); !strings.Contains(string(got.body), `"node_unreachable"`) {
		t.Errorf("a node that isn't there is listed as %s", got.body)
	}
}

func TestTheFleetOfAnotherEnvironmentIsNotThere(t *testing.T) {
	w := newWorld(t)
	group := w.make(http.MethodPost, at("node-groups"), `{"name":"rack-1"}`).text("id")
	node := w.enrol("one", group)
	w.make(http.MethodPost, at("consumers"), `{"name":"app"}`)
	key := w.make(http.MethodPost, at("api-keys"), `{"name":"k","consumer":"app"}`).text("id")
	block := w.make(http.MethodPost, at("blocks"), `{"name":"b","consumer":"app"}`).text("id")
	revoked := w.do(http.MethodDelete, at("api-keys", key), "").want(t, http.StatusNoContent).header.Get("Sallyport-Sequence")
	w.do(http.MethodGet, at("sequences", revoked, "status"), "").want(t, http.StatusOK)
	w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
	elsewhere := func(parts ...string) string {
		return strings.Replace(at(parts...), "/production/", "/staging/", 1)
	}
	for _, path := range []string{
		elsewhere("nodes", node), elsewhere("nodes", node, "health"), elsewhere("node-groups", group), elsewhere("node-groups", "rack-1"),
		elsewhere("api-keys", key, "revocation"), elsewhere("api-keys", "k", "revocation"), elsewhere("consumers", "app", "revocation"),
		elsewhere("blocks", block), elsewhere("blocks", block, "revocation"), elsewhere("sequences", revoked, "status"),
	} {
		w.do(http.MethodGet, path, "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
	}
	for _, list := range []string{"nodes", "node-health", "node-groups", "blocks", "requests", "epochs"} {
		answer := w.do(http.MethodGet, elsewhere(list), "").want(t, http.StatusOK)
		for _, id := range []string{node, group, block, key} {
			if strings.Contains(string(answer.body), id) {
				t.Errorf("%s lists %s: %s", list, id, answer.body)
			}
		}
	}
	for _, query := range []string{"?filter[group]=" + group, "?filter[group]=rack-1"} {
		if names := w.do(http.MethodGet, elsewhere("nodes")+query, "").names(t); len(names) > 0 {
			t.Errorf("%s lists %v", query, names)
		}
	}
	w.do(http.MethodPatch, elsewhere("nodes", node), `{"name":"mine"}`).want(t, http.StatusNotFound)
	w.do(http.MethodPost, elsewhere("nodes", node, "disable"), "").want(t, http.StatusNotFound)
	w.do(http.MethodPatch, elsewhere("node-groups", group), `{"name":"mine"}`).want(t, http.StatusNotFound)
	w.do(http.MethodDelete, elsewhere("node-groups", group), "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
	w.do(http.MethodPost, elsewhere("join-tokens"), `{"name":"j","expires_at":"2100-01-01T00:00:00Z","group":"`+group+`"}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/group")
	w.do(http.MethodPost, elsewhere("blocks"), `{"name":"b","consumer":"app"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/consumer")
	w.do(http.MethodPost, elsewhere("blocks"), `{"name":"b","api_key":"`+key+`"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/api_key")
	if got := w.do(http.MethodGet, at("nodes", node), "").want(t, http.StatusOK).object(t); got.text("name") != "one" || got["disabled"] == true {
		t.Errorf("the node reads %v", got)
	}
}

func TestForceIsTrueOrFalse(t *testing.T) {
	w := newWorld(t)
	w.do(http.MethodPost, at("services")+"?force=maybe", ordersService).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/force")
	w.do(http.MethodPost, at("services")+"?force=true", ordersService).want(t, http.StatusCreated)
}
