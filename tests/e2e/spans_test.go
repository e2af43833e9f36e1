package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/tests/harness"
)

// spans is a collector that keeps what it is sent.
type spans struct {
	t  *testing.T
	mu sync.Mutex
	by map[string][]*otlp.Span // by the request's id
}

// collect starts a collector, and returns its URL.
func collect(t *testing.T) (*spans, string) {
	t.Helper()
	c := &spans{t: t, by: map[string][]*otlp.Span{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			c.t.Error(err)
			return
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return // the edge went away
	}
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &sent); err != nil || r.URL.Path != "/v1/traces" || strings.Contains(string(text), secret) {
		c.t.Errorf("%s: sent %d bytes that are no spans, or tell a secret: %v", r.URL, len(text), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				id := attribute(span, "sallyport.request.id")
				c.by[id] = append(c.by[id], span)
			}
		}
	}
}

// of returns the one span of a request, once it has come.
func (c *spans) of(id string) *otlp.Span {
	c.t.Helper()
	var found []*otlp.Span
	harness.Eventually(c.t, time.Minute, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if found = c.by[id]; len(found) == 0 {
			return fmt.Errorf("no span of %s has come", id)
		}
		return nil
	})
	if len(found) != 1 {
		c.t.Errorf("%d spans of %s have come", len(found), id)
	}
	return found[0]
}

func attribute(span *otlp.Span, name string) string {
	for _, a := range span.GetAttributes() {
		if a.GetKey() == name {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

func events(span *otlp.Span) []string {
	var all []string
	for _, e := range span.GetEvents() {
		all = append(all, e.GetName())
	}
	return all
}

func TestEachSampledRequestIsASpanBetweenItsCallersAndItsServices(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0, harness.Loopback)
	c, url := collect(t)
	if _, err := s.Environment.AddEdgeOf(t.Context(), "", "OTEL_EXPORTER_OTLP_ENDPOINT="+url, "SALLYPORT_TRACE_RATIO=1"); err != nil {
		t.Fatal(err)
	}
	upstream := harness.NewUpstream(t, nil)
	p := s.Protected(upstream.Address)
	edge := s.Edges()[0]
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

	header := harness.WithKey(p.Key.Key)
	header.Set("Traceparent", "00-"+trace+"-"+parent+"-00")
	header.Set("Tracestate", "vendor=1")
	allowed := s.Expect(edge, "/orders?token="+secret, header, http.StatusOK, "")
	span := c.of(allowed.Header.Get("X-Request-Id"))
	if fmt.Sprintf("%x", span.GetTraceId()) != trace || fmt.Sprintf("%x", span.GetParentSpanId()) != parent || span.GetName() != "GET "+p.Route.Name {
		t.Errorf("the span is %v", span)
	}
	if got := events(span); !slices.Equal(got, []string{"api-key", "upstream asked", "upstream answered"}) {
		t.Errorf("its events are %v", got)
	}
	if attribute(span, "sallyport.consumer.id") != p.Consumer.ID || attribute(span, "url.path") != "/orders" || attribute(span, "sallyport.verdict") != "allowed" {
		t.Errorf("its attributes are %v", span.GetAttributes())
	}
	asked := upstream.Requests()[0].Header
	if want := "00-" + trace + "-" + fmt.Sprintf("%x", span.GetSpanId()) + "-01"; asked.Get("Traceparent") != want || asked.Get("Tracestate") != "vendor=1" {
		t.Errorf("the service is asked in %q, %q", asked.Get("Traceparent"), asked.Get("Tracestate"))
	}

	refused := s.Expect(edge, "/", nil, http.StatusUnauthorized, "credential_missing")
	span = c.of(refused.Header.Get("X-Request-Id"))
	if len(span.GetParentSpanId()) != 0 || attribute(span, "sallyport.verdict") != "credential_missing" || !slices.Equal(events(span), []string{"api-key"}) {
		t.Errorf("the refused one's span is %v", span)
	}
	harness.Eventually(t, time.Minute, func() error {
		metrics, err := edge.Metrics(t.Context())
		if err != nil {
			return err
		}
		begun, sent, failed := metrics.Sum("sallyport_edge_spans_total", `outcome="begun"`), metrics.Sum("sallyport_edge_spans_total", `outcome="sent"`), metrics.Sum("sallyport_edge_spans_total", `outcome="failed"`)
		if begun != 2 || sent != 2 || failed != 0 {
			return fmt.Errorf("%v spans begun, %v sent, %v failed", begun, sent, failed)
		}
		return nil
	})
	latest := fmt.Sprintf("trace_id=\"%x\"", span.GetTraceId()) // it stands for its bucket
	if text, err := edge.OpenMetrics(t.Context()); err != nil || !strings.Contains(text, latest) {
		t.Errorf("no bucket has %s for an example: %v", latest, err)
	}
}
