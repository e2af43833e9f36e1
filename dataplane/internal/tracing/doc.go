// Package tracing sends spans of requests to whoever collects them, by OTLP over HTTP.
//
// It owns the context of a trace as it comes with a request and goes on to the service ([ParseParent], W3C Trace Context level 1),
// which requests are sampled ([Tracer.Begin]), and the span of one that is ([Span]): one per request, with an event per stage.
// It doesn't own what a stage said (pipeline), nor the record that the control plane keeps of a request (usage).
//
// A request that isn't sampled costs a look at one header; its trace context goes on to the service as it came. Spans wait in a
// bounded queue: what doesn't fit, or can't be delivered, is counted and lost, and no request waits for it.
package tracing
