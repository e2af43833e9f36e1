package publish_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/apikey"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestABatchOfBothLanesMakesOneRevisionAndItsEntries(t *testing.T) {
	t.Parallel()
	r := start(t)
	result := r.must(
		create("routes", route("orders", "orders", "/orders")), // refers to what a later step makes
		create("services", service("orders")),
		create("policies", keyPolicy("keys", `{"route":"orders"}`)),
		create("api-keys", `{"consumer":"app","scopes":["read"]}`),
		create("consumers", `{"name":"app"}`),
		create("secrets", `{"name":"token","value":"s3cret"}`),
	)
	equal(t, "revision", result.Revision, 1)
	equal(t, "sequence", result.Sequence, 4) // the pepper's is 1
	equal(t, "changes", len(result.Changes), 6)
	for i, o := range result.Outcomes {
		if o.ID == "" || o.ETag == "" || !o.Created || o.Object == nil {
			t.Errorf("outcome %d: %+v", i, o)
		}
	}
	key := result.Outcomes[3].Object.(*adminv1.ApiKey)
	if !apikey.Check(key.GetKey()) || !strings.HasPrefix(key.GetKey(), "spk_production_") || !strings.HasPrefix(key.GetKey(), key.GetPrefix()) {
		t.Errorf("the key shown is none: prefix %q", key.GetPrefix())
	}
	if secret := result.Outcomes[5].Object.(*adminv1.Secret); secret.GetValue() != "" {
		t.Error("a secret's value is shown")
	}
	read, err := r.directory.Get(t.Context(), r.env, "api-keys", key.GetId())
	if err != nil {
		t.Fatal(err)
	}
	if k := read.Message.(*adminv1.ApiKey); k.GetKey() != "" || k.GetConsumer() != result.Outcomes[4].ID || k.GetLastFour() != key.GetKey()[len(key.GetKey())-4:] {
		t.Errorf("read back: %v", k)
	}
	equal(t, "etag", read.ETag, result.Outcomes[3].ETag)
	revision, err := r.catalog.Revision(t.Context(), r.env, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "author", revision.GetAuthor(), "Ada")
	equal(t, "changes", revision.GetChanges(), 3)
	r.consistent()
}

func TestAWriteThatChangesNoByteMakesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	first := r.must(create("services", service("orders")), create("consumers", `{"name":"app"}`), create("secrets", `{"name":"s","value":"v"}`))
	again := r.must(
		put("services", "orders", service("orders")),
		patch("services", first.Outcomes[0].ID, `{}`),
		put("consumers", "app", `{"name":"app"}`),
		patch("consumers", "app", `{"suspended":false}`),
		put("secrets", "s", `{"value":"v"}`),
	)
	equal(t, "revision", again.Revision, 0)
	equal(t, "sequence", again.Sequence, 0)
	equal(t, "changes", len(again.Changes), 0)
	for i, o := range []int{0, 0, 1, 1, 2} {
		equal(t, "etag", again.Outcomes[i].ETag, first.Outcomes[o].ETag)
	}
	r.consistent()
}

