package router

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
)

func TestAMissNamesTheFirstPartThatDoesNotHold(t *testing.T) {
	rules := map[string]*Rule{
		"host":   {ID: id.ID{1}, Hosts: []string{"other.test"}, Paths: exact("/orders")},
		"path":   {ID: id.ID{2}, Paths: []Path{{By: Exact, Text: "/elsewhere"}, {By: Template, Text: "/orders/{id}"}}},
		"method": {ID: id.ID{3}, Paths: exact("/orders"), Methods: []string{"PUT"}},
		"header": {ID: id.ID{4}, Paths: exact("/orders"), Headers: []Condition{{Name: "X-One", By: Present}, {Name: "X-Two", By: Present}}},
		"query":  {ID: id.ID{5}, Paths: exact("/orders"), Query: []Condition{{Name: "q", By: Exact, Value: "1"}}},
		"all":    {ID: id.ID{6}, Hosts: []string{"other.test"}, Paths: exact("/x"), Methods: []string{"PUT"}, Query: []Condition{{Name: "q", By: Present}}},
		"less":   {ID: id.ID{7}, Paths: prefix("/")},
	}
	found := &Rule{ID: id.ID{8}, Paths: exact("/orders")}
	req := request("GET", "shop.test", "/orders?q=2")
	req.Header.Add("X-One", "1")
	misses := NearMisses(req, func(yield func(*Rule) bool) {
		for _, r := range rules {
			if !yield(r) {
				return
			}
		}
		yield(found)
	}, found, 10)
	want := []Miss{
		{Rule: rules["less"], Part: Precedence, Others: -1},
		{Rule: rules["query"], Part: Query, Condition: &rules["query"].Query[0]},
		{Rule: rules["header"], Part: Headers, Condition: &rules["header"].Headers[1]},
		{Rule: rules["method"], Part: Methods},
		{Rule: rules["path"], Part: Paths, Path: 1},
		{Rule: rules["host"], Part: Hosts},
		{Rule: rules["all"], Part: Hosts, Others: 2},
	}
	for i := range misses {
		misses[i].alike = 0
	}
	if !slices.Equal(misses, want) {
		t.Fatalf("got  %+v\nwant %+v", misses, want)
	}
}

func TestNearMissesAreBoundedAndTheNearestComeFirst(t *testing.T) {
	var rules []*Rule
	for i := range 500 {
		rules = append(rules, &Rule{ID: id.ID{15: byte(i), 14: byte(i >> 8)}, Paths: exact("/" + string(rune('a'+i%26)) + "/orders")})
	}
	near := &Rule{ID: id.ID{1}, Paths: template("/shop/{name}/orders")}
	nearer := &Rule{ID: id.ID{2}, Paths: exact("/shop/berlin/orders")}
	rules = slices.Insert(rules, 250, near, nearer)
	misses := NearMisses(request("GET", "h", "/shop/berlin/order"), slices.Values(rules), nil, 10)
	if len(misses) != 10 || misses[0].Rule != near && misses[0].Rule != nearer || misses[1].Rule != near && misses[1].Rule != nearer {
		t.Fatalf("%+v", misses)
	}
	shorter := NearMisses(request("GET", "h", "/shop/berlin/order"), slices.Values(rules), nil, 3)
	if !slices.Equal(shorter, misses[:3]) {
		t.Fatalf("three of them are %+v, ten %+v", shorter, misses)
	}
}

// A rule misses for another rule's sake alone exactly when a table of nothing else finds it.
func TestMissesAndMatchesHoldTheSameParts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4)) // #nosec G404 -- a test
	matched := 0
	for range 20_000 {
		rule, req := pick(random, 1), pickRequest(random)
		m := NearMisses(req, slices.Values([]*Rule{rule}), nil, 1)
		found := build(t, rule).Match(req, nil).Found
		if (m[0].Part == Precedence) != found {
			t.Fatalf("%+v for %+v: the table finds it: %v, the miss says %s", rule, req, found, m[0].Part)
		}
		if found {
			matched++
		}
	}
	if matched < 500 {
		t.Fatalf("only %d of the rules matched", matched)
	}
}

func BenchmarkNearMisses(b *testing.B) {
	random := rand.New(rand.NewPCG(5, 6)) // #nosec G404 -- a benchmark
	var rules []*Rule
	for i := range 10_000 {
		rules = append(rules, pick(random, i))
	}
	req := &pipeline.Request{Method: "GET", Authority: "shop.test", Path: "/shop/7/orders"}
	for b.Loop() {
		NearMisses(req, slices.Values(rules), nil, 10)
	}
}
