package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
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
	if s.silent {
		<-ex.Context.Done()
		return &pipeline.Rejection{Code: problem.ClientGone, Reason: "given up"}
	}
	ex.Response.Status, ex.Response.ContentLength = 200, -1
	ex.Response.Body = waiting{ex.Context}
	return nil
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err() //nolint:wrapcheck // a test's
}

func (waiting) Close() error { return nil }

// edge is a proxy over a directory, with streams looked after.
type edge struct {
	*edgetest.Edge

	proxy  *Proxy
	holder snapshot.Holder
	env    *snapshot.Env
	key    string
}

func newEdge(t *testing.T, upstream snapshot.Sender) *edge {
	t.Helper()
	kinds := policies.All()
	e := &edge{Edge: edgetest.New(t, kinds...)}
	e.env = snapshot.NewEnv(snapshot.Config{
		Directory: e.Directory, Kinds: kinds, Logger: slog.New(slog.DiscardHandler), Metrics: pipeline.NewMetrics(kinds),
		NewSender: func(snapshot.Spec) snapshot.Sender { return upstream },
	})
	registry := streams.NewRegistry(e.Directory)
	go func() { _ = registry.Run(t.Context()) }()
	e.proxy = New(Config{Snapshots: &e.holder, Streams: registry, Usage: usage.NewRecorder()})
	e.key = e.Key(t, "alice", edgetest.Key{})
	e.configure(t, protected)
	return e
}

func (e *edge) configure(t *testing.T, text string) {
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
	ex.Context, ex.Started, ex.Request, ex.Client = context.Background(), time.Now(), asked.Request, asked.Client
	e.proxy.Serve(ex)
	return ex
}

func TestAStreamOfASuspendedConsumerIsGivenUpAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, slow{})
		ex := e.open(t)
		if ex.Response.Status != 200 || ex.Verdict != pipeline.Allowed {
			t.Fatalf("the stream began with %d %s", ex.Response.Status, ex.Verdict)
		}
		time.Sleep(time.Hour)
		e.Consumer(t, "alice", true)
		begun := time.Now()
		if _, err := ex.Response.Body.Read(nil); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("the answer ended with %v, as if it were whole", err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %s", took)
		}
		e.proxy.log = NewAccessLog(io.Discard)
		e.proxy.Finish(ex)
		line := string(e.proxy.log.filling)
		for _, want := range []string{`"verdict":"stream_ended"`, `"reason":"consumer_suspended"`, `"status":200`, `"consumer":"alice"`} {
			if !strings.Contains(line, want) {
				t.Errorf("the access log says %s; want %s", line, want)
			}
		}
	})
}

func TestARequestEndedBeforeItsAnswerIsAnsweredWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, slow{silent: true})
		go func() {
			time.Sleep(time.Minute)
			e.Consumer(t, "alice", true)
		}()
		ex := e.open(t)
		defer e.proxy.Finish(ex)
		if ex.Response.Status != 403 || ex.Verdict != problem.StreamEnded {
			t.Errorf("answered %d %s, want 403 %s", ex.Response.Status, ex.Verdict, problem.StreamEnded)
		}
	})
}

// A stream of hours must not keep alive what every revision since has replaced.
func TestAStreamKeepsNoOldConfigurationAlive(t *testing.T) {
	e := newEdge(t, slow{})
	ex := e.open(t)
	defer e.proxy.Finish(ex)
	old := weak.Make(e.holder.Load())
	stages := weak.Make(stagesOf(t, e))

	e.configure(t, `{"policies": [{"name": "keys", "kind": "api-key", "config": {"required_scopes": ["other"]}, "attached_to": [{"environment": true}]}]}`)

	for deadline := time.Now().Add(10 * time.Second); old.Value() != nil || stages.Value() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the open stream keeps the revision alive under which it began")
		}
		runtime.GC()
	}
	if ex.Context.Err() != nil {
		t.Error("the stream didn't survive the revision")
	}
}

func stagesOf(t *testing.T, e *edge) *pipeline.Stages {
	t.Helper()
	route, err := e.holder.Load().Route(e.Exchange(edgetest.Get("/stream")))
	if err != nil {
		t.Fatal(err)
	}
	return route.Stages
}
