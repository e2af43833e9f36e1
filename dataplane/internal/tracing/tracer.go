package tracing

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// queueSize bounds the spans that wait to be sent.
	queueSize = 4096
	// exportTimeout bounds one attempt to send a batch.
	exportTimeout = 10 * time.Second
)

// Config is what a Tracer needs.
type Config struct {
	// Endpoint is the collector's URL ("http://collector:4318"). Headers and certificates come from the environment's
	// OTEL_EXPORTER_OTLP_… variables.
	Endpoint string
	// Ratio of the requests that are sampled, 0 to 1.
	Ratio float64
	// Node and Build name the process.
	Node, Build string
	// Logger hears of spans that can't be delivered.
	Logger *slog.Logger
}

// Tracer begins spans. A nil one begins none. It is safe for concurrent use.
type Tracer struct {
	provider  *sdktrace.TracerProvider
	tracer    trace.Tracer
	threshold uint64 // of 56 random bits: those below are sampled
	counting  *counting
	begun     atomic.Uint64
}

// Open returns a tracer that sends to a collector, which needn't be there yet.
func Open(ctx context.Context, config Config) (*Tracer, error) {
	if config.Ratio < 0 || config.Ratio > 1 || math.IsNaN(config.Ratio) {
		return nil, fmt.Errorf("the ratio of traced requests is %v; it takes 0 to 1", config.Ratio)
	}
	endpoint, err := url.Parse(config.Endpoint)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" {
		return nil, errors.New("the collector of traces must be a URL, http://host:4318 for instance")
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint.JoinPath("v1/traces").String()), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("trace to %s: %w", endpoint.Host, err)
	}
	counting := &counting{SpanExporter: exporter, log: config.Logger}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()), // who isn't sampled gets no span at all
		sdktrace.WithBatcher(counting, sdktrace.WithMaxQueueSize(queueSize), sdktrace.WithExportTimeout(exportTimeout)),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "sallyport-edge"), attribute.String("service.instance.id", config.Node), attribute.String("service.version", config.Build),
		)),
	)
	return &Tracer{
		provider: provider, tracer: provider.Tracer("github.com/sallyport/sallyport/dataplane"), counting: counting,
		threshold: uint64(config.Ratio * (1 << 56)),
	}, nil
}

// Close sends what waits, for as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// Stats are what became of spans so far. What was begun and is neither waits, or didn't fit.
type Stats struct{ Begun, Sent, Failed uint64 }

// Stats returns them.
func (t *Tracer) Stats() Stats {
	if t == nil {
		return Stats{}
	}
	return Stats{Begun: t.begun.Load(), Sent: t.counting.sent.Load(), Failed: t.counting.failed.Load()}
}

// Begin returns the span of a request that is sampled, else nil: as its trace's id says, so that all who sample by it agree, or, if
// the caller is trusted, as the caller says.
func (t *Tracer) Begin(parent trace.SpanContext, trusted bool, started time.Time) *Span {
	if t == nil || !t.samples(parent, trusted) {
		return nil
	}
	t.begun.Add(1)
	ctx := context.Background()
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	}
	_, span := t.tracer.Start(ctx, "", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(started))
	return &Span{span: span}
}

func (t *Tracer) samples(parent trace.SpanContext, trusted bool) bool {
	if !parent.IsValid() {
		return rand.Uint64()>>8 < t.threshold // #nosec G404 -- no secret
	}
	if trusted && parent.IsSampled() {
		return true
	}
	id := parent.TraceID()
	return binary.BigEndian.Uint64(id[8:])&(1<<56-1) < t.threshold
}

// counting counts what is sent, and says the first time in a row that it fails.
type counting struct {
	sdktrace.SpanExporter
	log          *slog.Logger
	sent, failed atomic.Uint64
	failing      atomic.Bool
}

// ExportSpans implements sdktrace.SpanExporter.
func (c *counting) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		c.sent.Add(uint64(len(spans)))
		c.failing.Store(false)
		return nil
	}
	c.failed.Add(uint64(len(spans)))
	if !c.failing.Swap(true) {
		c.log.Warn("spans can't be delivered, and are lost until they can", "error", err)
	}
	return nil // it is said and counted: the library would say it to a logger that isn't ours
}
