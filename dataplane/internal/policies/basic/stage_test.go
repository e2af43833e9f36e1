package basic_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// edge returns an edge with one route on which these policies run: kind and configuration, in order.
func edge(t testing.TB, mode string, all ...string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, policies.All()...)
	var list []string
	for i, p := range all {
		kind, config, _ := strings.Cut(p, " ")
		list = append(list, fmt.Sprintf(`{"name": "p%d", "kind": %q, "mode": %q, "position": %d, "config": %s, "attached_to": [{"environment": true}]}`, i, kind, mode, i, config))
	}
	e.Configure(t, fmt.Sprintf(`{
		"services": [{"name": "orders", "upstream": {"targets": [{"address": "orders.test:80"}]}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}], "public": %v}],
		"policies": [%s]
	}`, mode != "enforce", strings.Join(list, ",")))
	return e
}

func basic(username, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

func said(ex *pipeline.Exchange) string {
	who := "nobody"
	if ex.Identity.Known() {
		who = ex.Identity.Consumer.Name
	}
	return string(ex.Verdict) + " " + who
}

func TestAPasswordProvesItsConsumerAndGoesNoFurther(t *testing.T) {
	e := edge(t, "enforce", `basic {"required_scopes": ["read"]}`)
	e.Password(t, "alice", edgetest.Password{Username: "alice@example.com", Text: "pass:word ü", Scopes: []string{"read", "more"}})
	for range 2 { // computed, then known
		ex := e.Do(edgetest.Get("/", basic("alice@example.com", "pass:word ü"), "X-Other: 1"))
		if said(ex) != "allowed alice" || ex.Identity.Credential.IsZero() || ex.Identity.Password == nil || !ex.Identity.Scopes.Has("more") {
			t.Fatalf("%s %+v", said(ex), ex.Identity)
		}
		if ex.Request.Header.Has("Authorization") || !ex.Request.Header.Has("X-Other") {
			t.Fatalf("forwarded: %v", ex.Request.Header.Fields())
		}
	}
	forwarding := edge(t, "enforce", `basic {"forward_credentials": true}`)
	forwarding.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
	if ex := forwarding.Do(edgetest.Get("/", basic("alice", "password"))); said(ex) != "allowed alice" || !ex.Request.Header.Has("Authorization") {
		t.Fatalf("%s, forwarded: %v", said(ex), ex.Request.Header.Fields())
	}
}

func TestEachFlawHasItsCode(t *testing.T) {
	e := edge(t, "enforce", `basic {"realm": "orders", "required_scopes": ["read"]}`)
	scopes := []string{"read"}
	e.Password(t, "alice", edgetest.Password{Username: "good", Text: "password", Scopes: scopes})
	e.Password(t, "alice", edgetest.Password{Username: "narrow", Text: "password"})
	e.Password(t, "alice", edgetest.Password{Username: "expired", Text: "password", Scopes: scopes, Expires: e.Now})
	e.Password(t, "alice", edgetest.Password{Username: "pinned", Text: "password", Scopes: scopes, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	e.Password(t, "bob", edgetest.Password{Username: "bob", Text: "password", Scopes: scopes})
	e.Consumer(t, "bob", true)
	encode := func(s string) string { return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, test := range map[string]struct {
		fields []string
		want   string
	}{
		"good":               {[]string{basic("good", "password")}, "allowed alice"},
		"scheme in capitals": {[]string{strings.Replace(basic("good", "password"), "Basic", "BASIC", 1)}, "allowed alice"},
		"nothing":            {nil, "credential_missing nobody"},
		"another scheme":     {[]string{"Authorization: Bearer token"}, "credential_missing nobody"},
		"unknown username":   {[]string{basic("nobody", "password")}, "credential_invalid nobody"},
		"wrong password":     {[]string{basic("good", "Password")}, "credential_invalid nobody"},
		"twisted username":   {[]string{basic("Good", "password")}, "credential_invalid nobody"},
		"twice":              {[]string{basic("good", "password"), basic("good", "password")}, "credential_invalid nobody"},
		"beside a token":     {[]string{basic("good", "password"), "Authorization: Bearer token"}, "credential_invalid nobody"},
		"empty":              {[]string{"Authorization: Basic"}, "credential_invalid nobody"},
		"no base64":          {[]string{"Authorization: Basic ???"}, "credential_invalid nobody"},
		"base64 of a URL":    {[]string{"Authorization: Basic " + base64.URLEncoding.EncodeToString([]byte("good:pass\xc3\xbfword"))}, "credential_invalid nobody"},
		"trailing bits":      {[]string{"Authorization: Basic Z29vZDpwYXNzd29yZB=="}, "credential_invalid nobody"},
		"no colon":           {[]string{encode("good")}, "credential_invalid nobody"},
		"no username":        {[]string{encode(":password")}, "credential_invalid nobody"},
		"no password":        {[]string{encode("good:")}, "credential_invalid nobody"},
		"a control":          {[]string{encode("good:pass\nword")}, "credential_invalid nobody"},
		"no UTF-8":           {[]string{encode("good:\xff")}, "credential_invalid nobody"},
		"too long":           {[]string{basic("good", strings.Repeat("x", 5000))}, "credential_invalid nobody"},
		"narrow":             {[]string{basic("narrow", "password")}, "scope_missing alice"},
		"expired":            {[]string{basic("expired", "password")}, "credential_expired nobody"},
		"pinned":             {[]string{basic("pinned", "password")}, "address_not_allowed nobody"},
		"suspended":          {[]string{basic("bob", "password")}, "consumer_suspended nobody"},
	} {
		ex := e.Do(edgetest.Get("/", test.fields...))
		if got := said(ex); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if challenge := ex.Response.Header.Get("WWW-Authenticate"); ex.Response.Status == 401 && challenge != `Basic realm="orders", charset="UTF-8"` {
			t.Errorf("%s: the challenge is %q", name, challenge)
		}
	}
}

func TestWhatChangesHoldsAtOnceAlsoForAPasswordThatWasChecked(t *testing.T) {
	e := edge(t, "enforce", `basic {}`)
	ask := func(password string) string { return said(e.Do(edgetest.Get("/", basic("alice", password)))) }
	e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
	for _, step := range []struct {
		change func()
		want   string
	}{
		{func() {}, "allowed alice"},
		{func() { e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "another one"}) }, "credential_invalid nobody"},
		{func() {
			e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password", Expires: e.Now.Add(time.Minute)})
		}, "allowed alice"},
		{func() { e.Advance(time.Minute) }, "credential_expired nobody"},
		{func() { e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"}) }, "allowed alice"},
		{func() { e.Consumer(t, "alice", true) }, "consumer_suspended nobody"},
		{func() { e.Consumer(t, "alice", false) }, "allowed alice"},
		{func() { e.RevokePassword(t, "alice") }, "credential_invalid nobody"},
	} {
		step.change()
		if got := ask("password"); got != step.want {
			t.Errorf("%s, want %s", got, step.want)
		}
	}
	e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
	owner := e.Consumer(t, "alice", false)
	e.Block(t, &directoryv1.Block{Target: &directoryv1.Block_Consumer{Consumer: owner[:]}})
	if got := ask("password"); got != "blocked nobody" {
		t.Error(got)
	}
}

func TestWhoGuessesIsRefusedUnseenAndNobodyElse(t *testing.T) {
	e := edge(t, "enforce", `basic {}`)
	e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
	e.Password(t, "bob", edgetest.Password{Username: "bob", Text: "password"})
	if got := said(e.Do(edgetest.Get("/", basic("bob", "password")))); got != "allowed bob" {
		t.Fatal(got)
	}
	for i := range 6 {
		if got := said(e.Do(edgetest.Get("/", basic("alice", fmt.Sprint("guess", i))))); got != "credential_invalid nobody" {
			t.Fatalf("guess %d: %s", i, got)
		}
	}
	ex := e.Do(edgetest.Get("/", basic("alice", "password")))
	if said(ex) != "too_many_failures nobody" || ex.Response.Status != 429 || ex.Response.Header.Get("Retry-After") != "1" {
		t.Fatalf("%s, %v", said(ex), ex.Response.Header.Fields())
	}
	elsewhere := edgetest.Get("/", basic("alice", "password"))
	elsewhere.Address = "198.51.100.7"
	for want, r := range map[string]edgetest.Request{
		"allowed bob": edgetest.Get("/", basic("bob", "password")), "allowed alice": elsewhere,
	} {
		if got := said(e.Do(r)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	e.Advance(time.Second)
	if got := said(e.Do(edgetest.Get("/", basic("alice", "password")))); got != "allowed alice" {
		t.Errorf("after the wait: %s", got)
	}
}

func TestAGoodPasswordBehindAGuessersAddressIsHeardAndAGuesserLearnsNoUsername(t *testing.T) {
	e := edge(t, "enforce", `basic {}`)
	e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
	for range 60 {
		e.Failures.Of("basic", netip.MustParseAddr("192.0.2.1"), "").Failed(e.Now)
	}
	for username, want := range map[string]string{"alice": "too_many_failures nobody", "nobody": "too_many_failures nobody"} {
		if got := said(e.Do(edgetest.Get("/", basic(username, "wrong password")))); got != want {
			t.Errorf("%s with a wrong password: %s", username, got)
		}
	}
	if got := said(e.Do(edgetest.Get("/", basic("alice", "password")))); got != "allowed alice" {
		t.Errorf("alice, behind the same address: %s", got)
	}
}

func TestUnknownKeysOfAnAddressAreRefusedAfterFiftyAndKnownOnesPass(t *testing.T) {
	e := edge(t, "enforce", `api-key {}`)
	key := e.Key(t, "alice", edgetest.Key{})
	codes := map[string]int{}
	for i := range 60 {
		codes[string(e.Do(edgetest.Get("/", fmt.Sprint("X-Api-Key: guess", i))).Verdict)]++
	}
	if codes["credential_invalid"] != 51 || codes["too_many_failures"] != 9 {
		t.Errorf("%v", codes)
	}
	if got := said(e.Do(edgetest.Get("/", "X-Api-Key: "+key))); got != "allowed alice" {
		t.Errorf("a known key: %s", got)
	}
}

func TestOfSeveralKindsOnOneRouteTheFirstCredentialDecidesAndTheOthersVanish(t *testing.T) {
	for _, order := range [][]string{{"api-key {\"locations\": [{\"header\": \"X-Api-Key\"}, {\"header\": \"Authorization\"}]}", "basic {}"}, {"basic {}", "api-key {\"locations\": [{\"header\": \"X-Api-Key\"}, {\"header\": \"Authorization\"}]}"}} {
		e := edge(t, "enforce", order...)
		key := e.Key(t, "kim", edgetest.Key{})
		e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
		first, second := "kim", "alice"
		if strings.HasPrefix(order[0], "basic") {
			first, second = second, first
		}
		both := []string{"X-Api-Key: " + key, basic("alice", "password")}
		spoofed := map[string][]string{
			"kim":   {"X-Api-Key: " + key, basic("alice", "spoofed")},
			"alice": {"X-Api-Key: spoofed", basic("alice", "password")},
		}
		for want, fields := range map[string][]string{
			"allowed " + first:          both,
			"allowed " + first + " ":    spoofed[first],
			"credential_invalid nobody": spoofed[second],
			"allowed kim  ":             {"X-Api-Key: " + key},
			"allowed kim   ":            {"Authorization: Bearer " + key},
			"allowed alice  ":           {basic("alice", "password")},
			"credential_missing nobody": nil,
		} {
			ex := e.Do(edgetest.Get("/", fields...))
			if got := said(ex); got != strings.TrimSpace(want) {
				t.Errorf("%v: %s, want %s", fields, got, want)
			}
			if ex.Verdict == pipeline.Allowed && (ex.Request.Header.Has("Authorization") || ex.Request.Header.Has("X-Api-Key")) {
				t.Errorf("%v: a credential goes on: %v", fields, ex.Request.Header.Fields())
			}
		}
		var challenges []string
		for _, f := range e.Do(edgetest.Get("/")).Response.Header.Fields() {
			if f.Name == "WWW-Authenticate" {
				challenges = append(challenges, f.Value[:6])
			}
		}
		if slices.Sort(challenges); !slices.Equal(challenges, []string{"ApiKey", "Basic "}) {
			t.Errorf("challenges %v", challenges)
		}
	}
}

func TestInShadowAndDryRunsNothingIsCounted(t *testing.T) {
	for _, mode := range []string{"shadow", "enforce"} {
		e := edge(t, mode, `basic {}`)
		e.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
		for i := range 8 {
			r := edgetest.Get("/", basic("alice", fmt.Sprint("guess", i)))
			r.Dry = mode == "enforce"
			ex := e.Do(r)
			if mode == "shadow" && (ex.Verdict != "allowed" || ex.ShadowVerdict != "credential_invalid" || !ex.Request.Header.Has("Authorization")) {
				t.Fatalf("%s, in shadow %s", ex.Verdict, ex.ShadowVerdict)
			}
		}
		if keys := e.Failures.Stats().Keys; keys != 0 {
			t.Errorf("%s: %d keys are remembered", mode, keys)
		}
	}
}

func TestADryRunMayAssumeAConsumerAndTakesNoKeyForAPassword(t *testing.T) {
	e := edge(t, "enforce", `basic {"required_scopes": ["read"]}`, `api-key {"required_scopes": ["read"]}`)
	alice := e.Consumer(t, "alice", false)
	key := e.Key(t, "kim", edgetest.Key{Scopes: []string{"read"}})
	for want, a := range map[string]*pipeline.Assumed{
		"allowed alice":       {Consumer: alice, Scopes: []string{"read"}},
		"scope_missing alice": {Consumer: alice},
		"allowed kim":         {Proof: edgetest.Digest(t, key)},
	} {
		ex := e.Exchange(edgetest.Request{Dry: true})
		ex.Assumed = a
		e.Run(ex)
		if got := said(ex); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAPasswordThatWasCheckedCostsNoAllocation(t *testing.T) {
	e := edge(t, "enforce", `basic {}`)
	e.Password(t, "alice", edgetest.Password{Username: "alice@a-rather-long.example.com", Text: "password"})
	e.Failures.Of("basic", netip.MustParseAddr("203.0.113.9"), "somebody else").Failed(e.Now)
	run, ex := runs(e, basic("alice@a-rather-long.example.com", "password"))
	run()
	if n := testing.AllocsPerRun(200, run); n != 0 || ex.Verdict != "allowed" {
		t.Fatalf("%v allocations, %s", n, ex.Verdict)
	}
}

// runs returns what takes one exchange through the edge again and again.
func runs(e *edgetest.Edge, field string) (func(), *pipeline.Exchange) {
	name, value, _ := strings.Cut(field, ": ")
	ex := e.Exchange(edgetest.Request{})
	return func() {
		ex.Reset()
		ex.Request.Method, ex.Request.Authority, ex.Request.Path, ex.Request.RawPath = "GET", "test", "/", "/"
		ex.Request.Header.Add(name, value)
		ex.Client.Address = netip.AddrFrom4([4]byte{192, 0, 2, 1})
		route, err := e.Holder.Load().Route(ex)
		if err != nil {
			panic(err)
		}
		_ = route.Stages.Run(ex)
		route.Stages.Finish(ex)
	}, ex
}

func BenchmarkAPasswordThatWasChecked(b *testing.B) {
	e := edge(b, "enforce", `basic {}`)
	e.Password(b, "alice", edgetest.Password{Username: "alice", Text: "password"})
	run, _ := runs(e, basic("alice", "password"))
	run()
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func BenchmarkAKeyBeside(b *testing.B) {
	e := edge(b, "enforce", `api-key {}`)
	run, _ := runs(e, "X-Api-Key: "+e.Key(b, "alice", edgetest.Key{}))
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
