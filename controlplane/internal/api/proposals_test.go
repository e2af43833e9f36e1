package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

const ordersProposal = `{"title":"orders","message":"they need it","operations":[{"action":"create","collection":"services","body":` + ordersService + `}]}`

// reviewer returns the token of somebody else.
func (w *world) reviewer() string {
	w.t.Helper()
	return w.alteredToken("reviewer", "description = 'somebody else'")
}

func TestAProposalIsFiledReviewedAndPublished(t *testing.T) {
	w := newWorld(t)
	reviewer := w.reviewer()
	filed := w.do(http.MethodPost, at("proposals"), ordersProposal).want(t, http.StatusCreated)
	p := filed.object(t)
	one := at("proposals", p.text("id"))
	if filed.header.Get("Location") != one || p.text("state") != "open" {
		t.Fatalf("filed %s at %q", filed.body, filed.header.Get("Location"))
	}
	w.do(http.MethodPost, one+"/approve", `{"round":1}`).want(t, http.StatusForbidden).wantProblem(t, problem.ProposalOwn)
	w.do(http.MethodPost, one+"/approve", `{}`, as(reviewer)).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/round")
	w.do(http.MethodPost, one+"/publish", "", as(reviewer)).want(t, http.StatusConflict).wantProblem(t, problem.ProposalNotApproved)
	w.make(http.MethodPost, one+"/approve", `{"round":1,"comment":"fine"}`, as(reviewer))
	w.do(http.MethodPost, one+"/publish", "").want(t, http.StatusForbidden).wantProblem(t, problem.ProposalOwn)
	done := w.do(http.MethodPost, one+"/publish", "", as(reviewer)).want(t, http.StatusOK)
	if done.header.Get("Sallyport-Revision") != "1" || done.object(t).text("state") != "published" {
		t.Errorf("published: %s", done.body)
	}
	w.make(http.MethodGet, at("services", "orders"), "")
	listed := w.do(http.MethodGet, at("proposals")+"?filter[state]=published", "").want(t, http.StatusOK).object(t).list("data")
	if len(listed) != 1 || listed[0].text("id") != p.text("id") || listed[0]["plan"] != nil {
		t.Errorf("listed: %v", listed)
	}
	w.do(http.MethodGet, at("proposals")+"?filter[state]=odd", "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/filter/state")
	w.do(http.MethodGet, at("proposals", "prop_01k00000000000000000000001"), "").want(t, http.StatusNotFound)
}

func TestAStaleProposalSaysWhatMovedAndWhyItsPlanIsRefusedNow(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	p := w.make(http.MethodPost, at("proposals"), `{"title":"t","operations":[{"action":"patch","collection":"services","key":"orders","body":{"description":"x"}}]}`)
	one := at("proposals", p.text("id"))
	w.do(http.MethodDelete, at("services", "orders"), "").want(t, http.StatusNoContent)
	seen := w.make(http.MethodGet, one, "")
	now, _ := seen["now"].(map[string]any)
	refusal, _ := now["refusal"].(map[string]any)
	if seen.text("state") != "stale" || len(object(now).list("moved")) != 1 || refusal["code"] != "not_found" {
		t.Errorf("it reads %v", seen)
	}
	w.do(http.MethodPost, one+"/approve", `{"round":1}`, as(w.reviewer())).want(t, http.StatusConflict).wantProblem(t, problem.ProposalStale, "/services/orders")
	w.make(http.MethodPost, one+"/withdraw", "")
	w.do(http.MethodPost, one+"/refresh", "").want(t, http.StatusConflict).wantProblem(t, problem.Conflict)
}

func TestAnEnvironmentThatDemandsFourEyesRefusesEveryDirectWriteOfItsConfiguration(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	w.make(http.MethodPatch, at("settings"), `{"four_eyes":true}`)
	for _, write := range []struct{ method, path, body string }{
		{http.MethodPost, at("routes"), ordersRoute},
		{http.MethodPut, at("services", "orders"), ordersService},
		{http.MethodPatch, at("services", "orders"), `{"description":"x"}`},
		{http.MethodDelete, at("services", "orders"), ""},
		{http.MethodPatch, at("settings"), `{"four_eyes":false}`},
		{http.MethodPut, at("settings"), `{}`},
		{http.MethodPost, at("changes"), `{"operations":[{"action":"create","collection":"routes","body":` + ordersRoute + `}]}`},
		{http.MethodPost, at("revisions", "1", "rollback"), `{}`},
	} {
		w.do(write.method, write.path, write.body).want(t, http.StatusConflict).wantProblem(t, problem.ProposalRequired)
	}
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	w.make(http.MethodPost, at("api-keys"), `{"consumer":"shop"}`)
	forced := w.do(http.MethodPost, at("changes")+"?force=true", `{"operations":[{"action":"create","collection":"routes","body":`+ordersRoute+`}]}`).want(t, http.StatusOK)
	if !strings.Contains(string(forced.body), "without a proposal") {
		t.Errorf("the warning is missing: %s", forced.body)
	}
}

// A service token is no second pair of eyes for whoever made it, directly or by another one, nor are they for it.
func TestATokenOfTheAuthorsOwnMakingIsNotASecondPairOfEyes(t *testing.T) {
	w := newWorld(t)
	person := func(name string) option {
		user := w.make(http.MethodPost, "/api/v1/users", `{"name":"`+name+`"}`).text("id")
		w.make(http.MethodPost, "/api/v1/role-bindings", `{"user":"`+user+`","role":"owner"}`)
		return as(w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"of-`+name+`","user":"`+name+`"}`).text("token"))
	}
	ada, grace := person("ada"), person("grace")
	robot := func(name string, maker option) option {
		return as(w.make(http.MethodPost, "/api/v1/access-tokens", `{"name":"`+name+`","role":"owner"}`, maker).text("token"))
	}
	adas := robot("adas", ada)
	second := robot("second", adas)
	for name, try := range map[string]struct{ author, by option }{
		"a token of the author's": {ada, adas}, "one that this made": {ada, second}, "the author's, of whose token it is": {adas, ada},
		"a token that the token made": {adas, second}, "the author's other token": {second, adas},
	} {
		one := at("proposals", w.make(http.MethodPost, at("proposals"), ordersProposal, try.author).text("id"))
		w.do(http.MethodPost, one+"/approve", `{"round":1}`, try.by).want(t, http.StatusForbidden).wantProblem(t, problem.ProposalOwn)
		w.make(http.MethodPost, one+"/approve", `{"round":1}`, grace)
		if got := w.do(http.MethodPost, one+"/publish", "", try.by); got.status != http.StatusForbidden {
			t.Errorf("%s publishes: %d", name, got.status)
		}
		w.make(http.MethodPost, one+"/reject", `{"comment":"no"}`, grace)
	}
	one := at("proposals", w.make(http.MethodPost, at("proposals"), ordersProposal, adas).text("id"))
	graces := robot("graces", grace)
	w.make(http.MethodPost, one+"/approve", `{"round":1}`, graces)
	w.make(http.MethodPost, one+"/publish", "", graces)
}
