package publish_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func (r *replica) rollback(to uint64, dry bool) (publish.Result, error) {
	return r.publisher.Rollback(context.WithoutCancel(r.t.Context()), publish.Batch{Environment: r.env, RollbackTo: to, Author: author, Message: "back", DryRun: dry})
}

func TestRollbackIsANewRevisionWithTheOldState(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r", "a", "/a")))
	first, err := r.db.Position(t.Context(), r.env)
	if err != nil {
		t.Fatal(err)
	}
	r.must(patch("routes", "r", `{"paths":[{"exact":"/b"}]}`), create("services", service("b")))
	r.must(remove("routes", "r"), remove("services", "a"))
	result, err := r.rollback(1, false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "revision", result.Revision, 4)
	after, err := r.db.Position(t.Context(), r.env)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "digest", after.Digest, first.Digest)
	revision, err := r.catalog.Revision(t.Context(), r.env, 4)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "rollback_to", revision.GetRollbackTo(), 1)
	again, err := r.rollback(1, false)
	if err != nil || again.Revision != 0 {
		t.Errorf("a rollback to what is: %+v, %v", again, err)
	}
	if empty, err := r.rollback(0, false); err != nil || empty.Revision != 5 || r.count("objects") != 0 {
		t.Errorf("a rollback to nothing: %+v, %v", empty, err)
	}
	if _, err := r.rollback(99, false); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("a rollback to what never was: %v", err)
	}
	r.consistent()
}

