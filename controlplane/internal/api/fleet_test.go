package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestEnvironmentsAreCreatedAndListed(t *testing.T) {
	w := newWorld(t)
	made := w.do(http.MethodPost, "/api/v1/environments", `{"name":"staging","description":"before production"}`).want(t, http.StatusCreated)
	o := made.object(t)
	if made.header.Get("Location") != "/api/v1/environments/"+o.text("id") || !strings.HasPrefix(o.text("id"), "env_") {
		t.Errorf("made %v at %q", o, made.header.Get("Location"))
	}
	for _, key := range []string{"staging", o.text("id")} {
		w.do(http.MethodGet, "/api/v1/environments/"+key, "").want(t, http.StatusOK)
	}
	if names := strings.Join(w.do(http.MethodGet, "/api/v1/environments", "").names(t), " "); names != "production staging" {
		t.Errorf("listed: %s", names)
	}
	w.do(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
	for body, pointer := range map[string]string{
		`{}`:                         "/name",
		`{"name":"Big Name"}`:        "/name",
		`{"name":"x","revision":7}`:  "/revision",
		`{"name":"x","id":"env_x"}`:  "/id",
		`{"name":"x","colour":"no"}`: "/colour",
	} {
		w.do(http.MethodPost, "/api/v1/environments", body).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
	w.do(http.MethodGet, "/api/v1/environments/nothing", "").want(t, http.StatusNotFound)
	w.do(http.MethodGet, "/api/v1/environments/env_01jc0000000000000000000000", "").want(t, http.StatusNotFound)
}

func TestAJoinTokenIsShownOnceAndDeleted(t *testing.T) {
	w := newWorld(t)
	made := w.do(http.MethodPost, at("join-tokens"), `{"name":"edges","expires_at":"2100-01-01T00:00:00Z","max_uses":2}`).want(t, http.StatusCreated)
	o := made.object(t)
	if o.text("token") == "" || made.header.Get("Location") != at("join-tokens", o.text("id")) {
		t.Errorf("made %v at %q", o, made.header.Get("Location"))
	}
	for _, path := range []string{at("join-tokens", "edges"), at("join-tokens", o.text("id")), at("join-tokens")} {
		if read := w.do(http.MethodGet, path, "").want(t, http.StatusOK); strings.Contains(string(read.body), o.text("token")) {
			t.Errorf("GET %s shows the token: %s", path, read.body)
		}
	}
	w.do(http.MethodPost, at("join-tokens"), `{"name":"edges","expires_at":"2100-01-01T00:00:00Z"}`).want(t, http.StatusConflict)
	w.do(http.MethodPost, at("join-tokens"), `{"name":"x"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/expires_at")
	w.do(http.MethodPost, at("join-tokens"), `{"expires_at":"2100-01-01T00:00:00Z","max_uses":0}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/max_uses")
	w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
	w.do(http.MethodDelete, "/api/v1/environments/staging/join-tokens/"+o.text("id"), "").want(t, http.StatusNotFound)
	w.do(http.MethodDelete, at("join-tokens", "edges"), "").want(t, http.StatusNoContent)
	w.do(http.MethodDelete, at("join-tokens", "edges"), "").want(t, http.StatusNotFound)
}

func TestNodesOfAnEnvironmentWithoutNodes(t *testing.T) {
	w := newWorld(t)
	if got := w.do(http.MethodGet, at("nodes"), "").want(t, http.StatusOK); string(got.body) != `{"data":[],"next_cursor":null}` {
		t.Errorf("no nodes are %s", got.body)
	}
	w.do(http.MethodGet, at("nodes", "node_01jc0000000000000000000000"), "").want(t, http.StatusNotFound)
	w.do(http.MethodGet, at("nodes", "edge-1"), "").want(t, http.StatusNotFound)
}

func TestWaitAnswersWithTheWritesOwnStatus(t *testing.T) {
	w := newWorld(t)
	got := w.do(http.MethodPost, at("services")+"?wait=10s", ordersService).want(t, http.StatusCreated)
	if got.header.Get("Sallyport-Applied") != "0/0" {
		t.Errorf("without nodes, Sallyport-Applied is %q", got.header.Get("Sallyport-Applied"))
	}
	for _, wait := range []string{"61s", "-1s", "soon", "", "10"} {
		w.do(http.MethodPatch, at("services", "orders")+"?wait="+wait, `{}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/wait")
	}
}

func TestUsage200And400(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	w.make(http.MethodPost, at("routes"), ordersRoute)
	w.do(http.MethodGet, at("usage")+"?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&group_by=route,consumer,status_class,verdict,time&bucket=1h"+
		"&filter[route]=orders,&filter[status_class]=2,4&filter[verdict]=allowed", "").want(t, http.StatusOK)
	for query, pointer := range map[string]string{
		"from=yesterday":           "/from",
		"to=2026-13-01T00:00:00Z":  "/to",
		"bucket=5m":                "/bucket",
		"group_by=colour":          "/group_by/0",
		"filter[status_class]=six": "/filter/status_class",
		"filter[route]=nothing":    "/filter/route/0",
		"filter[colour]=red":       "/filter/colour",
		"limit=5":                  "/limit",
	} {
		w.do(http.MethodGet, at("usage")+"?"+query, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
	}
	w.do(http.MethodGet, at("usage")+"?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "").want(t, http.StatusBadRequest)
}

func TestPolicyKindsServeTheirSchemas(t *testing.T) {
	w := newWorld(t)
	list := w.do(http.MethodGet, "/api/v1/policy-kinds", "").want(t, http.StatusOK)
	if names := strings.Join(list.names(t), " "); !strings.Contains(names, "api-key") || !strings.Contains(names, "rate-limit") {
		t.Errorf("the kinds are %s", names)
	}
	kind := w.make(http.MethodGet, "/api/v1/policy-kinds/rate-limit", "")
	schema, _ := kind["schema"].(map[string]any)
	if properties, _ := schema["properties"].(map[string]any); properties["windows"] == nil || kind["decides"] != true {
		t.Errorf("the kind reads %v", kind)
	}
	w.do(http.MethodGet, "/api/v1/policy-kinds/nothing", "").want(t, http.StatusNotFound)
}
