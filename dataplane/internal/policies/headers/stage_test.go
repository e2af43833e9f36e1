package headers_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies/apikey"
	"github.com/sallyport/sallyport/dataplane/internal/policies/headers"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
)

const world = `"services": [{"name": "orders", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [
		{"name": "open", "service": "orders", "paths": [{"template": "/orders/{id}"}, {"prefix": "/"}], "public": true},
		{"name": "closed", "service": "orders", "paths": [{"prefix": "/closed"}]}]`

func edge(t testing.TB, config string) *edgetest.Edge {
	t.Helper()
	e := edgetest.New(t, apikey.Binding, headers.Binding)
	e.Configure(t, `{`+world+`, "policies": [
		{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"route": "closed"}]},
		{"name": "headers", "kind": "headers", "config": `+config+`, "attached_to": [{"environment": true}]}]}`)
	return e
}

// answered takes an exchange all the way to a service that answers with fields.
func answered(t testing.TB, e *edgetest.Edge, r edgetest.Request, fields ...string) *pipeline.Exchange {
	t.Helper()
	ex := e.Exchange(r)
	route, err := e.Holder.Load().Route(ex)
	if err != nil {
		t.Fatal(err)
	}
	if route.Stages.Run(ex) != nil {
		ex.Answer()
	} else {
		for _, f := range edgetest.Get("/", fields...).Header {
			ex.Response.Header.Add(f.Name, f.Value)
		}
	}
	_ = route.Stages.Respond(ex)
	route.Stages.Finish(ex)
	return ex
}

func texts(h *pipeline.Header) []string {
	var all []string
	for _, f := range h.Fields() {
		all = append(all, f.Name+": "+f.Value)
	}
	return all
}

func TestFieldsAreRemovedSetAndAddedInThatOrder(t *testing.T) {
	const config = `{"%s": {
		"remove": ["X-Gone", "X-Internal-*"],
		"set": [{"name": "X-Set", "value": "new"}],
		"set_if_absent": [{"name": "X-There", "value": "no"}, {"name": "X-Gone", "value": "back"}],
		"add": [{"name": "X-Add", "value": "2"}, {"name": "X-Set", "value": "twice"}]}}`
	before := []string{
		"x-gone: 1", "X-Internal-A: 1", "X-INTERNAL-: 1", "X-Internally: 1", "X-Set: a", "X-There: yes", "x-set: b", "X-Add: 1",
	}
	want := []string{"X-Internally: 1", "X-There: yes", "X-Add: 1", "X-Set: new", "X-Gone: back", "X-Add: 2", "X-Set: twice"}
	ex := answered(t, edge(t, fmt.Sprintf(config, "request")), edgetest.Get("/", before...))
	if got := texts(&ex.Request.Header); !slices.Equal(got, want) || ex.Response.Header.Len() != 0 {
		t.Errorf("the request has\n%q, not\n%q", got, want)
	}
	ex = answered(t, edge(t, fmt.Sprintf(config, "response")), edgetest.Get("/", "X-Gone: 1"), before...)
	if got := texts(&ex.Response.Header); !slices.Equal(got, want) || !ex.Request.Header.Has("X-Gone") {
		t.Errorf("the answer has\n%q, not\n%q", got, want)
	}
}

