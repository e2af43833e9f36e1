package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// busy has a policy of every sort that looks at what a client sends.
const busy = `{
	"settings": [{"name": "settings", "traced_per_million": 1000000}],
	"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [
		{"name": "open", "service": "s", "paths": [{"exact": "/open/limited"}], "public": true},
		{"name": "one", "service": "s", "paths": [{"template": "/{all}/{one}"}], "rewrite_path": "/to/{one}"},
		{"name": "away", "service": "s", "paths": [{"template": "/away/{to}"}], "public": true}
	],
	"policies": [
		{"name": "keys", "kind": "api-key", "config": {"locations": [{"header": "X-Api-Key"}, {"query": "key"}, {"cookie": "key"}]}, "attached_to": [{"route": "one"}]},
		{"name": "who", "kind": "acl", "config": {"allow": [{"methods": ["PURGE"], "every_consumer": true}]}, "attached_to": [{"route": "one"}]},
		{"name": "limit", "kind": "rate-limit", "attached_to": [{"environment": true}], "config": {"by": [{"header": "X-Tenant"}, {"address": true}], "windows": [{"requests": 7, "window": "1h"}]}},
		{"name": "fleet", "kind": "rate-limit", "mode": "shadow", "attached_to": [{"environment": true}], "config": {"by": [{"header": "X-Tenant"}], "windows": [{"requests": 1, "window": "1h"}]}},
		{"name": "fields", "kind": "headers", "attached_to": [{"environment": true}], "config": {
			"request": {"set": [{"name": "X-All", "value": "{request.path} {header.X-Tenant} {param.one}"}]}, "response": {"set": [{"name": "X-Back", "value": "{header.X-Tenant}"}]}}},
		{"name": "pages", "kind": "cors", "attached_to": [{"environment": true}], "config": {"origins": ["https://*.shop.example"], "methods": ["PURGE"]}},
		{"name": "gone", "kind": "respond", "attached_to": [{"route": "away"}], "config": {"redirect": {"location": "/other/{param.to}?{query}", "status": 302}}}
	]
}`

// collector keeps the bytes of the spans that it is sent.
type collector struct {
	*httptest.Server

	mu   sync.Mutex
	text bytes.Buffer
}

func collect(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		_, _ = io.Copy(&c.text, body)
	}))
	t.Cleanup(c.Close)
	return c
}

// lentEdge is an edge with everybody at work who may want to keep something of a request. Nothing of it runs beside the test.
type lentEdge struct {
	*edgetest.Edge

	proxy     *Proxy
	ledger    *usage.Ledger
	tracer    *tracing.Tracer
	collector *collector
	out       bytes.Buffer
	lent      edgetest.Lent
	key       string
}

