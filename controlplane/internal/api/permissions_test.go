package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

// place is where a role is bound: everywhere, in an environment, to a team of it.
type place struct{ environment, team string }

// grantee returns the text of a new service token that holds these permissions at a place, and none besides.
func (w *world) grantee(name string, at place, permissions ...access.Permission) string {
	w.t.Helper()
	role := w.make(http.MethodPost, "/api/v1/roles", jsonOf(w.t, map[string]any{"name": name, "permissions": permissions})).text("id")
	return w.bound(name, at, role)
}

// bound returns the text of a new service token that has a role at a place.
func (w *world) bound(name string, at place, role string) string {
	w.t.Helper()
	token := w.make(http.MethodPost, "/api/v1/access-tokens", jsonOf(w.t, map[string]any{"name": name}))
	w.bind(token.text("id"), at, role)
	return token.text("token")
}

func (w *world) bind(token string, at place, role string) {
	w.t.Helper()
	binding := map[string]any{"access_token": token, "role": role}
	if at.environment != "" {
		binding["environment"] = at.environment
	}
	if at.team != "" {
		binding["team"] = at.team
	}
	w.make(http.MethodPost, "/api/v1/role-bindings", jsonOf(w.t, binding))
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// callers are tokens by what they hold; each is made when it is first asked for.
type callers struct {
	w    *world
	made map[string]string
}

func (c *callers) get(key string, begin func(name string) string) string {
	text, ok := c.made[key]
	if !ok {
		text = begin(fmt.Sprintf("c%d", len(c.made)))
		c.made[key] = text
	}
	return text
}

func (c *callers) only(p access.Permission, at place) string {
	return c.get(fmt.Sprint("only ", p, at), func(name string) string { return c.w.grantee(name, at, p) })
}

func (c *callers) allBut(p access.Permission) string {
	return c.get(fmt.Sprint("all but ", p), func(name string) string {
		var rest []access.Permission
		for _, other := range access.Permissions() {
			if other != p {
				rest = append(rest, other)
			}
		}
		return c.w.grantee(name, place{}, rest...)
	})
}

func (c *callers) ofAnotherEnvironment() string {
	return c.get("another environment", func(name string) string { return c.w.bound(name, place{environment: "staging"}, "owner") })
}

// TestEachPermissionIsEnforced is over every operation of the document: a new one is in it, or the document says that its
// permission isn't known.
func TestEachPermissionIsEnforced(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
	w.make(http.MethodPost, at("teams"), `{"name":"web"}`)
	all := &callers{w: w, made: map[string]string{}}
	n := 0
	theContract(t).operations(func(method, path string, operation *openapi3.Operation) {
		text, _ := operation.Extensions["x-permission"].(string)
		p := access.Permission(text)
		if p == access.Public {
			return
		}
		n++
		remote := fmt.Sprintf("[2001:db8:0:%x::1]:1", n)
		t.Run(operation.OperationID, func(t *testing.T) {
			ask := func(token string) answer { return w.in(t).from(remote).do(method, filled(path), "", as(token)) }
			anonymous := ask("").want(t, http.StatusUnauthorized)
			anonymous.wantProblem(t, problem.Unauthenticated)
			if !strings.HasPrefix(anonymous.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate is %q", anonymous.header.Get("WWW-Authenticate"))
			}
			if operation.Extensions["x-session"] == true {
				ask(w.token).want(t, http.StatusForbidden).wantProblem(t, problem.SessionRequired)
				return
			}
			if p == access.SignedIn {
				ask(all.ofAnotherEnvironment()).want(t, http.StatusOK)
				return
			}
			denied := ask(all.allBut(p)).want(t, http.StatusForbidden)
			denied.wantProblem(t, problem.Forbidden)
			if !strings.Contains(denied.problem(t).Detail, text) {
				t.Errorf("%q doesn't name the permission %s", denied.problem(t).Detail, p)
			}
			checkReach(t, all, ask, p, path, operation)
		})
	})
	if n < 90 {
		t.Errorf("only %d operations were tried", n)
	}
}

// checkReach tries whoever holds the permission of an operation at different places.
func checkReach(t *testing.T, all *callers, ask func(token string) answer, p access.Permission, path string, operation *openapi3.Operation) {
	t.Helper()
	binding, _ := operation.Extensions["x-binding"].(string)
	if !strings.Contains(path, "{environment}") {
		admitted(t, ask(all.only(p, place{})))
		elsewhere := ask(all.only(p, place{environment: "staging"}))
		if binding == "any" {
			admitted(t, elsewhere)
		} else {
			elsewhere.want(t, http.StatusForbidden).wantProblem(t, problem.Forbidden)
		}
		return
	}
	admitted(t, ask(all.only(p, place{})))
	admitted(t, ask(all.only(p, place{environment: "production"})))
	hidden := ask(all.ofAnotherEnvironment()).want(t, http.StatusNotFound)
	if want := `there is no environment "production"`; hidden.problem(t).Detail != want {
		t.Errorf("the environment shows: %q", hidden.problem(t).Detail)
	}
	ofTeam := ask(all.only(p, place{"production", "web"}))
	if binding == "team" {
		admitted(t, ofTeam)
	} else {
		ofTeam.want(t, http.StatusForbidden).wantProblem(t, problem.Forbidden)
	}
}

// admitted fails unless a request got past admission, whatever became of it then.
func admitted(t *testing.T, a answer) {
	t.Helper()
	hidden := a.status == http.StatusNotFound && strings.Contains(string(a.body), "there is no environment")
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status >= http.StatusInternalServerError && a.status != http.StatusGatewayTimeout || hidden {
		t.Errorf("not let in: %d %s", a.status, a.body)
	}
}

func TestAnEnvironmentThatOneMayDoNothingInLooksLikeNone(t *testing.T) {
	w := newWorld(t)
	production := w.do(http.MethodGet, "/api/v1/environments/production", "").object(t).text("id")
	w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
	stranger := as(w.bound("stranger", place{environment: "staging"}, "owner"))
	there := w.do(http.MethodGet, "/api/v1/environments/production", "", stranger).want(t, http.StatusNotFound).problem(t)
	none := w.do(http.MethodGet, "/api/v1/environments/nowhere", "", stranger).want(t, http.StatusNotFound).problem(t)
	if strings.Replace(there.Detail, "production", "nowhere", 1) != none.Detail || there.Code != none.Code {
		t.Errorf("%+v tells more than %+v", there, none)
	}
	w.do(http.MethodGet, "/api/v1/environments/"+production+"/routes", "", stranger).want(t, http.StatusNotFound)
	if names := strings.Join(w.do(http.MethodGet, "/api/v1/environments", "", stranger).want(t, http.StatusOK).names(t), " "); names != "staging" {
		t.Errorf("listed: %s", names)
	}
	if names := strings.Join(w.do(http.MethodGet, "/api/v1/environments", "").names(t), " "); names != "production staging" {
		t.Errorf("the owner sees %s", names)
	}
	bare := as(w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"bare"}`).text("token"))
	w.do(http.MethodGet, "/api/v1/environments", "", bare).want(t, http.StatusForbidden)
	w.do(http.MethodGet, "/api/v1/environments/production", "", bare).want(t, http.StatusNotFound)
}

// Each step of a batch needs what the same write by itself needs.
func TestABatchNeedsThePermissionOfEachOfItsSteps(t *testing.T) {
	w := newWorld(t)
	bodies := map[access.Permission]string{
		"configuration.write": `{"action":"create","collection":"services","body":` + ordersService + `}`,
		"consumers.write":     `{"action":"create","collection":"consumers","body":` + shopConsumer + `}`,
		"credentials.write":   `{"action":"create","collection":"api-keys","body":{"consumer":"nobody"}}`,
		"secrets.write":       `{"action":"create","collection":"secrets","body":{"name":"s","value":"v"}}`,
		"blocks.write":        `{"action":"create","collection":"blocks","body":{"address_range":"192.0.2.0/24"}}`,
	}
	for p, step := range bodies {
		var rest []access.Permission
		for _, other := range access.Permissions() {
			if other != p {
				rest = append(rest, other)
			}
		}
		name := strings.ReplaceAll(string(p), ".", "-")
		without := as(w.grantee("without-"+name, place{environment: "production"}, rest...))
		with := as(w.grantee("with-"+name, place{environment: "production"}, p, "changes.write"))
		for _, dry := range []string{"", "?dry_run=true"} {
			body := `{"operations":[` + step + `]}`
			w.do(http.MethodPost, at("changes")+dry, body, without).want(t, http.StatusForbidden).wantProblem(t, problem.Forbidden, "/operations/0")
			if got := w.do(http.MethodPost, at("changes")+"?dry_run=true", body, with); got.status == http.StatusForbidden {
				t.Errorf("%s isn't enough: %s", p, got.body)
			}
		}
	}
}