func TestVariablesStandForWhatIsKnown(t *testing.T) {
	e := edge(t, `{"request": {"set": [{"name": "X-All", "value": "{request.id}|{request.method}|{request.host}|{request.path}|{client.address}|{route.name}|{service.name}|{consumer.id}|{consumer.name}|{consumer.metadata.a.b}|{credential.id}|{param.id}|{header.x-in}|{{}}"}]}}`)
	alice := e.Describe(t, &directoryv1.Consumer{Name: "alice", Metadata: map[string]string{"a.b": "fact"}})
	key := e.Key(t, "alice", edgetest.Key{})
	r := edgetest.Get("/closed/x?q=1", "X-In: one", "X-In: two", "X-Api-Key: "+key)
	r.Address = "2001:db8::1"
	ex := e.Exchange(r)
	e.Run(ex)
	want := strings.Join([]string{
		id.Text("req", ex.ID), "GET", "test", "/closed/x", "2001:db8::1", "closed", "orders", id.Text("con", alice), "alice", "fact",
		id.Text("key", ex.Identity.Credential), "", "one", "{}",
	}, "|")
	if got := ex.Request.Header.Get("X-All"); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

func TestParametersAreThoseOfTheMatchedPath(t *testing.T) {
	e := edge(t, `{"request": {"set": [{"name": "X-Order", "value": "{param.id}"}]}}`)
	if got := e.Do(edgetest.Get("/orders/4711")).Request.Header.Get("X-Order"); got != "4711" {
		t.Errorf("got %q", got)
	}
	if got := e.Do(edgetest.Get("/other/4711", "X-Order: mine")).Request.Header.Has("X-Order"); got {
		t.Error("the client's own field stands in for a parameter that isn't there")
	}
}

func TestWhatIsNotThereLeavesTheFieldOutAndTheClientsOwnToo(t *testing.T) {
	ex := edge(t, `{"request": {
		"set": [{"name": "X-Tenant", "value": "{consumer.metadata.tenant}"}, {"name": "X-Part", "value": "caller={consumer.name}"}],
		"set_if_absent": [{"name": "X-If", "value": "{consumer.name}"}], "add": [{"name": "X-Add", "value": "{consumer.name}"}]}}`).
		Do(edgetest.Get("/", "X-Tenant: forged", "x_tenant: forged", "X.TENANT: forged", "X-Part: forged"))
	if got, want := texts(&ex.Request.Header), []string{"X-Part: caller="}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

// Whatever a client, or whoever describes a consumer, puts into what a variable stands for: it ends no field and starts none.
func TestNoValueBringsAControlCharacterAlong(t *testing.T) {
	e := edge(t, `{"request": {"set": [{"name": "X-Meta", "value": "a{consumer.metadata.m}b"}, {"name": "X-In", "value": "{header.X-Raw}"}, {"name": "X-Path", "value": "{request.path}"}]},
		"response": {"add": [{"name": "X-Echo", "value": "{header.X-Raw}"}, {"name": "X-Meta", "value": "{consumer.metadata.m}"}]}}`)
	for _, evil := range []string{"a\r\nX-Evil: 1", "a\nb", "a\rb", "\x00", "a\x7f", "\x1b[31m", "a\x0bb"} {
		e.Describe(t, &directoryv1.Consumer{Name: "alice", Metadata: map[string]string{"m": evil}})
		r := edgetest.Get("/closed", "X-Meta: forged", "X-In: forged", "X-Api-Key: "+e.Key(t, "alice", edgetest.Key{}))
		r.Header = append(r.Header, pipeline.Field{Name: "X-Raw", Value: evil})
		ex := answered(t, e, r)
		if ex.Verdict != pipeline.Allowed {
			t.Fatal(ex.Verdict)
		}
		for _, name := range []string{"X-Meta", "X-In"} {
			if ex.Request.Header.Has(name) {
				t.Errorf("%q: %s is %q", evil, name, ex.Request.Header.Get(name))
			}
		}
		if ex.Response.Header.Len() != 0 {
			t.Errorf("%q: the answer has %q", evil, texts(&ex.Response.Header))
		}
	}
	r := edgetest.Get("/", "X-Raw: "+strings.Repeat("x", 9000))
	if ex := answered(t, e, r); ex.Request.Header.Has("X-In") || ex.Response.Header.Has("X-Echo") {
		t.Error("a value of 9,000 bytes was written")
	}
	r = edgetest.Get("/", "X-Raw:  \t ümläut \t")
	if ex := answered(t, e, r); ex.Request.Header.Get("X-In") != "ümläut" {
		t.Errorf("got %q", ex.Request.Header.Get("X-In"))
	}
}

func TestWhatAPolicyRemovesItsValuesStillSee(t *testing.T) {
	ex := edge(t, `{"request": {"remove": ["X-Old"], "set": [{"name": "X-New", "value": "{header.X-Old}"}, {"name": "X-Newer", "value": "{header.X-New}"}]}}`).
		Do(edgetest.Get("/", "X-Old: a", "X-New: b"))
	if got, want := texts(&ex.Request.Header), []string{"X-New: a", "X-Newer: b"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestAPrefixNeverReachesWhatTheGatewayOwns(t *testing.T) {
	ex := edge(t, `{"request": {"remove": ["X-*", "Ho*", "Content-*"]}}`).
		Do(edgetest.Get("/", "Host: test", "X-Forwarded-For: 1", "x_sallyport_consumer: 1", "X-Real-IP: 1", "X-Mine: 1", "x_mine: 1", "Content-Length: 0", "Content-Type: a/b"))
	want := []string{"Host: test", "X-Forwarded-For: 1", "x_sallyport_consumer: 1", "X-Real-IP: 1", "Content-Length: 0"}
	if got := texts(&ex.Request.Header); !slices.Equal(got, want) { // the proxy deals with these
		t.Errorf("%q, not %q", got, want)
	}
}

func TestRefusalsOfAnyStageGetTheAnswersFieldsAndKeepTheirOwn(t *testing.T) {
	const config = `{"response": {
		"remove": ["WWW-Authenticate"],
		"set": [{"name": "Strict-Transport-Security", "value": "max-age=1"}, {"name": "Content-Type", "value": "text/html"}],
		"add": [{"name": "cache-control", "value": "public"}]}, "on_rejections": %v}`
	for on, want := range map[bool]string{true: "max-age=1", false: ""} {
		ex := answered(t, edge(t, fmt.Sprintf(config, on)), edgetest.Get("/closed"))
		h := &ex.Response.Header
		if ex.Verdict != "credential_missing" || h.Get("Strict-Transport-Security") != want {
			t.Errorf("on_rejections %v: %s %q", on, ex.Verdict, texts(h))
		}
		if h.Get("Content-Type") != "application/problem+json" || !h.Has("WWW-Authenticate") || h.Get("Cache-Control") != "no-store" {
			t.Errorf("the refusal lost what it needs: %q", texts(h))
		}
	}
}

func TestThatOfAServiceThatFailedIsARefusalToo(t *testing.T) {
	e := edge(t, `{"response": {"remove": ["Content-Type"], "set": [{"name": "X-Frame-Options", "value": "DENY"}]}}`)
	ex := e.Exchange(edgetest.Get("/"))
	route, err := e.Holder.Load().Route(ex)
	if err != nil || route.Stages.Run(ex) != nil {
		t.Fatal(err, ex.Rejection)
	}
	ex.Refuse(ex.Reject("upstream_unreachable", "", ""))
	ex.Answer()
	_ = route.Stages.Respond(ex)
	if h := &ex.Response.Header; h.Get("X-Frame-Options") != "DENY" || !h.Has("Content-Type") {
		t.Errorf("%q", texts(h))
	}
}

func TestPoliciesOfSeveralLevelsStandSideBySide(t *testing.T) {
	e := edge(t, `{"request": {"set": [{"name": "X-Word", "value": "general"}, {"name": "X-General", "value": "1"}]},
		"response": {"set": [{"name": "X-Word", "value": "general"}, {"name": "X-General", "value": "1"}]}}`)
	e.Configure(t, `{"policies": [{"name": "own", "kind": "headers", "attached_to": [{"route": "open"}], "config": {
		"request": {"set": [{"name": "X-Word", "value": "specific"}]}, "response": {"set": [{"name": "X-Word", "value": "specific"}], "remove": ["X-General"]}}}]}`)
	ex := answered(t, e, edgetest.Get("/"))
	if h := &ex.Request.Header; h.Get("X-Word") != "specific" || h.Get("X-General") != "1" {
		t.Errorf("request: %q", texts(h))
	}
	if h := &ex.Response.Header; h.Get("X-Word") != "general" || h.Get("X-General") != "1" {
		t.Errorf("answer: %q", texts(h))
	}
}

func TestWhatCanNotBeEnforcedIsRefused(t *testing.T) {
	field := func(name, value string) []*policyv1.HeaderField {
		return []*policyv1.HeaderField{{Name: name, Value: value}}
	}
	for name, config := range map[string]*policyv1.Headers{
		"a name of the gateway": {Request: &policyv1.HeaderChanges{Set: field("X-Sallyport-Consumer", "root")}},
		"a twin of one":         {Request: &policyv1.HeaderChanges{Add: field("x_forwarded_for", "1")}},
		"framing on answers":    {Response: &policyv1.HeaderChanges{SetIfAbsent: field("Transfer-Encoding", "chunked")}},
		"removing the host":     {Request: &policyv1.HeaderChanges{Remove: []string{"host"}}},
		"an unknown variable":   {Response: &policyv1.HeaderChanges{Set: field("A", "{future.variable}")}},
		"a line break":          {Response: &policyv1.HeaderChanges{Set: field("A", "a\r\nB: c")}},
	} {
		if _, err := headers.Binding.Compile(pipeline.Env{}, config); err == nil {
			t.Errorf("%s: compiled", name)
		}
	}
}

func TestChangesAllocateNothing(t *testing.T) {
	e := edge(t, `{
		"request": {"remove": ["X-Gone", "X-Internal-*"], "set": [{"name": "X-Id", "value": "{request.id} {request.method} {client.address}"}, {"name": "X-Route", "value": "{route.name}"}],
			"set_if_absent": [{"name": "X-If", "value": "a"}], "add": [{"name": "X-In", "value": "<{header.X-In}>"}]},
		"response": {"set": [{"name": "Strict-Transport-Security", "value": "max-age=1"}, {"name": "X-Id", "value": "{request.id}"}], "remove": ["Server"]}}`)
	ex := e.Exchange(edgetest.Get("/orders/1", "X-In: a", "X-Gone: 1", "X-Internal-1: a"))
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
		ex.Response.Header.Add("Server", "x")
		_ = route.Stages.Respond(ex)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWhatIsRemovedFromAnswersIsNotSaidBehindTheirBodyEither(t *testing.T) {
	e := edge(t, `{"response": {"remove": ["Server", "X-Internal-*"], "set": [{"name": "X-Frame-Options", "value": "DENY"}], "add": [{"name": "X-Added", "value": "1"}]}}`)
	out := &answered(t, e, edgetest.Get("/orders/1")).Response
	for name, want := range map[string]bool{"server": true, "X-Internal-Node": true, "x-frame-options": true, "X-Added": false, "Grpc-Status": false} {
		if out.Withholds(name) != want {
			t.Errorf("the trailer %s is withheld: %v", name, !want)
		}
	}
	ex := e.Exchange(edgetest.Get("/orders/1"))
	if ex.Reset(); ex.Response.Withholds("Server") {
		t.Error("the next request is withheld what only this one is")
	}
	open := edge(t, `{"response": {"add": [{"name": "X-Added", "value": "1"}]}}`)
	if out := &answered(t, open, edgetest.Get("/orders/1")).Response; len(out.Withheld) != 0 {
		t.Error("something is withheld although nothing is removed")
	}
}
