package publish_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// wafPolicy is a policy with this configuration.
func wafPolicy(name, config string) string {
	return fmt.Sprintf(`{"name":%q,"kind":"waf","config":%s,"attached_to":[{"environment":true}]}`, name, config)
}

const rawRules = `{"seclang_before":"SecAction \"id:1,phase:1,pass,nolog\""}`

// manager is somebody who writes the configuration, and holds these permissions besides.
func (r *replica) manager(besides ...access.Permission) access.Actor {
	held, _ := access.BuiltIn(access.RoleProductManager)
	return access.Actor{ID: "tok_manager", Name: "Mia", Grants: access.Grants{{Environment: r.env, Permissions: held.Or(access.SetOf(besides...))}}}
}

func (r *replica) applyAs(actor access.Actor, ops ...publish.Operation) error {
	r.t.Helper()
	_, err := r.publisher.Apply(r.t.Context(), publish.Batch{Environment: r.env, Author: actor, Operations: ops})
	return err
}

// forbidden checks that somebody is refused for want of the permission, at these fields.
func (r *replica) forbidden(what string, err error, pointers ...string) {
	r.t.Helper()
	p := asProblem(r.t, err)
	equal(r.t, what, p.Code, problem.Forbidden)
	for i, pointer := range pointers {
		pointers[i] = pointer + " forbidden"
	}
	same(r.t, what, found(p), pointers)
	for _, v := range p.Errors {
		if !strings.Contains(v.Detail, string(access.WriteRawRules)) || !strings.Contains(v.Detail, "/config/seclang_") {
			r.t.Errorf("%s: field and permission aren't named: %s", what, v.Detail)
		}
	}
}

func TestRawRulesAreForThoseWhoHoldTheirPermission(t *testing.T) {
	t.Parallel()
	r := start(t)
	mia, zoe := r.manager(), r.manager(access.WriteRawRules)
	const before, after = "/config/seclang_before", "/config/seclang_after"

	r.forbidden("given", r.applyAs(mia, create("policies", wafPolicy("w", rawRules))), before)
	if err := r.applyAs(mia, create("policies", wafPolicy("w", `{}`))); err != nil {
		t.Fatalf("a policy without raw rules: %v", err)
	}
	r.forbidden("put", r.applyAs(mia, put("policies", "w", wafPolicy("w", rawRules))), before)
	r.forbidden("patched", r.applyAs(mia, patch("policies", "w", `{"config":{"seclang_after":"SecMarker A"}}`)), after)
	r.forbidden("in a batch", r.applyAs(mia, create("services", service("a")), create("policies", wafPolicy("v", rawRules))), "/operations/1/body"+before)

	if err := r.applyAs(zoe, put("policies", "w", wafPolicy("w", rawRules))); err != nil {
		t.Fatalf("by who holds it: %v", err)
	}
	r.forbidden("changed", r.applyAs(mia, patch("policies", "w", `{"config":{"seclang_before":"SecMarker A"}}`)), before)
	r.forbidden("taken away", r.applyAs(mia, patch("policies", "w", `{"config":{"seclang_before":null}}`)), before)
	r.forbidden("taken away by a put", r.applyAs(mia, put("policies", "w", wafPolicy("w", `{}`))), before)
	r.forbidden("taken away with the policy", r.applyAs(mia, remove("policies", "w")), "")
	r.forbidden("in two steps of one batch", r.applyAs(mia, remove("policies", "w"), create("policies", wafPolicy("w", `{}`))), "/operations/0")

	for what, op := range map[string]publish.Operation{
		"as it is":       put("policies", "w", wafPolicy("w", rawRules)),
		"what is beside": patch("policies", "w", `{"mode":"shadow","config":{"paranoia_level":2}}`),
	} {
		if err := r.applyAs(mia, op); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := r.applyAs(zoe, remove("policies", "w")); err != nil {
		t.Errorf("taken away by who holds it: %v", err)
	}
	r.consistent()
}

func TestWhoMayNotWriteRawRulesHasNoneTried(t *testing.T) {
	t.Parallel()
	r := start(t)
	err := r.applyAs(r.manager(), create("policies", wafPolicy("w", `{"paranoia_level":9,"seclang_before":"SecRuleEngine Off"}`)))
	r.forbidden("nothing else is said of it", err, "/config/seclang_before")
	_, err = r.publisher.Apply(t.Context(), publish.Batch{
		Environment: r.env, Author: r.manager(), DryRun: true, Operations: []publish.Operation{create("policies", wafPolicy("w", rawRules))},
	})
	r.forbidden("in a dry run", err, "/config/seclang_before")
	_, err = r.publisher.Apply(t.Context(), publish.Batch{
		Environment: r.env, Author: r.manager(), Force: true, Operations: []publish.Operation{create("policies", wafPolicy("w", rawRules))},
	})
	r.forbidden("by force", err, "/config/seclang_before")
}

func TestThePermissionForRawRulesCountsWhereItIsHeld(t *testing.T) {
	t.Parallel()
	r := start(t)
	elsewhere := r.manager()
	elsewhere.Grants = append(slices.Clone(elsewhere.Grants), access.Grant{Environment: "env_another", Permissions: access.Everything()})
	r.forbidden("in another environment", r.applyAs(elsewhere, create("policies", wafPolicy("w", rawRules))), "/config/seclang_before")
	team := r.manager()
	team.Grants = append(slices.Clone(team.Grants), access.Grant{Environment: r.env, Team: "tm_a", Permissions: access.Everything()})
	r.forbidden("for a team that doesn't have the policy", r.applyAs(team, create("policies", wafPolicy("w", rawRules))), "/config/seclang_before")
}

func TestARollbackBringsBackRawRulesThatSomebodyWroteWhoMight(t *testing.T) {
	t.Parallel()
	r := start(t)
	zoe := r.manager(access.WriteRawRules)
	if err := r.applyAs(zoe, create("policies", wafPolicy("w", rawRules))); err != nil {
		t.Fatal(err)
	}
	if err := r.applyAs(zoe, remove("policies", "w")); err != nil {
		t.Fatal(err)
	}
	operator := r.manager(access.Rollback)
	if _, err := r.publisher.Rollback(t.Context(), publish.Batch{Environment: r.env, Author: operator, RollbackTo: 1}); err != nil {
		t.Fatalf("back to what it was: %v", err)
	}
	r.forbidden("to take them away again", r.applyAs(operator, remove("policies", "w")), "")
}
