package ratelimit_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/ratelimit"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
)

const world = `
	"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
	"routes": [
		{"name": "a", "service": "orders", "paths": [{"prefix": "/a"}], "public": true},
		{"name": "b", "service": "orders", "paths": [{"prefix": "/b"}], "public": true}
	]`

func policy(name, mode, config string) string {
	return fmt.Sprintf(`{"name": %q, "kind": "rate-limit", "mode": %q, "config": %s, "attached_to": [{"environment": true}]}`, name, mode, config)
}

func edge(t testing.TB, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, apikey.Binding, ratelimit.Binding)
	e.Configure(t, `{`+world+`, "policies": [`+policy("limit", "enforce", config)+`]}`)
	return e
}

func from(address, target string, fields ...string) edgetest.Request {
	r := edgetest.Get(target, fields...)
	r.Address = address
	return r
}

// passes tells for each request whether it is let through.
func passes(e *edgetest.Edge, requests ...edgetest.Request) []bool {
	var all []bool
	for _, r := range requests {
		all = append(all, e.Do(r).Rejection == nil)
	}
	return all
}

func TestCallersAreToldApartByWhatIsConfigured(t *testing.T) {
	for name, test := range map[string]struct {
		by       string
		requests []edgetest.Request
		want     []bool // with one request an hour for each caller
	}{
		"address": {
			`{"address": true}`,
			[]edgetest.Request{from("192.0.2.1", "/a"), from("192.0.2.2", "/a"), from("192.0.2.1", "/b")},
			[]bool{true, true, false},
		},
		"IPv6 by /64": {
			`{"address": true}`,
			[]edgetest.Request{from("2001:db8::1", "/a"), from("2001:db8::ffff:1", "/a"), from("2001:db8:0:1::1", "/a")},
			[]bool{true, false, true},
		},
		"route": {
			`{"route": true}`,
			[]edgetest.Request{from("192.0.2.1", "/a"), from("192.0.2.2", "/a"), from("192.0.2.1", "/b")},
			[]bool{true, false, true},
		},
		"header": {
			`{"header": "X-Tenant"}`,
			[]edgetest.Request{edgetest.Get("/a", "x-tenant: 1"), edgetest.Get("/a", "X-TENANT: 2"), edgetest.Get("/b", "X-Tenant: 1")},
			[]bool{true, true, false},
		},
		"no header": {
			`{"header": "X-Tenant"}`,
			[]edgetest.Request{from("192.0.2.1", "/a"), from("192.0.2.2", "/a"), edgetest.Get("/a", "X-Tenant: ")},
			[]bool{true, false, true},
		},
		"several values": {
			`{"header": "X"}`,
			[]edgetest.Request{edgetest.Get("/a", "X: 1", "X: 2"), edgetest.Get("/a", "X: 2", "X: 1"), edgetest.Get("/a", "X: 2"), edgetest.Get("/a", "X: 1", "X: 2")},
			[]bool{true, true, true, false},
		},
		"combination": {
			`{"address": true}, {"route": true}`,
			[]edgetest.Request{from("192.0.2.1", "/a"), from("192.0.2.1", "/b"), from("192.0.2.2", "/a"), from("192.0.2.1", "/a")},
			[]bool{true, true, true, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := edge(t, `{"by": [`+test.by+`], "windows": [{"requests": 1, "window": "1h"}]}`)
			if got := passes(e, test.requests...); !slices.Equal(got, test.want) {
				t.Fatalf("%v, not %v", got, test.want)
			}
		})
	}
}

func TestKnownCallersAreCountedByWhoTheyAreOthersByAddress(t *testing.T) {
	for _, by := range []string{"consumer", "key"} {
		e := edgetest.New(t, apikey.Binding, ratelimit.Binding)
		e.Configure(t, `{`+world+`, "policies": [
			{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"route": "a"}]},
			`+policy("limit", "enforce", `{"by": [{"`+by+`": true}], "windows": [{"requests": 1, "window": "1h"}]}`)+`]}`)
		one, two, other := e.Key(t, "alice", edgetest.Key{}), e.Key(t, "alice", edgetest.Key{}), e.Key(t, "bob", edgetest.Key{})
		got := passes(e,
			from("192.0.2.1", "/a", "X-Api-Key: "+one),
			from("192.0.2.1", "/a", "X-Api-Key: "+other),
			from("192.0.2.2", "/a", "X-Api-Key: "+two),
			from("192.0.2.1", "/a", "X-Api-Key: "+one),
			from("192.0.2.1", "/b"), // nobody authenticates there
			from("192.0.2.2", "/b"),
			from("192.0.2.1", "/b"),
		)
		if want := []bool{true, true, by == "key", false, true, true, false}; !slices.Equal(got, want) {
			t.Errorf("by %s: %v, not %v", by, got, want)
		}
	}
}

