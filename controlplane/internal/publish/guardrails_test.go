package publish_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// limited is the guardrail that every route without authentication has a limit.
func limited(action string) string {
	return rail("limited", "routes", `!public || effective.exists(p, p.kind == "rate-limit" && p.mode == "enforce")`, action)
}

func rail(name, collection, rule, action string) string {
	return fmt.Sprintf(`{"name":%q,"applies_to":%q,"rule":%q,"message":"{name} breaks %s","action":%q}`, name, collection, rule, name, action)
}

func limitPolicy(name, attached string) string {
	return fmt.Sprintf(`{"name":%q,"kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":10,"window":"1s"}]},"attached_to":[%s]}`, name, attached)
}

// violated checks that a change is refused by guardrails, at these pointers.
func (r *replica) violated(what string, p *problem.Error, pointers ...string) {
	r.t.Helper()
	equal(r.t, what, p.Code, problem.GuardrailViolated)
	for i, pointer := range pointers {
		pointers[i] = pointer + " guardrail_violated"
	}
	same(r.t, what, found(p), pointers)
}

func TestAChangeThatBreaksAGuardrailIsRefusedWithItsMessage(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r", "a", "/a")), create("policies", limitPolicy("p", `{"environment":true}`)), create("guardrails", limited("refuse")))
	r.must(create("routes", route("s", "a", "/s")))

	p := r.refused(remove("policies", "p"))
	r.violated("its policy goes", p, "", "")
	if detail := p.Errors[0].Detail; !strings.Contains(detail, `guardrail "limited", of the route`) || !strings.Contains(detail, "breaks limited") {
		t.Errorf("the author is told %q", detail)
	}
	r.violated("its policy is put in shadow", r.refused(patch("policies", "p", `{"mode":"shadow"}`)), "", "")
	r.violated("its policy is taken off", r.refused(patch("policies", "p", `{"attached_to":[{"route":"s"}]}`)), "")
	r.violated("beside another step", r.refused(create("services", service("b")), patch("policies", "p", `{"mode":"off"}`)), "/operations/1/body", "/operations/1/body")
	r.violated("its step is a delete", r.refused(create("services", service("b")), remove("policies", "p")), "/operations/1", "/operations/1")
	_, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{remove("policies", "p")}, DryRun: true})
	r.violated("in a dry run", asProblem(t, err), "", "")
	_, err = r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{remove("policies", "p")}, Force: true})
	r.violated("by force", asProblem(t, err), "", "")

	r.must(remove("policies", "p"), create("policies", limitPolicy("q", `{"service":"a"}`)))
	r.must(remove("guardrails", "limited"), remove("policies", "q"))
	r.consistent()
}

func TestAGuardrailThatWarnsLetsPassAndTells(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("guardrails", limited("warn")))
	result := r.must(create("services", service("a")), create("routes", route("r", "a", "/a")))
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "r breaks limited") {
		t.Errorf("warned of %q", result.Warnings)
	}
}

func TestAGuardrailThatIsBrokenAlreadyNeedsForce(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r", "a", "/a")), create("routes", route("s", "a", "/s")))
	r.violated("a new guardrail", r.refused(create("guardrails", limited("refuse"))), "/rule", "/rule")
	forced, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{create("guardrails", limited("refuse"))}, Force: true})
	if err != nil || len(forced.Warnings) != 2 {
		t.Fatalf("%v, warned of %q", err, forced.Warnings)
	}
	r.must(create("consumers", `{"name":"app"}`), create("services", service("b")))
	r.violated("a route that broke it before", r.refused(patch("routes", "r", `{"labels":{"a":"b"}}`)), "")
	// What the batch touches isn't what was there before.
	both := []publish.Operation{patch("guardrails", "limited", `{"rule":"public && false"}`), patch("routes", "r", `{"labels":{"a":"b"}}`)}
	_, err = r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: both, Force: true})
	r.violated("what is touched beside it", asProblem(t, err), "/operations/1/body")
}

