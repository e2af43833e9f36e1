package snapshot_test

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/id"
)

const tag = `{"request": {"set": [{"name": "X-Tag", "value": "overlay"}]}}`

// keyed returns an edge with two routes behind keys, and the request with a consumer's key.
func keyed(t *testing.T, more string) (*edgetest.Edge, func(consumer, target string) edgetest.Request) {
	t.Helper()
	e := edgetest.New(t, policies.All()...)
	e.Configure(t, `{"services": [`+orders+`], "routes": [
		{"name": "a", "service": "orders", "paths": [{"prefix": "/a"}]}, {"name": "b", "service": "orders", "paths": [{"prefix": "/b"}]}],
		"policies": [{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]}`+more+`]}`)
	keys := map[string]string{}
	return e, func(consumer, target string) edgetest.Request {
		if keys[consumer] == "" {
			keys[consumer] = e.Key(t, consumer, edgetest.Key{})
		}
		return edgetest.Get(target, "X-Api-Key: "+keys[consumer])
	}
}

func TestAPolicyOnAConsumerAppliesToItsRequestsAlone(t *testing.T) {
	e, as := keyed(t, `, {"name": "tag", "kind": "headers", "config": `+tag+`, "attached_to": [{"consumer": "alice"}]}`)
	for consumer, want := range map[string]string{"alice": "overlay", "bob": ""} {
		for _, target := range []string{"/a", "/b", "/a"} {
			if got := e.Do(as(consumer, target)).Request.Header.Get("X-Tag"); got != want {
				t.Errorf("%s at %s is tagged %q", consumer, target, got)
			}
		}
	}
	e.Configure(t, `{"policies": [{"name": "tag", "gone": true}]}`)
	if got := e.Do(as("alice", "/a")).Request.Header.Get("X-Tag"); got != "" {
		t.Errorf("tagged %q by a policy that is gone", got)
	}
	if e.Do(as("alice", "/a")).Overlays != nil {
		t.Error("overlays are left although nothing is attached to a consumer")
	}
}

func TestAPolicyOnAConsumerThatTheNodeDoesNotKnowIsHarmless(t *testing.T) {
	e, as := keyed(t, `, {"name": "tag", "kind": "headers", "config": `+tag+`, "attached_to": [{"consumer": "nobody"}]}`)
	if ex := e.Do(as("alice", "/a")); ex.Verdict != pipeline.Allowed || ex.Request.Header.Has("X-Tag") {
		t.Fatalf("%s %v", ex.Verdict, ex.Request.Header.Fields())
	}
}

func TestAFinalPolicyAboveKeepsAConsumersFromApplying(t *testing.T) {
	e, as := keyed(t, `,
		{"name": "tag", "kind": "headers", "config": `+tag+`, "attached_to": [{"consumer": "alice"}]},
		{"name": "own", "kind": "headers", "final": true, "config": {"request": {"set": [{"name": "X-Tag", "value": "route"}]}}, "attached_to": [{"route": "a"}]}`)
	if a, b := e.Do(as("alice", "/a")).Request.Header.Get("X-Tag"), e.Do(as("alice", "/b")).Request.Header.Get("X-Tag"); a != "route" || b != "overlay" {
		t.Fatalf("%q and %q", a, b)
	}
}

func TestEveryLimitOnTheWayCounts(t *testing.T) {
	limit := func(name, at string, requests string) string {
		return `, {"name": "` + name + `", "kind": "rate-limit", "attached_to": [` + at + `], "config": {"by": [{"consumer": true}], "windows": [{"requests": ` + requests + `, "window": "24h"}]}}`
	}
	e, as := keyed(t, limit("all", `{"environment": true}`, "5")+limit("alices", `{"consumer": "alice"}`, "2"))
	for consumer, want := range map[string]int{"alice": 2, "bob": 5} {
		passed := 0
		for range 8 {
			if e.Do(as(consumer, "/a")).Verdict == pipeline.Allowed {
				passed++
			}
		}
		if passed != want {
			t.Errorf("%d of %s pass, want %d", passed, consumer, want)
		}
	}
}

func TestWhatRunsBeforeTheConsumerIsKnownCanNotBeAttachedToIt(t *testing.T) {
	e, _ := keyed(t, "")
	for name, policy := range map[string]string{
		"authenticate":       `"kind": "api-key", "config": {}`,
		"guard, by its data": `"kind": "rate-limit", "config": {"by": [{"address": true}], "windows": [{"requests": 1, "window": "1s"}]}`,
	} {
		got := edgetest.Codes(e.Try(t, `{"policies": [{"name": "p", `+policy+`, "attached_to": [{"environment": true}, {"consumer": "alice"}]}]}`))
		if want := []string{"policies/attached_to/1/consumer invalid_value"}; !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestConsumersWithTheSamePoliciesShareAnOverlayThatOtherChangesLeaveAlone(t *testing.T) {
	e, as := keyed(t, `,
		{"name": "tag", "kind": "headers", "config": `+tag+`, "attached_to": [{"consumer": "alice"}, {"consumer": "bob"}]},
		{"name": "other", "kind": "headers", "config": {}, "attached_to": [{"consumer": "carol"}]}`)
	overlay := func(name string) *pipeline.Overlay {
		consumer, err := id.Parse(id.Consumer, e.ID("consumers", name))
		if err != nil {
			t.Fatal(err)
		}
		return e.Do(as("alice", "/a")).Overlays.Of(consumer)
	}
	alice, carol := overlay("alice"), overlay("carol")
	if alice == nil || alice != overlay("bob") || alice == carol {
		t.Fatal("the same policies make several overlays, or different ones one")
	}
	e.Configure(t, `{"policies": [{"name": "other", "kind": "headers", "config": `+tag+`, "attached_to": [{"consumer": "carol"}]}]}`)
	if overlay("alice") != alice || overlay("carol") == carol {
		t.Error("a change of one overlay changed another, or nothing")
	}
	before := e.Holder.Load()
	e.Configure(t, `{"policies": [{"name": "on-route", "kind": "headers", "config": `+tag+`, "attached_to": [{"route": "a"}]}]}`)
	if overlay("alice") == alice || overlay("alice") != overlay("bob") {
		t.Error("an overlay keeps what it made of a route that has other policies now")
	}
	if _, errs := snapshot.Update(e.Env, 99, nil, before); len(errs) > 0 {
		t.Fatal(errs)
	}
}

func TestNothingIsAllocatedForAnOverlaysRequests(t *testing.T) {
	e, as := keyed(t, `, {"name": "acl", "kind": "acl", "config": {"allow": [{"every_consumer": true}]}, "attached_to": [{"consumer": "alice"}]}`)
	ex := e.Exchange(as("alice", "/a"))
	in := ex.Request
	fields := slices.Clone(in.Header.Fields())
	if n := testing.AllocsPerRun(200, func() {
		ex.Reset()
		ex.Request.Path, ex.Request.Method, ex.Request.Authority = in.Path, in.Method, in.Authority
		for _, f := range fields {
			ex.Request.Header.Add(f.Name, f.Value)
		}
		route, err := e.Holder.Load().Route(ex)
		if err != nil || route.Stages.Run(ex) != nil {
			t.Fatal(err, ex.Rejection)
		}
		if route.Stages.For(ex) == route.Stages {
			t.Fatal("no overlay")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