func newLentEdge(t *testing.T) *lentEdge {
	t.Helper()
	kinds := policies.All()
	e := &lentEdge{Edge: edgetest.New(t, kinds...), collector: collect(t), ledger: usage.Open(usage.Config{Log: slog.New(slog.DiscardHandler)})}
	var err error
	e.tracer, err = tracing.Open(t.Context(), tracing.Config{Endpoint: e.collector.URL, Ratio: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e.key = e.Key(t, "alice", edgetest.Key{})
	e.Configure(t, busy)
	env := snapshot.NewEnv(snapshot.Config{
		Directory: e.Directory, Kinds: kinds, Logger: slog.New(slog.DiscardHandler), Metrics: e.Metrics,
		NewSender: func(snapshot.Spec) snapshot.Sender { return answering{200} },
	})
	next, errs := snapshot.Compile(env, 1, e.Sources(), nil)
	if len(errs) > 0 {
		t.Fatal(edgetest.Codes(errs))
	}
	e.Holder.Store(next)
	e.proxy = New(Config{
		Snapshots: &e.Holder, Directory: e.Directory, Freshness: freshness.New(time.Now()), Streams: streams.NewRegistry(e.Directory),
		Usage: e.ledger.Recorder(), Tracer: e.tracer, AccessLog: NewAccessLog(&e.out),
	})
	return e
}

// ask takes a request through whose memory is another one's as soon as it is finished.
func (e *lentEdge) ask(r edgetest.Request, refused *pipeline.Rejection) (status int) {
	ex := e.proxy.Acquire()
	asked := e.Exchange(r)
	ex.ID, ex.Started, ex.Client = id.New(time.Now()), time.Now(), asked.Client
	e.lent.Fill(&ex.Request, &asked.Request)
	if refused != nil {
		ex.Refuse(&pipeline.Rejection{Code: refused.Code, Reason: e.lent.Text(refused.Reason), Detail: e.lent.Text(refused.Detail)})
	}
	e.proxy.Serve(ex)
	status = ex.Response.Status
	e.proxy.Finish(ex)
	e.lent.Overwrite()
	return status
}

// What a request's head says lies in memory that the next request is read into. Whoever tells of a request later tells what it
// was, and nobody reaches that memory any more.
func TestNobodyKeepsTheMemoryOfAFinishedRequest(t *testing.T) {
	e := newLentEdge(t)
	purge := func(target string, fields ...string) edgetest.Request {
		r := edgetest.Get(target, append(fields, "X-Tenant: tenant-7", "Origin: https://a.shop.example", "Traceparent: "+callersParent, "User-Agent: client/1", "X-Odd-Name: 1")...)
		r.Method, r.Host = "PURGE", "asked.test"
		return r
	}
	for _, tt := range []struct {
		request edgetest.Request
		refused *pipeline.Rejection
		status  int
	}{
		{purge("/orders/first", "X-Api-Key: "+e.key), nil, 200},
		{purge("/orders/second?a=1&key=" + e.key), nil, 200},
		{purge("/orders/third", "Cookie: key="+e.key), nil, 200},
		{purge("/orders/nobody"), nil, 401},
		{purge("/orders/wrong", "X-Api-Key: "+e.key[:len(e.key)-1]+"0"), nil, 401},
		{purge("/away/elsewhere?b=2"), nil, 302},
		{purge("/open/limited"), nil, 200},
		{purge("/open/limited"), nil, 429},
		{purge("/nowhere"), nil, 404},
		{purge("/open/listener"), &pipeline.Rejection{Code: problem.PathRefused, Reason: "the-reason", Detail: "the-detail"}, 400},
	} {
		if status := e.ask(tt.request, tt.refused); status != tt.status {
			t.Errorf("%s: %d, want %d", tt.request.Target, status, tt.status)
		}
	}
	e.proxy.tracer = nil // it has a goroutine of its own; what it holds shows in what it sends
	if held := e.lent.Held(e.proxy, e.ledger, e.Metrics, e.Directory); len(held) != 0 {
		t.Errorf("the memory is held by %s", strings.Join(held, "\n"))
	}
	paths := []string{"/orders/first", "/orders/second", "/orders/third", "/orders/nobody", "/orders/wrong", "/away/elsewhere", "/open/limited", "/nowhere", "/open/listener"}
	e.proxy.log.flush()
	says(t, "the access log", e.out.String(), append(paths, "PURGE", "asked.test", "the-reason")...)
	says(t, "usage", e.told(t), append(paths, "PURGE", "asked.test", "the-reason", "/to/first", "client/1", "X-Odd-Name")...)
	if err := e.tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.collector.mu.Lock()
	defer e.collector.mu.Unlock()
	says(t, "spans", e.collector.text.String(), append(paths, "PURGE one", "asked.test", "the-reason")...)
}

// told is what usage tells of single requests, as text.
func (e *lentEdge) told(t *testing.T) string {
	t.Helper()
	bus := new(batches)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := usage.NewSender(e.ledger, bus, slog.New(slog.DiscardHandler)).Run(ended, time.Minute); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, b := range bus.all {
		for _, event := range b.GetEvents() {
			text, err := proto.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = all.Write(text)
		}
	}
	return all.String()
}

func says(t *testing.T, who, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%s doesn't say %q", who, want)
		}
	}
	if overwritten := "\xdb\xdb"; strings.Contains(text, overwritten) || strings.Contains(text, `\ufffd`) {
		t.Errorf("%s tells of memory that was overwritten", who)
	}
}
