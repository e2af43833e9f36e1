package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// person makes a user with a role and a token, and returns the token.
func (w *world) person(name, role string, at place) option {
	w.t.Helper()
	w.make(http.MethodPost, "/api/v1/users", `{"name":"`+name+`"}`)
	binding := map[string]any{"name": name + "-is-" + role, "user": name, "role": role}
	if at.environment != "" {
		binding["environment"] = at.environment
	}
	if at.team != "" {
		binding["team"] = at.team
	}
	w.make(http.MethodPost, "/api/v1/role-bindings", jsonOf(w.t, binding))
	return as(w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"of-`+name+`","user":"`+name+`"}`).text("token"))
}

func TestARevisionNamesTheUserWhoseTokenMadeIt(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada", "product-manager", place{environment: "production"})
	w.make(http.MethodPost, at("services"), ordersService, ada)
	if author := w.make(http.MethodGet, at("revisions", "1"), "", ada).text("author"); author != "ada" {
		t.Errorf("the author is %q", author)
	}
	me := w.make(http.MethodGet, "/api/v1/me", "", ada)
	if me.text("name") != "ada" || me["is_user"] != true || !strings.HasPrefix(me.text("id"), "usr_") || !strings.HasPrefix(me.text("access_token"), "tok_") {
		t.Errorf("I am %v", me)
	}
	production := w.make(http.MethodGet, "/api/v1/environments/production", "").text("id")
	if held := me.list("permissions"); len(held) != 1 || held[0].text("environment") != production {
		t.Errorf("I may %v", held)
	}
	if roles := me.list("role_bindings"); len(roles) != 1 || roles[0].text("role") != "product-manager" {
		t.Errorf("my roles are %v", roles)
	}
}

// Nothing is remembered from one request to the next.
func TestWhatIsTakenAwayIsGoneAtTheNextRequest(t *testing.T) {
	for name, take := range map[string]struct {
		path, method, body string
		status             int
	}{
		"a deleted binding":        {"/api/v1/role-bindings/ada-is-auditor", http.MethodDelete, "", http.StatusNotFound},
		"a disabled user":          {"/api/v1/users/ada", http.MethodPatch, `{"disabled":true}`, http.StatusUnauthorized},
		"a deleted token":          {"/api/v1/access-tokens/of-ada", http.MethodDelete, "", http.StatusUnauthorized},
		"another environment":      {"/api/v1/role-bindings/ada-is-auditor", http.MethodPatch, `{"environment":"staging"}`, http.StatusNotFound},
		"a role that allows less":  {"/api/v1/role-bindings/ada-is-auditor", http.MethodPatch, `{"role":"less"}`, http.StatusForbidden},
		"a role bound to one team": {"/api/v1/role-bindings/ada-is-auditor", http.MethodPatch, `{"team":"web"}`, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
			w.make(http.MethodPost, "/api/v1/roles", `{"name":"less","permissions":["usage.read"]}`)
			w.make(http.MethodPost, at("teams"), `{"name":"web"}`)
			ada := w.person("ada", "auditor", place{environment: "production"})
			w.do(http.MethodGet, at("revisions"), "", ada).want(t, http.StatusOK)
			w.do(take.method, take.path, take.body).want(t, http.StatusOK, http.StatusNoContent)
			w.do(http.MethodGet, at("revisions"), "", ada).want(t, take.status)
		})
	}
}

func TestARoleThatIsChangedAllowsLessAtTheNextRequest(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/roles", `{"name":"reader","permissions":["configuration.read","nodes.read"]}`)
	ada := w.person("ada", "reader", place{environment: "production"})
	w.do(http.MethodGet, at("nodes"), "", ada).want(t, http.StatusOK)
	w.make(http.MethodPatch, "/api/v1/roles/reader", `{"permissions":["configuration.read"]}`)
	w.do(http.MethodGet, at("nodes"), "", ada).want(t, http.StatusForbidden)
	w.do(http.MethodDelete, "/api/v1/roles/reader", "").want(t, http.StatusConflict).wantProblem(t, problem.Referenced)
	w.do(http.MethodDelete, "/api/v1/users/ada", "").want(t, http.StatusConflict).wantProblem(t, problem.Referenced)
}

func TestAScopedTokenMayLessThanItsUser(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
	owner := w.person("ada", "owner", place{})
	scoped := as(w.make(http.MethodPost, "/api/v1/access-tokens",
		`{"name":"scoped","user":"ada","scope":{"environment":"production","permissions":["configuration.read","access-tokens.write","usage.read"]}}`, owner).text("token"))
	w.do(http.MethodGet, at("routes"), "", scoped).want(t, http.StatusOK)
	w.do(http.MethodPost, at("services"), ordersService, scoped).want(t, http.StatusForbidden)
	w.do(http.MethodGet, "/api/v1/environments/staging/routes", "", scoped).want(t, http.StatusNotFound)
	w.do(http.MethodGet, "/api/v1/users", "", scoped).want(t, http.StatusForbidden)
	for _, wider := range []string{
		`{"name":"x","user":"ada"}`, `{"name":"x","user":"ada","scope":{"environment":"production"}}`, `{"name":"x","user":"ada","scope":{"permissions":["usage.read"]}}`,
		`{"name":"x","user":"ada","scope":{"environment":"production","permissions":["usage.read","nodes.read"]}}`,
	} {
		w.do(http.MethodPost, "/api/v1/access-tokens", wider, scoped).want(t, http.StatusForbidden)
	}
	w.do(http.MethodPost, "/api/v1/access-tokens", `{"name":"x","user":"ada","scope":{"environment":"staging"}}`, scoped).want(t, http.StatusBadRequest)
	w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"narrower","user":"ada","scope":{"environment":"production","permissions":["usage.read"]}}`, scoped)
}

