package snapshot

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/rates"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/proto/id"
)

// Config is what an Env is made from.
type Config struct {
	// Directory is what stages look credentials up in.
	Directory *directory.Directory
	// Shares is this node's part of what is limited over the whole fleet; nil: no policy can limit that.
	Shares limiter.Shares
	// Failures slows down who tries credentials; nil: nobody is slowed down.
	Failures *backoff.Table
	// Issuers looks for issuers' keys; nil: nobody does, and no issuer has one.
	Issuers *issuers.Registry
	// Memory bounds the bodies that stages want whole; nil: nothing does.
	Memory *payload.Memory
	// Samples keeps inspected requests for policies that ask for it; nil: the node keeps none.
	Samples *samples.Ring
	// Exclusions counts what exclusions of the WAF in shadow would have done; nil: nobody does.
	Exclusions *exclusions.Counters
	// Effort bounds what inspections cost; nil: nothing does.
	Effort *effort.Meter
	// Kinds are those that this build enforces.
	Kinds []pipeline.Binding
	// Logger hears of stages that fail.
	Logger *slog.Logger
	// Metrics counts verdicts; of the same Kinds.
	Metrics *pipeline.Metrics
	// Rates counts what is asked of services; nil: nobody wants to know.
	Rates *rates.Table
	// Clock tells the time; nil: time.Now.
	Clock func() time.Time
	// NewSender makes what speaks to a service's upstream; nil: services have none.
	NewSender func(Spec) Sender
}

// Env is what compiling needs and what must outlive a snapshot. One process has one.
type Env struct {
	config   Config
	bindings map[string]pipeline.Binding
	runner   *pipeline.Runner
	parts    *pipeline.Parts
}

// NewEnv returns an Env.
func NewEnv(config Config) *Env {
	if config.Clock == nil {
		config.Clock = time.Now
	}
	e := &Env{
		config:   config,
		bindings: make(map[string]pipeline.Binding, len(config.Kinds)),
		runner:   &pipeline.Runner{Logger: config.Logger, Metrics: config.Metrics, Clock: config.Clock, Memory: config.Memory},
		parts:    new(pipeline.Parts),
	}
	for _, b := range config.Kinds {
		e.bindings[b.Kind.Name] = b
	}
	return e
}

// Shared returns the parts themselves.
func (e *Env) Shared() *pipeline.Parts { return e.parts }

// Parts returns how many parts are kept over revisions.
func (e *Env) Parts() int { return e.parts.Len() }

func (e *Env) pipelineEnv(policy id.ID, name string) pipeline.Env {
	return pipeline.Env{
		Directory: e.config.Directory, Clock: e.config.Clock, Parts: e.parts, Shares: e.config.Shares, Failures: e.config.Failures, Issuers: e.config.Issuers,
		Effort: e.config.Effort, Samples: e.config.Samples, PolicyID: policy, PolicyName: name,
	}
}
