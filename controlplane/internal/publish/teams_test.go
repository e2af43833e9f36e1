package publish_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// team makes a team.
func (r *replica) team(name string) string {
	r.t.Helper()
	made, err := r.books().Teams.Create(access.WithActor(r.t.Context(), access.System()), r.env, fmt.Appendf(nil, `{"name":%q}`, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return made.(*adminv1.Team).GetId()
}

func (r *replica) books() *access.Books { return access.NewBooks(r.db, r.db.Shelf()) }

// as applies operations as somebody who may write all that a team of the environment has.
func (r *replica) as(team string, ops ...publish.Operation) error {
	actor := access.Actor{ID: "usr_a", Name: "Alice", Grants: access.Grants{{Environment: r.env, Team: team, Permissions: access.Everything()}}}
	_, err := r.publisher.Apply(context.WithoutCancel(r.t.Context()), publish.Batch{Environment: r.env, Author: actor, Operations: ops})
	return err
}

func TestWhoHoldsNothingWritesNothing(t *testing.T) {
	r := start(t)
	r.must(create("services", service("a")))
	elsewhere := access.Grants{{Environment: "env_other", Permissions: access.Everything()}}
	for name, grants := range map[string]access.Grants{"nobody": nil, "of another environment": elsewhere} {
		for _, dry := range []bool{true, false} {
			batch := publish.Batch{Environment: r.env, Author: access.Actor{ID: "system", Role: "owner", Grants: grants}, DryRun: dry, Operations: []publish.Operation{remove("services", "a")}}
			if _, err := r.publisher.Apply(t.Context(), batch); problem.CodeOf(err) != problem.Forbidden {
				t.Errorf("%s: %v", name, err)
			}
			batch.Operations = nil
			if _, err := r.publisher.Rollback(t.Context(), batch); problem.CodeOf(err) != problem.Forbidden {
				t.Errorf("%s rolls back: %v", name, err)
			}
		}
	}
	if err := r.as(r.team("a"), remove("services", "a")); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("the environment's own is a team's: %v", err)
	}
	forced := publish.Batch{
		Environment: r.env, Force: true, Operations: []publish.Operation{create("consumers", `{"name":"c"}`)},
		Author: access.Actor{Grants: access.Grants{{Environment: r.env, Team: r.team("b"), Permissions: access.Everything()}}},
	}
	if _, err := r.publisher.Apply(t.Context(), forced); problem.CodeOf(err) != problem.Forbidden {
		t.Errorf("a team forces: %v", err)
	}
	rollback := publish.Batch{Environment: r.env, Author: access.Actor{Grants: access.Grants{{Environment: r.env, Team: "team_a", Permissions: access.Everything()}}}}
	if _, err := r.publisher.Rollback(t.Context(), rollback); problem.CodeOf(err) != problem.Forbidden {
		t.Errorf("a team rolls back: %v", err)
	}
}

// The bounds hold against what is committed: somebody moves an object to another team while its old one changes it.
func TestAnObjectThatIsTakenAwayMeanwhileIsNotChanged(t *testing.T) {
	r := start(t)
	a, b := r.team("a"), r.team("b")
	const rounds = 30
	for i := range rounds {
		name := fmt.Sprintf("s%d", i)
		r.must(create("services", `{"name":"`+name+`","team":"a","upstream":{"targets":[{"address":"x:1"}]}}`), create("consumers", `{"name":"`+name+`","team":"a"}`))
		var all sync.WaitGroup
		all.Go(func() {
			r.must(patch("services", name, `{"team":"b","description":"theirs"}`), patch("consumers", name, `{"team":"b","description":"theirs"}`))
		})
		for _, collection := range []string{"services", "consumers"} {
			all.Go(func() {
				if err := r.as(a, patch(collection, name, `{"description":"ours"}`)); err != nil && problem.CodeOf(err) != problem.NotFound {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, collection := range []string{"services", "consumers"} {
			if err := r.as(b, patch(collection, name, `{"labels":{"x":"y"}}`)); err != nil {
				t.Errorf("its new team: %v", err)
			}
		}
		o, err := r.catalog.Get(t.Context(), r.env, "services", name)
		if err != nil || o.Message.GetDescription() != "theirs" {
			t.Fatalf("round %d: what was taken away was changed after it: %v, %v", i, o.Message, err)
		}
		row, err := r.directory.Get(t.Context(), r.env, "consumers", name)
		if err != nil || row.Message.GetDescription() != "theirs" {
			t.Fatalf("round %d: what was taken away was changed after it: %v, %v", i, row.Message, err)
		}
	}
}

// A team goes, or something comes to belong to it; never both.
func TestNothingComesToBelongToATeamThatGoes(t *testing.T) {
	r := start(t)
	system := access.WithActor(context.WithoutCancel(t.Context()), access.System())
	for i := range 20 {
		team := r.team(fmt.Sprintf("t%d", i))
		ops := map[string]publish.Operation{
			"services":  create("services", fmt.Sprintf(`{"name":"x%d","team":%q,"upstream":{"targets":[{"address":"x:1"}]}}`, i, team)),
			"consumers": create("consumers", fmt.Sprintf(`{"name":"x%d","team":%q}`, i, team)),
			"secrets":   create("secrets", fmt.Sprintf(`{"name":"x%d","value":"v","team":%q}`, i, team)),
		}
		var all sync.WaitGroup
		var gone error
		came := make(chan error, len(ops))
		all.Go(func() { gone = r.books().Teams.Delete(system, r.env, team, "") })
		for _, op := range ops {
			all.Go(func() {
				_, err := r.apply(op)
				came <- err
			})
		}
		all.Wait()
		close(came)
		for err := range came {
			if err != nil && problem.CodeOf(err) != problem.InvalidRequest {
				t.Errorf("round %d: %v", i, err)
			}
			if gone == nil && err == nil {
				t.Fatalf("round %d: the team is gone, and has something", i)
			}
		}
		if gone != nil && problem.CodeOf(gone) != problem.Referenced {
			t.Errorf("round %d: %v", i, gone)
		}
	}
}

// Who may write all of the configuration may not yet lift its guardrails, whatever they may do for a team.
func TestGuardrailsAreNotWrittenWithATeamsRights(t *testing.T) {
	r := start(t)
	r.must(create("guardrails", limited("refuse")))
	pm, _ := access.BuiltIn(access.RoleProductManager)
	lead := access.Actor{ID: "usr_l", Name: "Lead", Grants: access.Grants{
		{Environment: r.env, Permissions: pm}, {Environment: r.env, Team: r.team("a"), Permissions: access.Everything()},
	}}
	for _, op := range []publish.Operation{
		remove("guardrails", "limited"), patch("guardrails", "limited", `{"action":"warn"}`), create("guardrails", rail("mine", "routes", "true", "refuse")),
	} {
		for _, dry := range []bool{true, false} {
			_, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: lead, DryRun: dry, Operations: []publish.Operation{create("services", service("s")), op}})
			if problem.CodeOf(err) != problem.Forbidden {
				t.Errorf("%s of a guardrail: %v", op.Verb, err)
			}
		}
	}
}

// planAs plans operations as somebody who may write all that a team of the environment has.
func (r *replica) planAs(team string, ops ...publish.Operation) (publish.Result, error) {
	actor := access.Actor{ID: "usr_a", Name: "Alice", Grants: access.Grants{{Environment: r.env, Team: team, Permissions: access.Everything()}}}
	return r.publisher.Apply(r.t.Context(), publish.Batch{Environment: r.env, Author: actor, DryRun: true, Operations: ops})
}

// What a change means for callers is told to a team without what it may not know of.
func TestEffectsAndGuardrailsDoNotNameWhatIsAnotherTeams(t *testing.T) {
	r := start(t)
	a, b := r.team("a"), r.team("b")
	r.must(
		create("services", `{"name":"ours","team":"a","upstream":{"targets":[{"address":"x:1"}]}}`),
		create("services", `{"name":"hush-service","team":"b","upstream":{"targets":[{"address":"hush.internal:1"}]}}`),
		create("routes", `{"name":"hush-route","team":"b","service":"hush-service","public":true,"paths":[{"prefix":"/"}]}`),
		create("routes", `{"name":"hush-guest","team":"b","service":"ours","public":true,"paths":[{"prefix":"/guest"}]}`),
		create("policies", strings.Replace(limitPolicy("hush-limit", `{"environment":true}`), `"requests":10`, `"requests":7531`, 1)),
	)
	quiet := func(what string, told ...any) {
		t.Helper()
		for _, secret := range []string{"hush", "7531", b} {
			if text := fmt.Sprintf("%+v", told); strings.Contains(text, secret) {
				t.Errorf("%s tells of %q: %s", what, secret, text)
			}
		}
	}
	route := create("routes", `{"name":"mine","team":"a","service":"ours","public":true,"paths":[{"prefix":"/mine"}]}`)
	plan, err := r.planAs(a, route, create("policies", limitPolicy("mine-limit", `{"service":"ours"}`)))
	if err != nil {
		t.Fatal(err)
	}
	all := plan.Effects()
	quiet("a new route", all, plan.Warnings)
	if codes := fmt.Sprintf("%+v", all); !strings.Contains(codes, "requests_taken") || !strings.Contains(codes, "route_added") || !strings.Contains(codes, "isn't your team's") {
		t.Errorf("the effects are %+v", all)
	}
	plan, err = r.planAs(a, patch("services", "ours", `{"upstream":{"targets":[{"address":"y:1"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	quiet("a changed service", plan.Effects())

	if err := r.as(a, route, create("policies", `{"name":"swap","team":"a","kind":"rate-limit","attached_to":[{"route":"mine"}],"config":{"by":[{"address":true}],"windows":[{"requests":5,"window":"1s"}]}}`)); err != nil {
		t.Fatal(err)
	}
	plan, err = r.planAs(a, remove("policies", "swap"))
	if err != nil {
		t.Fatal(err)
	}
	quiet("a policy that gives way to the environment's", plan.Effects())

	for _, action := range []string{"warn", "refuse"} {
		r.must(publish.Operation{Verb: publish.Put, Collection: "guardrails", Key: "near", Body: []byte(rail("near", "routes", `!service.upstream.targets.exists(t, t.address.startsWith("far"))`, action))})
		plan, err = r.planAs(a, patch("services", "ours", `{"upstream":{"targets":[{"address":"far:1"}]}}`))
		if (err != nil) != (action == "refuse") {
			t.Fatalf("a guardrail that may %s: %v", action, err)
		}
		quiet("a guardrail that may "+action, plan.Warnings, err)
	}
}