func TestAccessObjectsTakeNoFieldsThatAreTheServers(t *testing.T) {
	w := newWorld(t)
	for path, bodies := range map[string][]string{
		"/api/v1/users": {`{"name":"x","id":"usr_x"}`, `{"name":"x","created_at":"2020-01-01T00:00:00Z"}`, `{"name":"x","role":"owner"}`, `{"name":"x","email":"no address"}`, `{"name":"X"}`, `[]`, `null`, `{"name":{"$ne":""}}`},
		"/api/v1/roles": {`{"name":"x","built_in":true}`, `{"name":"x","permissions":["everything"]}`, `{"name":"x","permissions":["usage.read","usage.read"]}`, `{"name":"x","permissions":["public"]}`},
		at("teams"):     {`{"name":"x","id":"team_01k00000000000000000000001"}`, `{"name":"x","environment":"staging"}`, `{}`},
		"/api/v1/role-bindings": {
			`{"role":"owner"}`, `{"user":"nobody","role":"viewer"}`, `{"access_token":"bootstrap","role":"nothing"}`, `{"access_token":"bootstrap","role":"viewer","team":"web"}`,
			`{"access_token":"bootstrap","role":"viewer","environment":"nowhere"}`, `{"access_token":"bootstrap","user":"ada","role":"viewer"}`, `{"access_token":"bootstrap","role":"viewer","permissions":["usage.read"]}`,
		},
		"/api/v1/access-tokens": {
			`{"name":"x","user":"nobody"}`, `{"name":"x","scope":{"environment":"nowhere"}}`, `{"name":"x","scope":{"permissions":["x.read"]}}`, `{"name":"x","grants":[]}`, `{"name":"x","digest":"AA=="}`,
		},
	} {
		for _, body := range bodies {
			if got := w.do(http.MethodPost, path, body); got.status != http.StatusBadRequest {
				t.Errorf("%s takes %s: %d %s", path, body, got.status, got.body)
			}
		}
	}
}

func TestAccessObjectsFollowTheConventionsOfTheAPI(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/users", `{"name":"ada","labels":{"floor":"3"}}`)
	for path, tt := range map[string]struct{ body, patch string }{
		"/api/v1/users":         {`{"name":"new","email":"new@example.com"}`, `{"email":null}`},
		"/api/v1/roles":         {`{"name":"new","permissions":["usage.read"]}`, `{"permissions":[]}`},
		at("teams"):             {`{"name":"new"}`, `{"labels":{"a":"b"}}`},
		"/api/v1/role-bindings": {`{"name":"new","user":"ada","role":"viewer"}`, `{"role":"auditor"}`},
	} {
		t.Run(path, func(t *testing.T) {
			w := w.in(t)
			made := w.do(http.MethodPost, path, tt.body).want(t, http.StatusCreated)
			id := made.object(t).text("id")
			if made.header.Get("Location") != path+"/"+id {
				t.Errorf("it is at %q", made.header.Get("Location"))
			}
			w.do(http.MethodPost, path, tt.body).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
			tag := header("If-Match", w.do(http.MethodGet, path+"/"+id, "").want(t, http.StatusOK).header.Get("ETag"))
			w.do(http.MethodPatch, path+"/new", tt.patch, tag).want(t, http.StatusOK)
			w.do(http.MethodPatch, path+"/new", tt.patch, tag).want(t, http.StatusPreconditionFailed)
			w.do(http.MethodDelete, path+"/new", "", tag).want(t, http.StatusPreconditionFailed)
			if back := w.do(http.MethodGet, path+"/new", ""); w.do(http.MethodPut, path+"/"+id, string(back.body)).status != http.StatusOK {
				t.Errorf("what was read can't be put back: %s", back.body)
			}
			w.do(http.MethodPut, path+"/new", tt.body).want(t, http.StatusOK)
			if names := w.do(http.MethodGet, path+"?filter[name]=new", "").want(t, http.StatusOK).names(t); strings.Join(names, " ") != "new" {
				t.Errorf("listed: %v", names)
			}
			w.do(http.MethodGet, path+"?filter[nothing]=new", "").want(t, http.StatusBadRequest)
			w.do(http.MethodDelete, path+"/"+id, "").want(t, http.StatusNoContent)
			w.do(http.MethodGet, path+"/new", "").want(t, http.StatusNotFound)
			w.do(http.MethodPut, path+"/"+id, tt.body).want(t, http.StatusNotFound)
			again := w.do(http.MethodPut, path+"/new", tt.body).want(t, http.StatusCreated)
			if again.header.Get("Location") != path+"/"+again.object(t).text("id") {
				t.Errorf("it is at %q", again.header.Get("Location"))
			}
		})
	}
	if names := w.do(http.MethodGet, "/api/v1/roles?limit=3", "").names(t); strings.Join(names, " ") != "admin auditor developer" {
		t.Errorf("roles: %v", names)
	}
	if names := w.do(http.MethodGet, "/api/v1/users?labels=floor=3", "").names(t); strings.Join(names, " ") != "ada" {
		t.Errorf("users: %v", names)
	}
}
