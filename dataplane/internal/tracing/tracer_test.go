package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collecting is a collector that keeps what it is sent.
type collecting struct {
	*httptest.Server
	status int

	mu    sync.Mutex
	spans []*otlp.Span
}

func collect(t *testing.T) *collecting {
	t.Helper()
	c := &collecting{status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		text, err := io.ReadAll(body)
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(text, &request); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
		w.WriteHeader(c.status)
	}))
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, endpoint string, ratio float64, log io.Writer) *Tracer {
	t.Helper()
	tracer, err := Open(t.Context(), Config{Endpoint: endpoint, Ratio: ratio, Node: "node_1", Build: "test", Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func end(t *testing.T, tracer *Tracer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	defer cancel()
	if err := tracer.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestASampledRequestIsASpanOfItsCallersTrace(t *testing.T) {
	c := collect(t)
	tracer := open(t, c.URL, 1, io.Discard)
	parent, _ := ParseParent(valid)
	began := time.Now().Add(-time.Second)
	span := tracer.Begin(parent, false, began)
	onward, ok := ParseParent(span.Parent())
	if !ok || onward.TraceID() != parent.TraceID() || onward.SpanID() == parent.SpanID() || !onward.IsSampled() || span.TraceID() != parent.TraceID().String() {
		t.Errorf("the service is told %q", span.Parent())
	}
	span.End(&Request{
		Method: "GET", Path: "/orders/7", Route: "orders", Status: 503, Verdict: "upstream_unreachable",
		Stages:        []Stage{{Kind: "api-key", Policy: "keys", Verdict: "passed", At: began.Add(time.Millisecond), Took: time.Microsecond}},
		UpstreamAsked: began.Add(2 * time.Millisecond), Upstream: 10 * time.Millisecond, UpstreamStatus: 503, Ended: began.Add(20 * time.Millisecond),
	})
	end(t, tracer)
	if len(c.spans) != 1 {
		t.Fatalf("%d spans came", len(c.spans))
	}
	got := c.spans[0]
	if got.GetName() != "GET orders" || got.GetKind() != otlp.Span_SPAN_KIND_SERVER || fmt.Sprintf("%x", got.GetParentSpanId()) != valid[36:52] || fmt.Sprintf("%x", got.GetSpanId()) != onward.SpanID().String() {
		t.Errorf("got %v", got)
	}
	if got.GetEndTimeUnixNano()-got.GetStartTimeUnixNano() != uint64(20*time.Millisecond) || got.GetStatus().GetCode() != otlp.Status_STATUS_CODE_ERROR {
		t.Errorf("it took %d ns and has the status %v", got.GetEndTimeUnixNano()-got.GetStartTimeUnixNano(), got.GetStatus())
	}
	var events, attributes []string
	for _, e := range got.GetEvents() {
		events = append(events, e.GetName())
	}
	for _, a := range got.GetAttributes() {
		attributes = append(attributes, a.GetKey())
	}
	if strings.Join(events, ",") != "api-key,upstream asked,upstream answered" {
		t.Errorf("events are %v", events)
	}
	if all := strings.Join(attributes, ","); !strings.Contains(all, "url.path") || strings.Contains(all, "client.address") {
		t.Errorf("attributes are %s", all)
	}
	if stats := tracer.Stats(); stats != (Stats{Begun: 1, Sent: 1}) {
		t.Errorf("got %+v", stats)
	}
}

func TestWhoIsSampledIsDecidedByTheTraceOrByATrustedCaller(t *testing.T) {
	c := collect(t)
	never, always, half := open(t, c.URL, 0, io.Discard), open(t, c.URL, 1, io.Discard), open(t, c.URL, .5, io.Discard)
	sampled, _ := ParseParent(valid)
	if never.Begin(sampled, false, time.Now()) != nil {
		t.Error("a stranger makes us trace")
	}
	if never.Begin(sampled, true, time.Now()) == nil || always.Begin(trace.SpanContext{}, false, time.Now()) == nil {
		t.Error("not traced")
	}
	if never.Begin(trace.SpanContext{}, true, time.Now()) != nil {
		t.Error("traced though nobody asked for it")
	}
	low, _ := ParseParent("00-4bf92f3577b34da6ff7fffffffffffff-00f067aa0ba902b7-00")
	high, _ := ParseParent("00-4bf92f3577b34da60080000000000000-00f067aa0ba902b7-00")
	if half.Begin(low, false, time.Now()) == nil || half.Begin(high, false, time.Now()) != nil {
		t.Error("the trace's id doesn't decide")
	}
	if (*Tracer)(nil).Begin(sampled, true, time.Now()) != nil || (*Tracer)(nil).Close(t.Context()) != nil {
		t.Error("without a collector there is a span")
	}
	for _, tracer := range []*Tracer{never, always, half} {
		end(t, tracer)
	}
}

func TestSpansThatNobodyTakesAreCountedAndSaidOnce(t *testing.T) {
	c := collect(t)
	c.status = http.StatusBadRequest // not to be tried again
	var log bytes.Buffer
	tracer := open(t, c.URL, 1, &log)
	for range 2 {
		tracer.Begin(trace.SpanContext{}, false, time.Now()).End(&Request{Ended: time.Now()})
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end(t, tracer)
	if stats := tracer.Stats(); stats != (Stats{Begun: 2, Failed: 2}) {
		t.Errorf("got %+v", stats)
	}
	if n := strings.Count(log.String(), "can't be delivered"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

func TestWhatCannotBeMeantIsRefused(t *testing.T) {
	for _, ratio := range []float64{-.1, 1.1} {
		if _, err := Open(t.Context(), Config{Endpoint: "http://127.0.0.1:4318", Ratio: ratio}); err == nil {
			t.Errorf("%v is taken", ratio)
		}
	}
	for _, endpoint := range []string{"", "collector:4318", "ftp://collector", "http://", "http://%zz"} {
		if _, err := Open(t.Context(), Config{Endpoint: endpoint, Ratio: 1}); err == nil {
			t.Errorf("%q is taken for a collector", endpoint)
		}
	}
}
