package publish_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
)

const manyRoutes = 10_000

// fill makes an environment with 10,000 protected routes on 100 services.
func (r *replica) fill() {
	r.t.Helper()
	ops := []publish.Operation{create("policies", keyPolicy("keys", `{"environment":true}`))}
	for i := range 100 {
		ops = append(ops, create("services", service(fmt.Sprintf("s%d", i))))
	}
	r.must(ops...)
	for from := 0; from < manyRoutes; from += 5000 {
		ops = ops[:0]
		for i := range 5000 {
			n := from + i
			ops = append(ops, create("routes", protectedRoute(fmt.Sprintf("r%d", n), fmt.Sprintf("s%d", n%100), fmt.Sprintf("/r%d", n))))
		}
		r.must(ops...)
	}
}

// BenchmarkOneRouteAtTenThousand is a change of one route, from the request's bytes to the commit.
func BenchmarkOneRouteAtTenThousand(b *testing.B) {
	r := start(b)
	r.fill()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		body := fmt.Sprintf(`{"description":"change %d"}`, i)
		_, err := r.publisher.Apply(context.Background(), publish.Batch{
			Environment: r.env, Author: author, Operations: []publish.Operation{patch("routes", fmt.Sprintf("r%d", i%manyRoutes), body)},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// rule makes an environment follow five guardrails, such as a bank has.
func (r *replica) rule() {
	r.t.Helper()
	for i, rule := range []string{
		`!public || effective.exists(p, p.kind == "rate-limit" && p.mode == "enforce")`,
		`object.hosts.all(h, !h.startsWith("*"))`,
		`object.name.matches("^[a-z][a-z0-9-]*$")`,
		`effective.all(p, p.kind != "api-key" || p.level == "environment")`,
		`service.upstream.timeouts.response_head <= duration("30s")`,
	} {
		r.must(create("guardrails", rail(fmt.Sprintf("g%d", i), "routes", rule, "refuse")))
	}
}

// BenchmarkOneRouteGuarded is BenchmarkOneRouteAtTenThousand with five guardrails, and what it means for callers said.
func BenchmarkOneRouteGuarded(b *testing.B) {
	r := start(b)
	r.fill()
	r.rule()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		body := fmt.Sprintf(`{"paths":[{"prefix":"/r%d/%d"}]}`, i%manyRoutes, i)
		if said := r.must(patch("routes", fmt.Sprintf("r%d", i%manyRoutes), body)).Effects(); len(said) == 0 {
			b.Fatal("nothing is said")
		}
	}
}

// BenchmarkEffectsOfOneRoute is what saying it costs when a route's description changes, and when its match does.
func BenchmarkEffectsOfOneRoute(b *testing.B) {
	r := start(b)
	r.fill()
	for name, body := range map[string]string{"description": `{"description":"x"}`, "match": `{"paths":[{"prefix":"/elsewhere"}]}`} {
		planned, err := r.publisher.Apply(b.Context(), publish.Batch{Environment: r.env, DryRun: true, Operations: []publish.Operation{patch("routes", "r7", body)}})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				planned.Effects()
			}
		})
	}
}

// BenchmarkPolicyOfAllGuarded changes a policy of every route, which five guardrails look at, and says what it means.
func BenchmarkPolicyOfAllGuarded(b *testing.B) {
	r := start(b)
	r.fill()
	r.rule()
	i := 0
	for b.Loop() {
		i++
		r.must(patch("policies", "keys", fmt.Sprintf(`{"config":{"required_scopes":["s%d"]}}`, i))).Effects()
	}
}

// BenchmarkGuardrailOverTenThousand writes a guardrail that every route is held against.
func BenchmarkGuardrailOverTenThousand(b *testing.B) {
	r := start(b)
	r.fill()
	i := 0
	for b.Loop() {
		i++
		r.must(put("guardrails", "g", rail("g", "routes", fmt.Sprintf(`!public || %d > 0`, i), "refuse")))
	}
}

// BenchmarkOneRoutePlanned is the same without the commit: what validation and planning cost.
func BenchmarkOneRoutePlanned(b *testing.B) {
	r := start(b)
	r.fill()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		_, err := r.publisher.Apply(context.Background(), publish.Batch{
			Environment: r.env, DryRun: true, Operations: []publish.Operation{patch("routes", fmt.Sprintf("r%d", i%manyRoutes), fmt.Sprintf(`{"description":"change %d"}`, i))},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPolicyOfAllTenThousand changes who authenticates on every route.
func BenchmarkPolicyOfAllTenThousand(b *testing.B) {
	r := start(b)
	r.fill()
	i := 0
	for b.Loop() {
		i++
		r.must(patch("policies", "keys", fmt.Sprintf(`{"final":%v}`, i%2 == 0)))
	}
}

// BenchmarkHeadLoaded is what a replica does once per environment when it starts.
func BenchmarkHeadLoaded(b *testing.B) {
	r := start(b)
	r.fill()
	for b.Loop() {
		if _, err := catalog.New(r.db, slog.New(slog.DiscardHandler)).Head(b.Context(), r.env); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatchOfAThousandRoutes makes 1,000 routes and takes them away again, beside 10,000.
func BenchmarkBatchOfAThousandRoutes(b *testing.B) {
	r := start(b)
	r.fill()
	made, gone := make([]publish.Operation, 1000), make([]publish.Operation, 1000)
	for i := range made {
		name := fmt.Sprintf("more%d", i)
		made[i], gone[i] = create("routes", protectedRoute(name, "s1", "/"+name)), remove("routes", name)
	}
	for b.Loop() {
		r.must(made...)
		r.must(gone...)
	}
}

// BenchmarkKeyRevoked is one revocation, to the commit, beside 10,000 routes and a few keys.
func BenchmarkKeyRevoked(b *testing.B) {
	r := start(b)
	r.must(create("consumers", `{"name":"app"}`))
	i := 0
	for b.Loop() {
		i++
		b.StopTimer()
		name := fmt.Sprintf("k%d", i)
		r.must(create("api-keys", fmt.Sprintf(`{"name":%q,"consumer":"app"}`, name)))
		b.StartTimer()
		r.must(remove("api-keys", name))
	}
}
