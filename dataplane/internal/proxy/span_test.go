package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/proto/id"
)

const (
	callersTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersParent = "00-" + callersTrace + "-00f067aa0ba902b7-01"
)

// noting is a service that notes the context of the trace that it is asked in.
type noting struct{ parent, state *[]string }

func (n noting) Send(ex *pipeline.Exchange) error {
	*n.parent, *n.state = nil, nil
	for _, f := range ex.Request.Header.Fields() {
		switch {
		case pipeline.EqualFold(f.Name, tracing.ParentHeader):
			*n.parent = append(*n.parent, f.Value)
		case pipeline.EqualFold(f.Name, tracing.StateHeader):
			*n.state = append(*n.state, f.Value)
		}
	}
	ex.Response.Status = 200
	return nil
}

// traces makes the edge sample a share of the requests, for a collector that isn't there.
func (e *edge) traces(t *testing.T, ratio float64) {
	t.Helper()
	tracer, err := tracing.Open(t.Context(), tracing.Config{Endpoint: "http://127.0.0.1:1", Ratio: ratio, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gone, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		_ = tracer.Close(gone) // nobody takes what waits
	})
	e.proxy.tracer = tracer
}

func TestTheServiceIsAskedInTheSpansContextOrInTheCallers(t *testing.T) {
	var parent, state []string
	for name, tt := range map[string]struct {
		ratio   float64
		headers []string
		sampled bool // a span is begun
		trace   string
		state   string
	}{
		"sampled":                        {1, []string{"traceparent: " + callersParent, "tracestate: a=b"}, true, callersTrace, "a=b"},
		"sampled, and nobody's before":   {1, nil, true, "", ""},
		"sampled, and no context before": {1, []string{"Traceparent: nonsense", "Tracestate: a=b"}, true, "", ""},
		"not sampled":                    {0, []string{"Traceparent: " + callersParent, "Tracestate: a=b"}, false, callersTrace, "a=b"},
		"not sampled, and no context":    {0, []string{"Traceparent: nonsense", "Tracestate: a=b"}, false, "", ""},
		"not sampled, and two contexts":  {0, []string{"Traceparent: " + callersParent, "Traceparent: " + callersParent}, false, "", ""},
	} {
		e := newEdge(t, noting{&parent, &state})
		e.traces(t, tt.ratio)
		e.through(t, "/a", append(tt.headers, "X-Api-Key: "+e.key)...)
		if strings.Join(state, " ") != tt.state {
			t.Errorf("%s: the state goes on as %q", name, state)
		}
		switch {
		case !tt.sampled && tt.trace == "":
			if len(parent) != 0 {
				t.Errorf("%s: the service is asked in %q", name, parent)
			}
		case len(parent) != 1 || !strings.HasPrefix(parent[0], "00-"+tt.trace) || (parent[0] == callersParent) == tt.sampled:
			t.Errorf("%s: the service is asked in %q", name, parent)
		}
		if begun := e.proxy.tracer.Stats().Begun; (begun == 1) != tt.sampled {
			t.Errorf("%s: %d spans were begun", name, begun)
		}
	}
}

func TestOnlyATrustedProxyMakesARequestASpan(t *testing.T) {
	var parent, state []string
	for trusted, begun := range map[string]uint64{"198.51.100.0/24": 0, "192.0.2.0/24": 1} {
		e := newEdge(t, noting{&parent, &state})
		e.configure(t, strings.Replace(protected, "{", `{"settings": [{"name": "settings", "trusted_proxies": ["`+trusted+`"]}],`, 1))
		e.traces(t, 0)
		e.through(t, "/a", "Traceparent: "+callersParent, "X-Api-Key: "+e.key)
		if got := e.proxy.tracer.Stats().Begun; got != begun {
			t.Errorf("with %s trusted %d spans were begun, want %d", trusted, got, begun)
		}
	}
}

func TestASpansTraceIsNamedInLogExampleAndRecordOfItsRequest(t *testing.T) {
	var parent, state []string
	e := newEdge(t, noting{&parent, &state})
	e.configure(t, traced("0"))
	e.traces(t, 1)
	var log bytes.Buffer
	e.proxy.log = NewAccessLog(&log)
	e.through(t, "/a", "Traceparent: "+callersParent) // refused
	e.proxy.log.flush()
	if !strings.Contains(log.String(), `"trace_id":"`+callersTrace+`"`) {
		t.Errorf("logged as %s", log.String())
	}
	events := e.told(t)
	if len(events) != 1 || steps(events[0]) != "api-key refused timed" || len(events[0].GetDecision().GetTraceId()) != 16 {
		t.Errorf("told of %v", events)
	}
	found := false
	for _, counts := range e.proxy.rates.All() {
		for _, sample := range counts.Samples {
			found = found || sample.Trace == callersTrace
		}
	}
	if !found {
		t.Error("no bucket has it for an example")
	}
}

func TestADryRunIsNoSpan(t *testing.T) {
	var parent, state []string
	e := newEdge(t, noting{&parent, &state})
	e.traces(t, 1)
	ex := e.proxy.AcquireDry()
	asked := e.Exchange(edgetest.Get("/a", "X-Api-Key: "+e.key))
	ex.ID, ex.Started, ex.Request, ex.Client = id.New(time.Now()), time.Now(), asked.Request, asked.Client
	e.proxy.Serve(ex)
	if ex.Span != nil || ex.Trace != nil || e.proxy.tracer.Stats().Begun != 0 {
		t.Error("it is watched")
	}
	e.proxy.Finish(ex)
}