// Each token by itself would be a way around a limit: whoever has one gets another.
func TestTokensOfOneSubjectAreCountedAsOneKey(t *testing.T) {
	e := edge(t, `{"by": [{"key": true}], "windows": [{"requests": 1, "window": "1h"}]}`)
	shop := &directory.Consumer{Name: "shop"}
	for i, test := range []struct {
		token directory.Token
		want  bool
	}{
		{directory.Token{Issuer: id.ID{1}, ID: "t-1", Subject: "alice"}, true},
		{directory.Token{Issuer: id.ID{1}, ID: "t-2", Subject: "alice"}, false},
		{directory.Token{Issuer: id.ID{1}, ID: "t-3", Subject: "bob"}, true},
		{directory.Token{Issuer: id.ID{2}, ID: "t-1", Subject: "alice"}, true},
		{directory.Token{Issuer: id.ID{1}, ID: "t-4"}, true},
		{directory.Token{Issuer: id.ID{1}, ID: "t-5"}, false},
	} {
		ex := e.Exchange(edgetest.Get("/a"))
		ex.Identity = pipeline.Identity{Consumer: shop, Issuer: test.token.Issuer, Token: &test.token}
		if e.Run(ex); (ex.Rejection == nil) != test.want {
			t.Errorf("%d: %s", i, ex.Verdict)
		}
	}
}

func TestAnswersAndRefusalsTellTheLimit(t *testing.T) {
	e := edge(t, `{"by": [{"address": true}], "windows": [{"requests": 2, "window": "1m"}, {"requests": 20, "window": "1500ms", "burst": 5}]}`)
	for i, want := range []struct {
		status      int
		limit, wait string
	}{
		{200, `"limit-1";r=1;t=30, "limit-2";r=4;t=1`, ""},
		{200, `"limit-1";r=0;t=60, "limit-2";r=3;t=1`, ""},
		{429, `"limit-1";r=0;t=60, "limit-2";r=3;t=1`, "30"},
	} {
		ex := e.Do(edgetest.Get("/a"))
		h := &ex.Response.Header
		if ex.Response.Status != want.status || h.Get("RateLimit") != want.limit || h.Get("Retry-After") != want.wait ||
			h.Get("RateLimit-Policy") != `"limit-1";q=2;w=60, "limit-2";q=20` {
			t.Errorf("request %d: %d %q", i, ex.Response.Status, h.Fields())
		}
	}
	e.Advance(30 * time.Second)
	if got := passes(e, edgetest.Get("/a"), edgetest.Get("/a")); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("after Retry-After: %v", got)
	}
}

func TestTwoPoliciesTellBothLimits(t *testing.T) {
	e := edgetest.New(t, ratelimit.Binding)
	e.Configure(t, `{`+world+`, "policies": [
		`+policy("one", "enforce", `{"by": [{"address": true}], "windows": [{"requests": 5, "window": "10s"}]}`)+`,
		`+policy("two", "enforce", `{"by": [{"route": true}], "windows": [{"requests": 7, "window": "1s"}]}`)+`]}`)
	ex := e.Do(edgetest.Get("/a"))
	var limits []string
	for _, f := range ex.Response.Header.Fields() {
		if f.Name == "RateLimit" {
			limits = append(limits, f.Value)
		}
	}
	if want := []string{`"two";r=6;t=1`, `"one";r=4;t=2`}; !slices.Equal(limits, want) {
		t.Fatalf("%q", limits)
	}
}

func TestInShadowEverythingPassesAndNothingIsTold(t *testing.T) {
	e := edgetest.New(t, ratelimit.Binding)
	e.Configure(t, `{`+world+`, "policies": [`+policy("limit", "shadow", `{"by": [{"address": true}], "windows": [{"requests": 1, "window": "1h"}]}`)+`]}`)
	for i, want := range []string{"", "rate_limited"} {
		ex := e.Do(edgetest.Get("/a"))
		if ex.Verdict != pipeline.Allowed || string(ex.ShadowVerdict) != want || ex.Response.Header.Len() != 0 || len(ex.Quotas) != 0 {
			t.Fatalf("request %d: %s, in shadow %s, %q", i, ex.Verdict, ex.ShadowVerdict, ex.Response.Header.Fields())
		}
	}
	if n := e.Count("rate-limit", pipeline.Shadow, "rate_limited"); n != 1 {
		t.Fatalf("%d counted", n)
	}
}

func TestCountersOutliveChangesThatDoNotConcernThem(t *testing.T) {
	const config = `{"by": [{"address": true}], "windows": [{"requests": 1, "window": "1h"}]}`
	e := edge(t, config)
	e.Do(edgetest.Get("/a"))
	unchanged := func(what, policies string) {
		t.Helper()
		e.Configure(t, `{"policies": [`+policies+`]}`)
		if e.Do(edgetest.Get("/a")).Rejection == nil {
			t.Errorf("%s: a fresh allowance", what)
		}
	}
	unchanged("another policy", policy("other", "enforce", `{"by": [{"route": true}], "windows": [{"requests": 100, "window": "1h"}]}`))
	unchanged("its place", `{"name": "limit", "kind": "rate-limit", "config": `+config+`, "attached_to": [{"route": "a"}], "position": 3}`)
	unchanged("what it is for", `{"name": "limit", "kind": "rate-limit", "config": `+config+`, "attached_to": [{"route": "a"}], "description": "x"}`)

	e.Configure(t, `{"policies": [`+policy("limit", "enforce", `{"by": [{"address": true}], "windows": [{"requests": 2, "window": "1h"}]}`)+`]}`)
	if got := passes(e, edgetest.Get("/a"), edgetest.Get("/a"), edgetest.Get("/a")); !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("another limit counts anew: %v", got)
	}
}

