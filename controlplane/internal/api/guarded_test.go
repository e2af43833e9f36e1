package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	rawConfig = `{"seclang_before":"SecAction \"id:1,phase:1,pass,nolog\""}`
	rawPolicy = `{"name":"inspected","kind":"waf","attached_to":[{"environment":true}],"config":` + rawConfig + `}`
)

// wantRawRulesForbidden checks that the refusal names the field and the permission.
func (a answer) wantRawRulesForbidden(t *testing.T, pointer string) {
	t.Helper()
	a.want(t, http.StatusForbidden).wantProblem(t, problem.Forbidden, pointer)
	if detail := a.problem(t).Errors[0].Detail; !strings.Contains(detail, "waf.raw_rules") || !strings.Contains(detail, "/config/seclang_before") {
		t.Errorf("field and permission aren't named: %s", detail)
	}
}

func TestRawRulesTakeTheirPermissionByEveryWayIn(t *testing.T) {
	w := newWorld(t)
	manager := w.person("mia", string(access.RoleProductManager), place{environment: "production"})
	const field = "/config/seclang_before"
	w.do(http.MethodPost, at("policies"), rawPolicy, manager).wantRawRulesForbidden(t, field)
	w.do(http.MethodPut, at("policies", "inspected"), rawPolicy, manager).wantRawRulesForbidden(t, field)
	w.do(http.MethodPost, at("policies")+"?dry_run=true", rawPolicy, manager).wantRawRulesForbidden(t, field)
	batch := `{"operations":[{"action":"create","collection":"policies","body":` + rawPolicy + `}]}`
	w.do(http.MethodPost, at("changes"), batch, manager).wantRawRulesForbidden(t, "/operations/0/body"+field)
	proposal := `{"title":"rules","operations":[{"action":"create","collection":"policies","body":` + rawPolicy + `}]}`
	w.do(http.MethodPost, at("proposals"), proposal, manager).wantRawRulesForbidden(t, "/operations/0/body"+field)

	// Who holds it files a proposal; who publishes it must hold it as well.
	filed := w.make(http.MethodPost, at("proposals"), proposal)
	one := at("proposals", filed.text("id"))
	reviewer := as(w.reviewer())
	w.make(http.MethodPost, one+"/approve", `{"round":1}`, reviewer)
	w.do(http.MethodPost, one+"/publish", "", manager).wantRawRulesForbidden(t, "/operations/0/body"+field)
	w.do(http.MethodPost, one+"/publish", "", reviewer).want(t, http.StatusOK)

	w.make(http.MethodPatch, at("policies", "inspected"), `{"mode":"shadow","config":{"paranoia_level":2}}`, manager)
	w.do(http.MethodPatch, at("policies", "inspected"), `{"config":{"seclang_before":null}}`, manager).wantRawRulesForbidden(t, field)
	w.do(http.MethodDelete, at("policies", "inspected"), "", manager).wantRawRulesForbidden(t, "")
	w.do(http.MethodDelete, at("policies", "inspected"), "").want(t, http.StatusNoContent)
}
