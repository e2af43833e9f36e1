package publish_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

// names lists a collection of either lane page by page.
func (r *replica) names(collection string, q listing.Query) (string, error) {
	var all []string
	for {
		var next string
		if r.inDirectory(collection) {
			page, err := r.directory.List(r.t.Context(), r.env, collection, q)
			if err != nil {
				return "", err
			}
			for _, o := range page.Items {
				all = append(all, o.Name)
			}
			next = page.Next
		} else {
			page, err := r.catalog.List(r.t.Context(), r.env, collection, q)
			if err != nil {
				return "", err
			}
			for _, o := range page.Items {
				all = append(all, o.Name)
			}
			next = page.Next
		}
		if q.Cursor = next; next == "" {
			return strings.Join(all, " "), nil
		}
	}
}

func (r *replica) inDirectory(collection string) bool {
	return collection == "consumers" || collection == "api-keys" || collection == "secrets"
}

func TestListsFilterAndPage(t *testing.T) {
	t.Parallel()
	r := start(t)
	ops := []publish.Operation{create("services", service("a")), create("services", service("b"))}
	for i := range 5 {
		s := []string{"a", "b"}[i%2]
		labels := fmt.Sprintf(`{"n":"%d","parity":"%d"}`, i, i%2)
		ops = append(ops,
			create("routes", fmt.Sprintf(`{"name":"r%d","service":%q,"paths":[{"prefix":"/%d"}],"public":true,"labels":%s}`, i, s, i, labels)),
			create("consumers", fmt.Sprintf(`{"name":"c%d","suspended":%v,"labels":%s}`, i, i == 3, labels)),
			create("api-keys", fmt.Sprintf(`{"name":"k%d","consumer":"c%d","labels":%s}`, i, i%2, labels)),
			create("secrets", fmt.Sprintf(`{"name":"s%d","value":"v","labels":%s}`, i, labels)))
	}
	ops = append(ops, create("policies", keyPolicy("p1", `{"route":"r1"}`)), create("policies", `{"name":"p2","kind":"api-key","mode":"shadow","config":{},"attached_to":[{"environment":true}]}`))
	r.must(ops...)
	filter := func(field, value string) map[string]string { return map[string]string{field: value} }
	tests := []struct {
		collection string
		q          listing.Query
		want       string
	}{
		{"routes", listing.Query{Limit: 2}, "r0 r1 r2 r3 r4"},
		{"routes", listing.Query{Limit: 1, Filter: filter("service", "a")}, "r0 r2 r4"},
		{"routes", listing.Query{Filter: filter("paths.prefix", "/3")}, "r3"},
		{"routes", listing.Query{Labels: "parity=1,n!=3"}, "r1"},
		{"routes", listing.Query{Filter: filter("public", "false")}, ""},
		{"policies", listing.Query{Filter: filter("attached_to.route", "r1")}, "p1"},
		{"policies", listing.Query{Filter: filter("mode", "enforce")}, "p1"}, // a default
		{"policies", listing.Query{Filter: filter("kind", "api-key")}, "p1 p2"},
		{"consumers", listing.Query{Limit: 2}, "c0 c1 c2 c3 c4"},
		{"consumers", listing.Query{Filter: filter("suspended", "true")}, "c3"},
		{"consumers", listing.Query{Limit: 1, Labels: "parity=1,n!=3"}, "c1"},
		{"consumers", listing.Query{Labels: "other!=x,!other,n"}, "c0 c1 c2 c3 c4"},
		{"consumers", listing.Query{Labels: "parity=0,parity=1"}, ""},
		{"api-keys", listing.Query{Limit: 1, Filter: filter("consumer", "c0")}, "k0 k2 k4"},
		{"api-keys", listing.Query{Filter: filter("name", "k3")}, "k3"},
		{"secrets", listing.Query{Limit: 4, Labels: "n"}, "s0 s1 s2 s3 s4"},
		{"secrets", listing.Query{Labels: "!n"}, ""},
	}
	for _, tt := range tests {
		got, err := r.names(tt.collection, tt.q)
		if err != nil || got != tt.want {
			t.Errorf("%s %+v: %q, %v; want %q", tt.collection, tt.q, got, err, tt.want)
		}
	}
	for collection, field := range map[string]string{"routes": "nonsense", "policies": "config", "consumers": "metadata", "services": "upstream"} {
		if _, err := r.names(collection, listing.Query{Filter: filter(field, "x")}); problem.CodeOf(err) != problem.InvalidRequest {
			t.Errorf("%s by %s: %v", collection, field, err)
		}
	}
	if _, err := r.names("consumers", listing.Query{Filter: filter("suspended", "1")}); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("suspended=1: %v", err)
	}
	r.env = "env_00000000000000000000000000"
	for _, collection := range []string{"routes", "consumers"} {
		if _, err := r.names(collection, listing.Query{}); problem.CodeOf(err) != problem.NotFound {
			t.Errorf("%s of no environment: %v", collection, err)
		}
	}
}

func TestRevisionsAreListedFromTheNewest(t *testing.T) {
	t.Parallel()
	r := start(t)
	for i := range 5 {
		r.must(put("services", "a", fmt.Sprintf(`{"description":"%d","upstream":{"targets":[{"address":"a:1"}]}}`, i)))
	}
	q := listing.Query{Limit: 2}
	var numbers []uint64
	for {
		page, err := r.catalog.Revisions(t.Context(), r.env, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, revision := range page.Items {
			numbers = append(numbers, revision.GetNumber())
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	equal(t, "numbers", fmt.Sprint(numbers), "[5 4 3 2 1]")
	if _, err := r.catalog.Revision(t.Context(), r.env, 6); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("got %v", err)
	}
}