const fleetLimit = `{"by": [{"address": true}], "windows": [{"requests": 5, "window": "1h"}], "scope": "fleet"}`

// allowed returns how many of ten requests of a caller pass.
func allowed(e *edgetest.Edge, address string) (n int) {
	for range 10 {
		if e.Do(from(address, "/a")).Rejection == nil {
			n++
		}
	}
	return n
}

func TestALimitOfTheFleetLetsANodeHaveItsShare(t *testing.T) {
	e := edge(t, fleetLimit)
	if n := allowed(e, "192.0.2.1"); n != 0 {
		t.Errorf("a node that no fleet lists lets %d requests through", n)
	}
	e.Fleet(t, edgetest.NodeID, id.ID{15: 2})
	e.Advance(2 * time.Hour)
	e.Do(from("192.0.2.9", "/a")) // sees the share, which is larger than none: it holds once a bucket has refilled
	e.Advance(2 * time.Hour)
	if n := allowed(e, "192.0.2.1"); n != 3 {
		t.Errorf("the first of two nodes lets %d of 5 requests through, not 3", n)
	}
	e.Fleet(t, id.ID{}, edgetest.NodeID, id.ID{15: 2})
	if n := allowed(e, "192.0.2.2"); n != 2 {
		t.Errorf("the second of three nodes lets %d of 5 requests through, not 2", n)
	}
	e.Fleet(t, id.ID{}, id.ID{15: 2})
	if n := allowed(e, "192.0.2.3"); n != 0 {
		t.Errorf("a node that the fleet no longer lists lets %d requests through", n)
	}
}

func TestAChangeOfTheFleetCompilesNothingAndForgetsNobody(t *testing.T) {
	e := edge(t, fleetLimit)
	e.Fleet(t, edgetest.NodeID)
	e.Advance(time.Hour)
	e.Do(from("192.0.2.9", "/a"))
	e.Advance(2 * time.Hour)
	before := e.Holder.Load()
	allowed(e, "192.0.2.1")
	e.Fleet(t, edgetest.NodeID, id.ID{15: 2})
	if n := allowed(e, "192.0.2.1"); n != 0 || e.Holder.Load() != before {
		t.Errorf("who had used up the limit gets %d requests more by a change of the fleet", n)
	}
}

func TestAProcessThatKnowsNoFleetRefusesALimitOfTheFleet(t *testing.T) {
	config := &policyv1.RateLimit{
		By:      []*policyv1.CountBy{{Property: &policyv1.CountBy_Address{Address: true}}},
		Windows: []*policyv1.Window{{Requests: 1, Window: durationpb.New(time.Second)}},
		Scope:   policyv1.Scope_SCOPE_FLEET.Enum(), MaxCallers: proto.Uint32(64),
	}
	if _, err := ratelimit.Binding.Compile(pipeline.Env{Parts: new(pipeline.Parts), Clock: time.Now}, config); err == nil {
		t.Error("it counts by itself")
	}
}

func TestWhatIsNotBuiltOrNotPossibleIsRefused(t *testing.T) {
	for name, config := range map[string]string{
		"no window":    `{"by": [{"address": true}]}`,
		"no property":  `{"windows": [{"requests": 1, "window": "1s"}]}`,
		"zero":         `{"by": [{"address": true}], "windows": [{"window": "1s"}]}`,
		"short window": `{"by": [{"address": true}], "windows": [{"requests": 1, "window": "1ms"}]}`,
	} {
		e := edgetest.New(t, ratelimit.Binding)
		errs := e.Try(t, `{`+world+`, "policies": [`+policy("limit", "enforce", config)+`]}`)
		if len(errs) == 0 || errs[0].GetCollection() != "policies" {
			t.Errorf("%s: %v", name, errs)
		}
	}
}

func TestLimitingDoesNotAllocate(t *testing.T) {
	e := edge(t, `{"by": [{"address": true}, {"route": true}, {"header": "X"}, {"consumer": true}], "windows": [{"requests": 1000000, "window": "1h"}]}`)
	ex := e.Exchange(edgetest.Get("/a", "X: "+strings.Repeat("long ", 50), "X: 2"))
	client, fields := ex.Client, slices.Clone(ex.Request.Header.Fields())
	if n := testing.AllocsPerRun(200, func() {
		ex.Reset()
		ex.Request.Path, ex.Client = "/a", client
		for _, f := range fields {
			ex.Request.Header.Add(f.Name, f.Value)
		}
		route, err := e.Holder.Load().Route(ex)
		if err != nil || route.Stages.Run(ex) != nil {
			t.Fatal(err, ex.Rejection)
		}
		_ = route.Stages.Respond(ex)
	}); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}
