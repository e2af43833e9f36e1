package api_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// Bodies that most tests begin with.
const (
	ordersService = `{"name":"orders","upstream":{"targets":[{"address":"orders.internal:8080"}]}}`
	ordersRoute   = `{"name":"orders","service":"orders","paths":[{"prefix":"/orders"}],"public":true}`
	apiKeyPolicy  = `{"name":"keys","kind":"api-key","attached_to":[{"environment":true}],"config":{"locations":[{"header":"X-Api-Key"}]}}`
	shopConsumer  = `{"name":"shop","labels":{"team":"web"}}`
)

// at is the path of something in the environment "production".
func at(parts ...string) string {
	return "/api/v1/environments/production/" + strings.Join(parts, "/")
}

// option changes a request.
type option func(*http.Request)

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// as presents another token than the world's own; "" presents none.
func as(token string) option {
	return func(r *http.Request) {
		r.Header.Del("Authorization")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
}

// do sends a request with the owner's token, and the content type that its method asks for.
func (w *world) do(method, path, body string, options ...option) answer {
	w.t.Helper()
	return serve(w.t, w.server, w.request(method, path, body, options...))
}

func (w *world) request(method, path, body string, options ...option) *http.Request {
	request := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+w.token)
	if w.remote != "" {
		request.RemoteAddr = w.remote
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
		if method == http.MethodPatch {
			request.Header.Set("Content-Type", "application/merge-patch+json")
		}
	}
	for _, o := range options {
		o(request)
	}
	return request
}

// make sends a request that must succeed, and returns the object in its answer.
func (w *world) make(method, path, body string, options ...option) object {
	w.t.Helper()
	return w.do(method, path, body, options...).want(w.t, http.StatusOK, http.StatusCreated, http.StatusNoContent).object(w.t)
}

// want fails unless the status is one of these.
func (a answer) want(t *testing.T, statuses ...int) answer {
	t.Helper()
	for _, status := range statuses {
		if a.status == status {
			return a
		}
	}
	t.Fatalf("the status is %d, want %v: %s", a.status, statuses, a.body)
	return a
}

// object is a JSON object.
type object map[string]any

func (a answer) object(t *testing.T) object {
	t.Helper()
	if len(a.body) == 0 {
		return nil
	}
	var o object
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return o
}

func (o object) text(name string) string {
	text, _ := o[name].(string)
	return text
}

// list returns the objects in a member, or of a list's data.
func (o object) list(name string) []object {
	entries, _ := o[name].([]any)
	objects := make([]object, len(entries))
	for i, entry := range entries {
		objects[i] = entry.(map[string]any)
	}
	return objects
}

// names returns the names of a list's objects.
func (a answer) names(t *testing.T) []string {
	t.Helper()
	names := []string{}
	for _, o := range a.object(t).list("data") {
		names = append(names, o.text("name"))
	}
	return names
}

// problem returns the problem that the answer is.
func (a answer) problem(t *testing.T) problem.Problem {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return p
}

// wantProblem fails unless the answer is a problem of this code that points at these fields.
func (a answer) wantProblem(t *testing.T, code problem.Code, pointers ...string) {
	t.Helper()
	p := a.problem(t)
	if p.Code != code {
		t.Fatalf("the code is %q, want %q: %s", p.Code, code, a.body)
	}
	pointed := map[string]bool{}
	for _, v := range p.Errors {
		pointed[v.Pointer] = true
	}
	for _, pointer := range pointers {
		if !pointed[pointer] {
			t.Errorf("no error points at %q: %s", pointer, a.body)
		}
	}
}
