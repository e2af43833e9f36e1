package dataplane

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
)

// Tracing is which requests become spans, and where they are sent.
type Tracing struct {
	// Endpoint is the collector's URL (OTLP over HTTP), http://host:4318 for instance; "": nobody collects spans.
	Endpoint string
	// Ratio of the requests that are sampled, 0 to 1. What a trusted proxy samples is sampled in any case.
	Ratio float64
}

// tracingDrain bounds how long the last spans are tried to be sent.
const tracingDrain = 5 * time.Second

// openTracing needs no collector to be there yet.
func (n *node) openTracing() error {
	if n.cfg.Tracing.Endpoint == "" {
		return nil
	}
	name := n.home.node
	if name == "" { // it hasn't joined
		name = n.cfg.Name
	}
	tracer, err := tracing.Open(context.Background(), tracing.Config{
		Endpoint: n.cfg.Tracing.Endpoint, Ratio: n.cfg.Tracing.Ratio, Node: name, Build: n.cfg.Build, Logger: n.cfg.Logger,
	})
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	n.tracer = tracer
	return nil
}

// closeTracing sends the last spans; no request is under way any more.
func (n *node) closeTracing() {
	if n.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracingDrain)
	defer cancel()
	if err := n.tracer.Close(ctx); err != nil {
		n.cfg.Logger.Warn("the last spans are lost", "error", err)
	}
}

func (n *node) tracingSamples(one func(string, float64, ...string)) {
	s := n.tracer.Stats()
	one(admin.Spans, float64(s.Begun), "begun")
	one(admin.Spans, float64(s.Sent), "sent")
	one(admin.Spans, float64(s.Failed), "failed")
}
