package tracing

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Span is that of one sampled request. It belongs to the request's goroutine.
type Span struct {
	span trace.Span
}

// TraceID returns the trace's id, as logs and metrics name it.
func (s *Span) TraceID() string { return s.span.SpanContext().TraceID().String() }

// Parent returns the traceparent that makes what the service does part of this span.
func (s *Span) Parent() string {
	c := s.span.SpanContext()
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
}

// Request is what a span says of its request. Empty fields aren't said.
type Request struct {
	ID                          string
	Method, Scheme, Host, Path  string // the path without its query: it may hold secrets
	Client                      string
	Route, RouteID              string
	Service, Consumer, Key      string
	Revision                    uint64
	Status                      int
	Verdict, Reason             string
	ShadowVerdict               string // of a policy in shadow that would have refused
	RequestBytes, ResponseBytes int64
	Upstream                    time.Duration // until the service's answer began, or was given up
	UpstreamStatus              int           // 0: there was no answer
	Target                      string        // that was asked
	Stages                      []Stage
	UpstreamAsked, Ended        time.Time
}

// Stage is what one stage said.
type Stage struct {
	Kind, Policy, Verdict, Code string
	At                          time.Time
	Took                        time.Duration
}

// End says what the request was and came to, and hands the span over to be sent.
func (s *Span) End(r *Request) {
	name := r.Method
	if r.Route != "" {
		name += " " + r.Route
	}
	s.span.SetName(name)
	s.span.SetAttributes(r.attributes()...)
	for _, stage := range r.Stages {
		s.span.AddEvent(stage.Kind, trace.WithTimestamp(stage.At), trace.WithAttributes(said(
			text("sallyport.policy", stage.Policy), text("sallyport.verdict", stage.Verdict), text("sallyport.code", stage.Code),
			attribute.Int64("sallyport.took_ns", stage.Took.Nanoseconds()),
		)...))
	}
	if !r.UpstreamAsked.IsZero() {
		s.span.AddEvent("upstream asked", trace.WithTimestamp(r.UpstreamAsked), trace.WithAttributes(said(text("sallyport.target", r.Target))...))
	}
	if r.UpstreamStatus != 0 {
		s.span.AddEvent("upstream answered", trace.WithTimestamp(r.UpstreamAsked.Add(r.Upstream)),
			trace.WithAttributes(attribute.Int("http.response.status_code", r.UpstreamStatus)))
	}
	if r.Status >= 500 {
		s.span.SetStatus(codes.Error, r.Verdict)
	}
	s.span.End(trace.WithTimestamp(r.Ended))
}

// attributes are by OpenTelemetry's semantic conventions for HTTP servers, and of our own names where they have none.
func (r *Request) attributes() []attribute.KeyValue {
	return said(
		text("http.request.method", r.Method), text("url.scheme", r.Scheme), text("server.address", r.Host), text("url.path", r.Path),
		text("client.address", r.Client), text("http.route", r.Route),
		attribute.Int("http.response.status_code", r.Status),
		attribute.Int64("http.request.body.size", r.RequestBytes), attribute.Int64("http.response.body.size", r.ResponseBytes),
		text("sallyport.request.id", r.ID), text("sallyport.route.id", r.RouteID), text("sallyport.service", r.Service),
		text("sallyport.consumer.id", r.Consumer), text("sallyport.credential.id", r.Key),
		attribute.Int64("sallyport.revision", int64(r.Revision)), // #nosec G115 -- as Postgres counts
		text("sallyport.verdict", r.Verdict), text("sallyport.reason", r.Reason),
		text("sallyport.shadow_verdict", r.ShadowVerdict),
	)
}

func text(name, value string) attribute.KeyValue { return attribute.String(name, value) }

// said leaves out empty texts.
func said(all ...attribute.KeyValue) []attribute.KeyValue {
	kept := all[:0]
	for _, a := range all {
		if a.Value.Type() != attribute.STRING || a.Value.AsString() != "" {
			kept = append(kept, a)
		}
	}
	return kept
}
