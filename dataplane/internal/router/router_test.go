package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
)

func build(t testing.TB, rules ...*Rule) *Table {
	t.Helper()
	e := new(Table).Edit()
	for i, r := range rules {
		if r.Slot == 0 {
			r.Slot = uint32(i)
		}
		if r.ID.IsZero() {
			r.ID = id.ID{15: byte(i), 14: byte(i >> 8), 13: 1}
		}
		if err := e.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return e.Done()
}

func exact(text string) []Path    { return []Path{{By: Exact, Text: text}} }
func prefix(text string) []Path   { return []Path{{By: Prefix, Text: text}} }
func template(text string) []Path { return []Path{{By: Template, Text: text}} }

func request(method, host, path string) *pipeline.Request {
	path, query, _ := strings.Cut(path, "?")
	return &pipeline.Request{Method: method, Authority: host, Path: path, Query: query}
}

func TestTheMostSpecificRuleWins(t *testing.T) {
	has := func(name string) Condition { return Condition{Name: name, By: Present} }
	tests := map[string]struct {
		request *pipeline.Request
		rules   []*Rule // the first one must win
	}{
		"exact host before wildcard": {request("GET", "a.b.c", "/x"), []*Rule{
			{Hosts: []string{"a.b.c"}, Paths: prefix("/")}, {Hosts: []string{"*.b.c"}, Paths: exact("/x")},
		}},
		"longest wildcard": {request("GET", "a.b.c.d", "/x"), []*Rule{
			{Hosts: []string{"*.b.c.d"}, Paths: prefix("/")}, {Hosts: []string{"*.d"}, Paths: exact("/x")}, {Hosts: []string{"*.c.d"}, Paths: exact("/x")},
		}},
		"wildcard before any host": {request("GET", "a.b", "/x"), []*Rule{
			{Hosts: []string{"*.b"}, Paths: prefix("/")}, {Paths: exact("/x")},
		}},
		"exact path before template": {request("GET", "h", "/a/b"), []*Rule{
			{Paths: exact("/a/b")}, {Paths: template("/a/b"), Headers: []Condition{{Name: "X", By: Absent}}},
		}},
		"literal before parameter": {request("GET", "h", "/a/b/c"), []*Rule{
			{Paths: template("/a/{x}/{y}")}, {Paths: template("/{x}/b/c")},
		}},
		"template before prefix": {request("GET", "h", "/a/b"), []*Rule{
			{Paths: template("/{x}/{y}")}, {Paths: prefix("/a/b")},
		}},
		"longest prefix": {request("GET", "h", "/a/b/c"), []*Rule{
			{Paths: prefix("/a/b")}, {Paths: prefix("/a")}, {Paths: prefix("/")},
		}},
		"what is below before what is at": {request("GET", "h", "/a/b"), []*Rule{
			{Paths: prefix("/a/")}, {Paths: prefix("/a")},
		}},
		"more query conditions": {request("GET", "h", "/a?x&y"), []*Rule{
			{Paths: exact("/a"), Query: []Condition{has("x"), has("y")}}, {Paths: exact("/a"), Query: []Condition{has("x")}, Methods: []string{"GET"}},
		}},
		"stated methods": {request("GET", "h", "/a"), []*Rule{
			{Paths: exact("/a"), Methods: []string{"GET", "PUT"}}, {Paths: exact("/a")},
		}},
		"steps back from an exact host whose paths don't match": {request("GET", "a.b", "/x"), []*Rule{
			{Hosts: []string{"*.b"}, Paths: exact("/x")}, {Hosts: []string{"a.b"}, Paths: exact("/y")},
		}},
		"steps back from an exact path of another method": {request("PUT", "h", "/a/b"), []*Rule{
			{Paths: prefix("/a")}, {Paths: exact("/a/b"), Methods: []string{"GET"}},
		}},
		"steps back out of a template": {request("GET", "h", "/a/b/c"), []*Rule{
			{Paths: template("/{x}/b/c")}, {Paths: template("/a/b/{x}/d")}, {Paths: template("/a/{b}/d")},
		}},
		"the older of two that tie": {request("GET", "h", "/a"), []*Rule{
			{ID: id.ID{1}, Paths: template("/{x}")}, {ID: id.ID{2}, Paths: template("/{y}")},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for i, r := range test.rules {
				r.Slot = uint32(i + 1)
				if r.ID.IsZero() {
					r.ID = id.ID{0: 9, 15: byte(i)}
				}
			}
			backwards := slices.Clone(test.rules)
			slices.Reverse(backwards)
			for _, rules := range [][]*Rule{test.rules, backwards} { // the order of adding must not matter
				if m := build(t, rules...).Match(test.request, nil); !m.Found || m.Slot != 1 {
					t.Fatalf("%+v", m)
				}
			}
		})
	}
}

func TestMoreHeaderConditionsWin(t *testing.T) {
	req := request("GET", "h", "/a?x&y")
	req.Header.Add("x-one", "1")
	req.Header.Add("X-Two", "other")
	req.Header.Add("x-two", "value")
	table := build(t,
		&Rule{Slot: 1, Paths: exact("/a"), Headers: []Condition{{Name: "X-One", By: Present}}, Query: []Condition{{Name: "x", By: Present}, {Name: "y", By: Present}}},
		&Rule{Slot: 2, Paths: exact("/a"), Headers: []Condition{{Name: "X-One", By: Exact, Value: "1"}, {Name: "X-Two", By: Prefix, Value: "val"}}},
	)
	if m := table.Match(req, nil); m.Slot != 2 {
		t.Fatalf("%+v", m)
	}
}

func TestPrefixesEndOnSegmentBorders(t *testing.T) {
	for _, test := range []struct {
		prefix, path string
		want         bool
	}{
		{"/orders", "/orders", true},
		{"/orders", "/orders/", true},
		{"/orders", "/orders/7", true},
		{"/orders", "/orders-old", false},
		{"/orders", "/order", false},
		{"/orders", "/", false},
		{"/orders/", "/orders", false},
		{"/orders/", "/orders/", true},
		{"/orders/", "/orders/7", true},
		{"/", "/", true},
		{"/", "/a", true},
		{"/", "/a/", true},
	} {
		m := build(t, &Rule{Paths: prefix(test.prefix)}).Match(request("GET", "h", test.path), nil)
		if m.Found != test.want {
			t.Errorf("prefix %s, path %s: %v", test.prefix, test.path, m.Found)
		}
	}
}

func TestParametersOfTheMatchedTemplateAlone(t *testing.T) {
	table := build(t,
		&Rule{Slot: 7, Paths: []Path{{By: Exact, Text: "/else"}, {By: Template, Text: "/{a}/x/{b}"}}},
		&Rule{Slot: 8, Paths: template("/{a}/{b}/{c}/nowhere")},
	)
	m := table.Match(request("GET", "h", "/1/x/2"), make([]string, 0, 4))
	if !m.Found || m.Path != 1 || !slices.Equal(m.Params, []string{"1", "2"}) {
		t.Fatalf("%+v", m)
	}
	if m := table.Match(request("GET", "h", "/1/x/2/3"), nil); m.Found || len(m.Params) != 0 {
		t.Fatalf("%+v", m)
	}
	if m := table.Match(request("GET", "h", "//x/2"), nil); m.Found {
		t.Fatal("an empty segment filled a parameter")
	}
}

func TestAWrongMethodIsToldFromNoRoute(t *testing.T) {
	table := build(t,
		&Rule{Paths: exact("/a"), Methods: []string{"PUT", "GET"}},
		&Rule{Paths: prefix("/a"), Methods: []string{"DELETE", "GET"}},
		&Rule{Paths: exact("/a"), Methods: []string{"PATCH"}, Headers: []Condition{{Name: "X", By: Present}}},
		&Rule{Paths: exact("/b"), Methods: []string{"GET"}, Query: []Condition{{Name: "q", By: Present}}},
	)
	req := request("POST", "h", "/a")
	if m := table.Match(req, nil); m.Found || !m.WrongMethod {
		t.Fatalf("%+v", m)
	}
	if got := table.Methods(req); !slices.Equal(got, []string{"DELETE", "GET", "PUT"}) {
		t.Fatalf("Allow: %v", got)
	}
	for _, path := range []string{"/b", "/c"} {
		if m := table.Match(request("POST", "h", path), nil); m.Found || m.WrongMethod {
			t.Errorf("%s: %+v", path, m)
		}
	}
}

func TestQueryConditionsCompareDecoded(t *testing.T) {
	table := build(t, &Rule{Paths: exact("/"), Query: []Condition{{Name: "a b", By: Exact, Value: "ü+"}}})
	for query, want := range map[string]bool{
		"a%20b=%C3%BC%2b": true, "a+b=%c3%bc%2B": true, "x=1&a+b=%c3%bc%2B&": true,
		"a+b=%c3%bc+": false, "a+b": false, "": false, "a+b=%c3%bc%2": false,
	} {
		if m := table.Match(request("GET", "h", "/?"+query), nil); m.Found != want {
			t.Errorf("%s: %v", query, m.Found)
		}
	}
}

func TestBadRulesAreRefusedAndLeaveNoTrace(t *testing.T) {
	e := new(Table).Edit()
	for name, r := range map[string]*Rule{
		"no paths":     {},
		"relative":     {Paths: exact("a")},
		"no compare":   {Paths: []Path{{Text: "/"}}},
		"presence":     {Paths: []Path{{By: Present, Text: "/"}}},
		"inner star":   {Paths: exact("/"), Hosts: []string{"a.*.b"}},
		"bare star":    {Paths: exact("/"), Hosts: []string{"*"}},
		"template":     {Paths: template("/{a}/{a}")},
		"condition":    {Paths: exact("/"), Headers: []Condition{{Name: "X"}}},
		"template one": {Paths: exact("/"), Query: []Condition{{Name: "X", By: Template}}},
	} {
		if err := e.Add(r); !errors.Is(err, ErrRule) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if table := e.Done(); table.any != nil || len(table.hosts)+len(table.wildcards) != 0 {
		t.Fatalf("%+v", table)
	}
}

// pick returns a rule out of a small world, so that many rules meet.
func pick(r *rand.Rand, n int) *Rule {
	hosts := []string{"a.b.c", "b.c", "*.b.c", "*.c", "a.c", "*.a.b.c"}
	methods := []string{"GET", "PUT", "PURGE", "POST"}
	rule := &Rule{Slot: uint32(n), ID: id.ID{0: byte(n >> 8), 1: byte(n)}}
	for range r.IntN(3) {
		rule.Hosts = append(rule.Hosts, hosts[r.IntN(len(hosts))])
	}
	slices.Sort(rule.Hosts)
	rule.Hosts = slices.Compact(rule.Hosts)
	for range 1 + r.IntN(3) {
		rule.Paths = append(rule.Paths, pickPath(r))
	}
	if r.IntN(2) == 0 {
		rule.Methods = methods[r.IntN(3):][:1+r.IntN(2)]
	}
	for _, into := range []*[]Condition{&rule.Headers, &rule.Query} {
		for range max(0, r.IntN(5)-2) {
			*into = append(*into, Condition{
				Name:  []string{"x", "y"}[r.IntN(2)],
				By:    []Compare{Exact, Prefix, Present, Absent}[r.IntN(4)],
				Value: []string{"1", "12"}[r.IntN(2)],
			})
		}
	}
	return rule
}

func pickPath(r *rand.Rand) Path {
	p := Path{By: []Compare{Exact, Prefix, Template}[r.IntN(3)]}
	for range 1 + r.IntN(4) {
		segment := []string{"a", "b", "{p%d}", "{q%d}", "aa"}[r.IntN(5)]
		switch {
		case segment[0] != '{':
		case p.By == Template:
			segment = fmt.Sprintf(segment, len(p.Text))
		default:
			segment = "a"
		}
		p.Text += "/" + segment
	}
	switch r.IntN(6) {
	case 0:
		p.Text += "/"
	case 1:
		p.Text = "/"
	}
	return p
}

func pickRequest(r *rand.Rand) *pipeline.Request {
	req := request([]string{"GET", "PUT", "POST", "PURGE", "LOCK"}[r.IntN(5)],
		[]string{"a.b.c", "b.c", "x.b.c", "x.y.b.c", "a.c", "c", "z.a.b.c", "", "other"}[r.IntN(9)], "")
	for range r.IntN(5) {
		req.Path += "/" + []string{"a", "b", "aa", "z", ""}[r.IntN(5)]
	}
	if req.Path == "" {
		req.Path = "/"
	}
	for range r.IntN(3) {
		req.Header.Add([]string{"x", "X", "y"}[r.IntN(3)], []string{"1", "12", "2"}[r.IntN(3)])
		req.Query += []string{"x", "y"}[r.IntN(2)] + "=" + []string{"1", "12", "2"}[r.IntN(3)] + "&"
	}
	return req
}

// check compares a table with the naive one on many requests.
func check(t *testing.T, r *rand.Rand, table *Table, rules naive, requests int) {
	t.Helper()
	for range requests {
		req := pickRequest(r)
		got := table.Match(req, nil)
		want, methods := rules.match(req)
		describe := func() string {
			text := fmt.Sprintf("%s %s%s?%s %v", req.Method, req.Authority, req.Path, req.Query, req.Header.Fields())
			for _, rule := range rules {
				text += fmt.Sprintf("\n%+v", *rule)
			}
			return text
		}
		if got.Found != (want != nil) {
			t.Fatalf("found %v, naive %v: %s", got.Found, want, describe())
		}
		if want == nil {
			slices.Sort(methods)
			if got.WrongMethod != (len(methods) > 0) || !slices.Equal(table.Methods(req), slices.Compact(methods)) {
				t.Fatalf("wrong method %v, naive %v: %s", got.WrongMethod, methods, describe())
			}
			continue
		}
		if got.Slot != want.rule.Slot || got.Path != want.path || !slices.Equal(got.Params, want.params) {
			t.Fatalf("%+v, naive %+v: %s", got, want, describe())
		}
	}
}

func TestTableAgreesWithTheNaiveRouter(t *testing.T) {
	for seed := range uint64(300) {
		agree(t, seed, 1+int(seed%40))
	}
}

func FuzzTableAgreesWithTheNaiveRouter(f *testing.F) {
	f.Add(uint64(1), uint8(10))
	f.Fuzz(func(t *testing.T, seed uint64, rules uint8) { agree(t, seed, int(rules)) })
}

// agree builds a table, then edits it, and checks every state, the earlier ones also after the later ones were made.
func agree(t *testing.T, seed uint64, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var rules naive
	e := new(Table).Edit()
	for i := range n {
		rules = append(rules, pick(r, i))
		if err := e.Add(rules[i]); err != nil {
			t.Fatal(err)
		}
	}
	first := e.Done()
	firstRules := slices.Clone(rules)
	check(t, r, first, rules, 40)

	table := first
	for i := range 10 {
		e := table.Edit()
		for range 1 + r.IntN(3) {
			if len(rules) > 0 && r.IntN(2) == 0 {
				at := r.IntN(len(rules))
				e.Remove(rules[at])
				rules = slices.Delete(rules, at, at+1)
				continue
			}
			rule := pick(r, n+i)
			if err := e.Add(rule); err != nil {
				t.Fatal(err)
			}
			rules = append(rules, rule)
		}
		table = e.Done()
		check(t, r, table, rules, 20)
	}
	check(t, r, first, firstRules, 40)

	e = table.Edit()
	for _, rule := range rules {
		e.Remove(rule)
	}
	if empty := e.Done(); empty.any != nil || len(empty.hosts)+len(empty.wildcards) != 0 {
		t.Fatal("something is left of a table without rules")
	}
}

// thousands returns a table like a big installation's: some hosts, each with exact, template and prefix routes.
func thousands(t testing.TB, n int) (*Table, []*Rule) {
	t.Helper()
	rules := make([]*Rule, n)
	for i := range rules {
		r := &Rule{Slot: uint32(i), Hosts: []string{fmt.Sprintf("api-%d.example.com", i%20)}, Methods: []string{"GET", "POST"}}
		switch i % 3 {
		case 0:
			r.Paths = exact(fmt.Sprintf("/service-%d/status", i))
		case 1:
			r.Paths = template(fmt.Sprintf("/service-%d/orders/{id}/lines/{line}", i))
		default:
			r.Paths = prefix(fmt.Sprintf("/service-%d/files", i))
		}
		rules[i] = r
	}
	return build(t, rules...), rules
}

func thousandRequests(n int) []*pipeline.Request {
	requests := make([]*pipeline.Request, n)
	for i := range requests {
		path := fmt.Sprintf("/service-%d/", i)
		path += []string{"status", "orders/4711/lines/3", "files/a/b/c.txt"}[i%3]
		requests[i] = request("GET", fmt.Sprintf("api-%d.example.com", i%20), path)
	}
	return requests
}

func TestMatchingDoesNotAllocate(t *testing.T) {
	table, _ := thousands(t, 999)
	requests := thousandRequests(999)
	params := make([]string, 0, 8)
	i := 0
	if n := testing.AllocsPerRun(2000, func() {
		i++
		if m := table.Match(requests[i%len(requests)], params); !m.Found {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	table, _ := thousands(b, 10_000)
	requests := thousandRequests(10_000)
	b.ReportAllocs()
	params := make([]string, 0, 8)
	for i := 0; b.Loop(); i++ {
		if m := table.Match(requests[(i*7919)%len(requests)], params); !m.Found {
			b.Fatal("not found")
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	_, rules := thousands(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		build(b, rules...)
	}
}

func BenchmarkEdit(b *testing.B) {
	table, rules := thousands(b, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := table.Edit()
		r := rules[(i*7919)%len(rules)]
		e.Remove(r)
		if err := e.Add(r); err != nil {
			b.Fatal(err)
		}
		table = e.Done()
	}
}