func TestEveryViolationIsInOneAnswer(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("orders")), create("routes", route("orders", "orders", "/orders")), create("consumers", `{"name":"taken"}`))
	refused := r.refused(
		create("services", `{"name":"Bad Name","upstream":{"targets":[]},"nonsense":1}`),
		create("services", `{"name":"b","upstream":{"targets":[]}}`),
		create("routes", route("dangling", "nowhere", "/dangling")),
		create("routes", route("twin", "orders", "/orders")),
		create("routes", protectedRoute("bare", "orders", "/bare")),
		create("consumers", `{"name":"taken","id":"con_x"}`),
		create("api-keys", `{"consumer":"nobody","addresses":["10.0.0.1/8"],"scopes":["a","a"]}`),
		create("secrets", `{"name":"empty"}`),
		remove("services", "orders"),
		patch("routes", "missing", `{}`),
		create("widgets", `{}`),
		publish.Operation{Verb: "rotate", Collection: "routes", Key: "orders"},
	)
	equal(t, "code", refused.Code, problem.InvalidRequest)
	got := found(refused)
	for _, want := range []string{
		"/operations/0/body/nonsense unknown_field", // and what else is wrong with the same object
		"/operations/0/body/name invalid_format",
		"/operations/0/body/upstream/targets too_few",
		"/operations/1/body/upstream/targets too_few",
		"/operations/2/body/service unknown_reference",
		"/operations/3/body/service unknown_reference", // the service goes in the same batch
		"/operations/5/body/id immutable",
		"/operations/5/body/name name_taken",
		"/operations/6/body/consumer unknown_reference",
		"/operations/6/body/addresses/0 invalid_format",
		"/operations/6/body/scopes/1 not_unique",
		"/operations/7/body/value required",
		"/operations/8 referenced",
		"/operations/9/key unknown_reference",
		"/operations/10/collection invalid_value",
		"/operations/11/action invalid_value",
	} {
		if !contains(got, want) {
			t.Errorf("%q is not among\n%s", want, strings.Join(got, "\n"))
		}
	}
	equal(t, "referrers", len(refused.Referrers), 1)

	// What couldn't be read is named once, not again for being absent.
	refused = r.refused(create("services", `{"name":"half","upstream":{"targets":"many","timeouts":{"connect":"1h"}}}`))
	equal(t, "violations", strings.Join(found(refused), "\n"), "/upstream/targets wrong_type\n/upstream/timeouts/connect out_of_range")
	refused = r.refused(create("api-keys", `{"consumer":7,"scopes":["a","a"]}`))
	equal(t, "violations", strings.Join(found(refused), "\n"), "/consumer wrong_type\n/scopes/1 not_unique")
	r.consistent()
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

func TestSingleWritesPointIntoTheirBody(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("orders")), create("routes", route("orders", "orders", "/orders")))
	tests := []struct {
		name string
		op   publish.Operation
		code problem.Code
		want []string
	}{
		{
			"bad fields", create("services", `{"name":"x","upstream":{"targets":[{"address":"nope"},{}]}}`), problem.InvalidRequest,
			[]string{"/upstream/targets/0/address invalid_format", "/upstream/targets/1/address required"},
		},
		{"no JSON", create("services", `{`), problem.MalformedJSON, []string{" malformed_json"}},
		{"name taken", create("services", service("orders")), problem.NameTaken, []string{"/name name_taken"}},
		{"unknown id", put("services", "svc_00000000000000000000000000", service("orders")), problem.NotFound, []string{" unknown_reference"}},
		{"unknown name", patch("services", "nobody", `{}`), problem.NotFound, []string{" unknown_reference"}},
		{"referenced", remove("services", "orders"), problem.Referenced, []string{" referenced"}},
		{"rename by put", put("services", "orders", service("other")), problem.InvalidRequest, []string{"/name invalid_value"}},
		{"same match", create("routes", route("twin", "orders", "/orders")), problem.InvalidRequest, []string{"/paths/0 duplicate_match"}},
		{"bare", create("routes", protectedRoute("bare", "orders", "/bare")), problem.InvalidRequest, []string{"/public unprotected"}},
		{
			"too large", create("services", `{"name":"big","description":"`+strings.Repeat("x", 1025)+`","upstream":{"targets":[{"address":"a:1"}]}}`), problem.InvalidRequest,
			[]string{"/description too_long"},
		},
		{
			"id given", create("services", `{"id":"svc_00000000000000000000000000","name":"x","upstream":{"targets":[{"address":"a:1"}]}}`), problem.InvalidRequest,
			[]string{"/id immutable"},
		},
	}
	for _, tt := range tests {
		p := r.refused(tt.op)
		equal(t, tt.name+": code", p.Code, tt.code)
		same(t, tt.name, found(p), tt.want)
	}
}

func TestBatchOfOneCanPointAsABatchDoes(t *testing.T) {
	t.Parallel()
	r := start(t)
	_, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Prefixed: true, Operations: []publish.Operation{create("services", `{"name":"x"}`)}})
	same(t, "violations", found(asProblem(t, err)), []string{"/operations/0/body/upstream required"})
}

