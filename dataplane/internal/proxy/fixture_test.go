package proxy

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/proto/problem"
)

// protected is a route that wants a key, and is limited by it.
const protected = `{
	"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
	"routes": [{"name": "r", "service": "s", "hosts": ["test"], "paths": [{"template": "/{all}"}]}],
	"policies": [
		{"name": "keys", "kind": "api-key", "config": {}, "attached_to": [{"environment": true}]},
		{"name": "limit", "kind": "rate-limit", "attached_to": [{"environment": true}], "config": {"by": [{"key": true}], "windows": [{"requests": 9, "window": "1s"}]}}
	]
}`

// slow is an upstream whose answers' heads come at once, or never, and whose bodies end only when they are given up.
type slow struct{ silent bool }

func (s slow) Send(ex *pipeline.Exchange) error {
	body := waiting{make(chan struct{})}
	_ = ex.Abort.Hold(body)
	if s.silent {
		<-body.cut
		return &pipeline.Rejection{Code: problem.ClientGone, Reason: "given up"}
	}
	ex.Response.Status, ex.Response.ContentLength = 200, -1
	ex.Response.Body = body
	return nil
}

type waiting struct{ cut chan struct{} }

func (w waiting) Cut() { close(w.cut) }

func (w waiting) Read([]byte) (int, error) {
	<-w.cut
	return 0, io.ErrUnexpectedEOF
}

func (waiting) Close() error { return nil }

// edge is a proxy over a directory, with streams looked after.
type edge struct {
	*edgetest.Edge

	proxy     *Proxy
	holder    snapshot.Holder
	env       *snapshot.Env
	freshness *freshness.Freshness
	metrics   *pipeline.Metrics
	ledger    *usage.Ledger
	key       string
}

func newEdge(t testing.TB, upstream snapshot.Sender) *edge {
	t.Helper()
	return newEdgeOf(t, upstream, policies.All(), protected)
}

func newEdgeOf(t testing.TB, upstream snapshot.Sender, kinds []pipeline.Binding, configuration string) *edge {
	t.Helper()
	e := &edge{Edge: edgetest.New(t, kinds...), metrics: pipeline.NewMetrics(kinds)}
	e.env = snapshot.NewEnv(snapshot.Config{
		Directory: e.Directory, Kinds: kinds, Logger: slog.New(slog.DiscardHandler), Metrics: e.metrics,
		NewSender: func(snapshot.Spec) snapshot.Sender { return upstream },
	})
	registry := streams.NewRegistry(e.Directory)
	go func() { _ = registry.Run(t.Context()) }()
	e.freshness = freshness.New(time.Now())
	e.ledger = usage.Open(usage.Config{Log: slog.New(slog.DiscardHandler)})
	e.proxy = New(Config{
		Snapshots: &e.holder, Directory: e.Directory, Freshness: e.freshness, Streams: registry,
		Usage: e.ledger.Recorder(),
	})
	e.key = e.Key(t, "alice", edgetest.Key{})
	e.configure(t, configuration)
	return e
}

func (e *edge) configure(t testing.TB, text string) {
	t.Helper()
	e.Configure(t, text)
	next, errs := snapshot.Compile(e.env, 1, e.Sources(), nil)
	if len(errs) > 0 {
		t.Fatal(edgetest.Codes(errs))
	}
	e.holder.Store(next)
}

// open begins a request with the key.
func (e *edge) open(t *testing.T) *pipeline.Exchange {
	t.Helper()
	ex := e.proxy.Acquire()
	asked := e.Exchange(edgetest.Get("/stream", "X-Api-Key: "+e.key))
	ex.Started, ex.Request, ex.Client = time.Now(), asked.Request, asked.Client
	e.proxy.Serve(ex)
	return ex
}