func TestRollbackDoesNotReviveARevokedKey(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", protectedRoute("r", "a", "/a")), create("policies", keyPolicy("keys", `{"environment":true}`)))
	key := shown(r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"k","consumer":"app"}`)), 1)
	r.must(remove("api-keys", "k"))
	r.must(remove("routes", "r"))
	before := r.node()
	if _, err := r.rollback(1, false); err != nil {
		t.Fatal(err)
	}
	if r.node().takes(key.GetKey()) != nil {
		t.Error("the key is back")
	}
	equal(t, "keys", len(r.node().keys), len(before.keys))
	if _, err := r.directory.Get(t.Context(), r.env, directory.APIKeys, key.GetId()); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("the key's row is back: %v", err)
	}
	r.consistent()
}

func TestRollbackThatWouldLeaveARouteBareIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("policies", keyPolicy("keys", ""))) // attached to nothing yet
	r.must(patch("policies", "keys", `{"attached_to":[{"environment":true}]}`))
	r.must(create("routes", protectedRoute("r", "a", "/a")))
	r.must(patch("routes", "r", `{"public":true}`))
	r.must(remove("policies", "keys"))
	_, err := r.rollback(3, false)
	if err != nil {
		t.Fatalf("with its policy back: %v", err)
	}
	// Roll the policy's attachment back while the route stays: by hand, as a rollback restores all.
	p := r.refused(patch("policies", "keys", `{"attached_to":[]}`))
	same(t, "violations", found(p), []string{" unprotected"})
	if !strings.Contains(p.Errors[0].Detail, `"r"`) {
		t.Errorf("the route isn't named: %s", p.Errors[0].Detail)
	}
}

func TestWhoeverAuthenticatesCannotBeTakenAwayFromABareRoute(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("policies", keyPolicy("keys", `{"service":"a"}`)),
		create("routes", protectedRoute("r1", "a", "/1")), create("routes", protectedRoute("r2", "a", "/2")), create("routes", route("open", "a", "/3")))
	for name, op := range map[string]publish.Operation{
		"delete":    remove("policies", "keys"),
		"shadow":    patch("policies", "keys", `{"mode":"shadow"}`),
		"off":       patch("policies", "keys", `{"mode":"off"}`),
		"detach":    patch("policies", "keys", `{"attached_to":[]}`),
		"elsewhere": patch("policies", "keys", `{"attached_to":[{"route":"r1"},{"route":"open"}]}`),
		"displaced": create("policies", `{"name":"weak","kind":"api-key","mode":"shadow","config":{},"attached_to":[{"route":"r1"}]}`),
	} {
		p := r.refused(op)
		equal(t, name, p.Code, problem.InvalidRequest)
		for _, v := range p.Errors {
			equal(t, name, v.Code, problem.ViolationUnprotected)
		}
	}
	r.must(patch("policies", "keys", `{"final":true}`))
	r.must(create("policies", `{"name":"weak","kind":"api-key","mode":"shadow","config":{},"attached_to":[{"route":"r1"}]}`))
	r.must(patch("routes", "r1", `{"public":true}`), patch("routes", "r2", `{"public":true}`), remove("policies", "keys"))
	r.consistent()
}

func TestDiffNamesObjectsAndFields(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r", "a", "/a")), create("policies", keyPolicy("p", "")))
	r.must(patch("routes", "r", `{"methods":["GET"],"labels":{"x":"1"}}`))
	r.must(patch("routes", "r", `{"methods":["GET","PUT"],"labels":null}`),
		patch("services", "a", `{"upstream":{"targets":[{"address":"127.0.0.1:8080","weight":5}]}}`),
		patch("policies", "p", `{"config":{"required_scopes":["a"]},"mode":"off"}`))
	r.must(remove("policies", "p"), create("services", service("b")))
	describe := func(from, to uint64) string {
		diff, err := r.catalog.Diff(t.Context(), r.env, from, to)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range diff.Changes() {
			lines = append(lines, fmt.Sprintf("%s %s %s %v", c.Action, c.Collection, c.Name, c.Fields))
		}
		return strings.Join(lines, "; ")
	}
	equal(t, "1→3", describe(1, 3), "update services a [/upstream/targets/0/weight]; update routes r [/methods]; update policies p [/mode /config/required_scopes]")
	equal(t, "3→1", describe(3, 1), describe(1, 3))
	equal(t, "2→3", describe(2, 3), "update services a [/upstream/targets/0/weight]; update routes r [/labels /methods/1]; update policies p [/mode /config/required_scopes]")
	equal(t, "3→4", describe(3, 4), "create services b []; delete policies p []")
	equal(t, "4→3", describe(4, 3), "delete services b []; create policies p []")
	equal(t, "0→0", describe(0, 0), "")
	if _, err := r.catalog.Diff(t.Context(), r.env, 1, 99); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("got %v", err)
	}
	diff, err := r.catalog.Diff(t.Context(), r.env, 0, 1)
	if changes := diff.Changes(); err != nil || len(changes) != 3 || changes[1].After.(*configv1.Route).GetName() != "r" {
		t.Errorf("%v, %v", changes, err)
	}
}

// Both ends of a diff are whole configurations, though only the newest is kept.
func TestADiffHasTheWholeConfigurationOfBothRevisions(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r", "a", "/a")))
	r.must(create("routes", route("s", "a", "/s")), patch("routes", "r", `{"name":"renamed"}`))
	r.must(create("routes", route("r", "a", "/again")), remove("routes", "s"))
	for from := range uint64(4) {
		for to := range uint64(4) {
			diff, err := r.catalog.Diff(t.Context(), r.env, from, to)
			if err != nil {
				t.Fatal(err)
			}
			for number, h := range map[uint64]*catalog.Head{from: diff.Before, to: diff.After} {
				want := catalog.Empty().Digest.String()
				if number > 0 {
					revision, err := r.catalog.Revision(t.Context(), r.env, number)
					if err != nil {
						t.Fatal(err)
					}
					want = revision.GetDigest()
				}
				if number > 0 || h.Used(catalog.Routes) > 0 {
					equal(t, fmt.Sprintf("digest of %d in %d→%d", number, from, to), h.Digest.String(), want)
				}
			}
		}
	}
}

func TestAResultSaysWhatItMeansForCallers(t *testing.T) {
	t.Parallel()
	r := start(t)
	codes := func(result publish.Result, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, e := range result.Effects() {
			list = append(list, e.Code)
		}
		return strings.Join(list, " ")
	}
	made := r.must(create("services", service("a")), create("routes", protectedRoute("r", "a", "/a")), create("policies", keyPolicy("p", `{"environment":true}`)))
	equal(t, "made", codes(made, nil), "route_added")
	public := []publish.Operation{patch("routes", "r", `{"public":true}`), remove("policies", "p")}
	dry, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: public, DryRun: true})
	equal(t, "planned", codes(dry, err), "policy_removed route_public")
	equal(t, "written", codes(r.must(public...), nil), "policy_removed route_public")
	back, err := r.rollback(1, true)
	equal(t, "rolled back", codes(back, err), "policy_applied route_protected")
	equal(t, "of the directory", codes(r.must(create("consumers", `{"name":"app"}`)), nil), "")
}