func TestARollbackObeysTheGuardrailsThatItLeadsTo(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("guardrails", rail("free", "routes", "true", "refuse")))
	r.must(create("routes", route("r", "a", "/a")))
	r.must(create("policies", limitPolicy("p", `{"environment":true}`)))
	r.must(patch("guardrails", "free", `{"rule":"!public || size(effective) > 0"}`))
	if _, err := r.rollback(2, true); err != nil { // without the policy, and with the guardrail as it was
		t.Errorf("to a state that obeys its own guardrails: %v", err)
	}
	r.must(create("services", service("b"))) // revision 5
	strict := []publish.Operation{create("guardrails", rail("strict", "routes", "!public || size(effective) > 0", "refuse")), remove("guardrails", "free")}
	if _, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: append(strict, remove("policies", "p")), Force: true}); err == nil {
		t.Fatal("a policy that was needed went")
	}
	r.must(remove("routes", "r"), remove("policies", "p")) // 6: the guardrail stays strict
	r.must(create("routes", protectedRoute("r2", "a", "/b")), create("policies", keyPolicy("keys", `{"environment":true}`)))
	forced := []publish.Operation{create("routes", route("bare", "a", "/bare")), remove("policies", "keys"), patch("routes", "r2", `{"public":true}`), patch("guardrails", "free", `{"action":"warn"}`)}
	r.must(forced...)                                               // 8: broken, and only warned of
	r.must(patch("routes", "bare", `{"methods":["GET"]}`))          // 9
	r.must(remove("routes", "bare"), remove("routes", "r2"))        // 10
	r.must(patch("guardrails", "free", `{"message":"{name}: no"}`)) // 11
	back, err := r.rollback(9, true)
	if err != nil || len(back.Warnings) == 0 {
		t.Errorf("to a state that its guardrail warned of: %v, warned of %q", err, back.Warnings)
	}
}

func TestARollbackToWhatAGuardrailForbadeIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("routes", route("r", "a", "/a")))
	strict := create("guardrails", rail("strict", "routes", "!public", "refuse"))
	if _, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{strict}, Force: true}); err != nil {
		t.Fatal(err)
	}
	r.must(remove("routes", "r"))
	_, err := r.rollback(2, false) // the guardrail was in force then, by force, over a route that broke it
	r.violated("a rollback", asProblem(t, err), "/routes/r")
	if result, err := r.rollback(1, false); err != nil || result.Revision != 4 { // before there was one
		t.Errorf("%+v, %v", result, err)
	}
}

// Each writer alone obeys: one takes the limit of the service away since the environment has one, the other the environment's
// since the service has one. The lock lets one see what the other did.
func TestTwoWritersCanNotBreakAGuardrailTogether(t *testing.T) {
	t.Parallel()
	r := start(t)
	other := r.another()
	for round := range 5 {
		of := func(name string) string { return fmt.Sprintf("%s%d", name, round) }
		ops := []publish.Operation{
			create("services", service(of("a"))), create("routes", route(of("r"), of("a"), "/"+of("a"))),
			create("policies", limitPolicy(of("p"), `{"route":"`+of("r")+`"}`)), create("policies", limitPolicy(of("q"), `{"service":"`+of("a")+`"}`)),
		}
		if round == 0 {
			ops = append(ops, create("guardrails", limited("refuse")))
		}
		r.must(ops...)
		var errs [2]error
		var both sync.WaitGroup
		for i, w := range []*replica{r, other} {
			both.Go(func() { _, errs[i] = w.apply(remove("policies", of([]string{"p", "q"}[i]))) })
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("round %d: %v, %v", round, errs[0], errs[1])
		}
		for _, err := range errs {
			if err != nil {
				r.violated("the one that came second", asProblem(t, err), "")
			}
		}
	}
	r.consistent()
}

func TestARuleThatIsNoneIsRefusedAtItsPlace(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, rule := range []string{`object.nmae`, `1 +`, `size(effective) > `, `object.name.matches(object.description)`} {
		p := r.refused(create("guardrails", rail("g", "routes", rule, "refuse")))
		equal(t, rule, p.Code, problem.InvalidRequest)
		same(t, rule, found(p), []string{"/rule invalid_value"})
	}
	p := r.refused(create("guardrails", rail("g", "consumers", "true", "refuse")))
	same(t, "of what can't be ruled over", found(p), []string{"/applies_to invalid_value"})
}

// What a guardrail can't be evaluated over is an answer, never a failure of the server.
func TestARuleThatCanNotBeEvaluatedRefusesByName(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")), create("guardrails", rail("g", "policies", `object.config.no_such_field == 1`, "refuse")))
	p := r.refused(create("policies", limitPolicy("p", "")))
	r.violated("an unknown field", p, "")
	if !strings.Contains(p.Errors[0].Detail, `"g"`) || !strings.Contains(p.Errors[0].Detail, "no such key") {
		t.Errorf("the author is told %q", p.Errors[0].Detail)
	}
	hosts := make([]string, 64)
	for i := range hosts {
		hosts[i] = fmt.Sprintf(`"h%d.test"`, i)
	}
	loops := `!object.hosts.exists(a, object.hosts.exists(b, object.hosts.exists(c, c == "")))`
	r.must(create("guardrails", rail("loops", "routes", loops, "refuse")))
	p = r.refused(create("routes", strings.Replace(route("r", "a", "/"), `{`, `{"hosts":[`+strings.Join(hosts, ",")+`],`, 1)))
	r.violated("too many steps", p, "")
	if !strings.Contains(p.Errors[0].Detail, "cost") {
		t.Errorf("the author is told %q", p.Errors[0].Detail)
	}
}