func TestObjectAboveItsSizeIsTooLarge(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("services", service("a")))
	list := func(n int, item func(i int) string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	path := func(i int) string { return fmt.Sprintf(`{"exact":"/%d%s"}`, i, strings.Repeat("x", 2040)) }
	value := func(i int) string { return fmt.Sprintf(`{"name":"h%d","exact":%q}`, i, strings.Repeat("x", 4090)) }
	host := func(i int) string { return fmt.Sprintf(`"h%d.%s.example"`, i, strings.Repeat("x", 60)) }
	body := fmt.Sprintf(`{"name":"r","service":"a","public":true,"hosts":%s,"paths":%s,"headers":%s,"query":%s}`, list(64, host), list(64, path), list(16, value), list(16, value))
	p := r.refused(create("routes", body))
	equal(t, "code", p.Code, problem.TooLarge)
	r.must(create("routes", fmt.Sprintf(`{"name":"r","service":"a","public":true,"paths":%s}`, list(64, path))))
	_, err := r.apply(make([]publish.Operation, publish.MaxOperations+1)...)
	equal(t, "operations", problem.CodeOf(err), problem.TooLarge)
}

func TestUpsertByNameMakesAndReplaces(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, body := range []string{service("orders"), `{"upstream":{"targets":[{"address":"127.0.0.1:8080"}]}}`} {
		r.must(put("services", "orders", body))
	}
	made := r.must(put("services", "orders", `{"upstream":{"targets":[{"address":"127.0.0.1:9090"}]}}`)).Outcomes[0]
	equal(t, "created", made.Created, false)
	renamed := r.must(put("services", made.ID, service("renamed"))).Outcomes[0]
	equal(t, "name", renamed.Name, "renamed")
	equal(t, "id", renamed.ID, made.ID)
	if key := r.must(create("consumers", `{"name":"app"}`), put("api-keys", "mine", `{"consumer":"app"}`)).Outcomes[1]; !key.Created || key.Object.(*adminv1.ApiKey).GetKey() == "" {
		t.Errorf("a key made by put: %+v", key)
	}
	r.consistent()
}

func TestNamesCanChangeHandsInOneBatch(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("services", service("a")), create("services", service("b")), create("consumers", `{"name":"a"}`), create("consumers", `{"name":"b"}`))
	id := func(i int) string { return made.Outcomes[i].ID }
	r.must(patch("services", id(0), `{"name":"b"}`), patch("services", id(1), `{"name":"a"}`),
		patch("consumers", id(2), `{"name":"b"}`), patch("consumers", id(3), `{"name":"a"}`))
	r.must(remove("services", id(0)), create("services", service("b")), remove("consumers", id(2)), create("consumers", `{"name":"b"}`))
	r.consistent()
}

func TestSettingsAreThereOnceAndAlways(t *testing.T) {
	t.Parallel()
	r := start(t)
	before, err := r.catalog.Get(t.Context(), r.env, "settings", "settings")
	if err != nil {
		t.Fatal(err)
	}
	if before.ID != "" || before.ETag == "" {
		t.Errorf("unwritten settings: %+v", before)
	}
	stale := patch("settings", "settings", `{"trusted_proxies":["10.0.0.0/8"]}`)
	stale.IfMatch = `"another"`
	equal(t, "stale", r.refused(stale).Code, problem.PreconditionFailed)
	first := stale
	first.IfMatch = before.ETag // as it was read before it was written
	r.must(first)
	equal(t, "a second editor with the same tag", r.refused(first).Code, problem.PreconditionFailed)
	r.must(put("settings", "settings", `{"allowed_target_ranges":["127.0.0.0/8"]}`))
	after, err := r.catalog.Get(t.Context(), r.env, "settings", "settings")
	if err != nil || after.ID == "" {
		t.Fatalf("%+v, %v", after, err)
	}
	same(t, "another one", found(r.refused(create("settings", `{"name":"second"}`))), []string{"/name invalid_value"})
	r.consistent()
}

func TestPolicyKeepsItsKind(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("policies", keyPolicy("p", "")))
	p := r.refused(put("policies", "p", `{"kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":1,"window":"1s"}]}}`))
	same(t, "violations", found(p), []string{"/kind immutable"})
}

func TestUnknownEnvironmentIsNotFound(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.env = "env_00000000000000000000000000"
	equal(t, "configuration", r.refused(create("services", service("a"))).Code, problem.NotFound)
	equal(t, "directory", r.refused(create("consumers", `{"name":"a"}`)).Code, problem.NotFound)
}
