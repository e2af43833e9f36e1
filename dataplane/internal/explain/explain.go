package explain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/listener"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/apikey"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// timeout bounds one explanation.
	timeout = 2 * time.Second
	// attempts is how often a rehearsal is begun again under which the configuration changed.
	attempts = 3
)

// Gateway takes exchanges through the node; *proxy.Proxy is it.
type Gateway interface {
	// AcquireDry returns an empty exchange for a dry run.
	AcquireDry() *pipeline.Exchange
	// Serve leaves an answer in ex.Response, or none where a service would be asked.
	Serve(ex *pipeline.Exchange)
	// Finish ends the exchange.
	Finish(ex *pipeline.Exchange)
}

// Config is what an Explainer works with.
type Config struct {
	// Gateway that serves.
	Gateway Gateway
	// Snapshots holds the configuration in force.
	Snapshots *snapshot.Holder
	// Directory is what is the case now.
	Directory *directory.Directory
	// Logger hears of panics.
	Logger *slog.Logger
}

// Explainer explains. It is safe for concurrent use.
type Explainer struct{ config Config }

// New returns an explainer.
func New(config Config) *Explainer { return &Explainer{config} }

// ErrQuestion is returned for a question that no client could ask.
var ErrQuestion = errors.New("a request that no client can send")

var errMoves = errors.New("the configuration changes faster than a request can be explained; try again")

// Explain tells what the node would do with a request now. An error wraps ErrQuestion when the question is at fault.
func (e *Explainer) Explain(ctx context.Context, q *edgev1.ExplainQuestion) (*edgev1.Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	head, err := headOf(q)
	if err != nil {
		return nil, err
	}
	peer, err := netip.ParseAddr(q.GetPeer())
	if err != nil {
		return nil, fmt.Errorf("%w: peer: %w", ErrQuestion, err)
	}
	assumed, err := assumedOf(q)
	if err != nil {
		return nil, err
	}
	for range attempts {
		r := &rehearsal{config: &e.config, assumed: assumed, secure: q.GetScheme() == "https", trace: pipeline.NewTrace()}
		answer, err := listener.Rehearse(ctx, head, netip.AddrPortFrom(peer, clientPort), r, e.config.Logger, maxBody)
		r.trace.Free()
		if err != nil {
			return nil, fmt.Errorf("explain a request: %w", err)
		}
		if !r.torn {
			return r.explanation(answer), nil
		}
	}
	return nil, errMoves
}

// clientPort is the port that a client's connection comes from; nothing decides by it.
const clientPort = 49152

// rehearsal is the handler of one request that nobody sent.
type rehearsal struct {
	config  *Config
	assumed *pipeline.Assumed
	secure  bool // the connection is taken to be one over TLS
	trace   *pipeline.Trace

	notes *edgev1.Explanation // nil: no request came out of the head
	torn  bool                // the configuration changed between two looks
}

// Acquire implements listener.Handler.
func (r *rehearsal) Acquire() *pipeline.Exchange {
	ex := r.config.Gateway.AcquireDry()
	ex.Assumed, ex.Trace = r.assumed, r.trace
	return ex
}

// Serve implements listener.Handler.
func (r *rehearsal) Serve(ex *pipeline.Exchange) {
	if r.secure {
		ex.Request.Scheme = "https"
	}
	var routing snapshot.Routing
	sequence, _ := r.config.Directory.Head()
	current := r.config.Snapshots.Load()
	if current != nil && ex.Rejection == nil && current.Settings.Locate(ex) == nil {
		routing = current.Routing(ex, maxMisses) // before stages take anything out of the request
	}
	asked := textOf(&ex.Request, routing.Method)
	r.config.Gateway.Serve(ex)
	r.torn = ex.Revision != 0 && (current == nil || ex.Revision != current.Revision)
	r.notes = note(ex, asked, routing)
	r.notes.Sequence = sequence
	if ex.Response.Status == 0 { // the service's answer goes here
		r.notes.Forward = forwardOf(ex, routing.Route)
		ex.Response.Status = standInStatus
	}
}

// standInStatus is what the wire is given in the place of a service's answer. Nobody is told.
const standInStatus = 200

// Finish implements listener.Handler.
func (r *rehearsal) Finish(ex *pipeline.Exchange) { r.config.Gateway.Finish(ex) }

// explanation adds what came over the wire to what was noted.
func (r *rehearsal) explanation(answer listener.Rehearsed) *edgev1.Explanation {
	m := r.notes
	if m == nil {
		m = &edgev1.Explanation{
			Verdict: string(problem.BadRequest), Reason: "this is no request: the listener refuses it before anything looks at it",
		}
	}
	m.AnswerHeader = headerOf(answer.Header)
	if m.Forward == nil {
		m.Status, m.AnswerBody = uint32(answer.Status), clip(answer.Body, maxBody)
	}
	return m
}

// assumedOf returns who is taken to call; nil: the headers say.
func assumedOf(q *edgev1.ExplainQuestion) (*pipeline.Assumed, error) {
	a := new(pipeline.Assumed)
	switch {
	case len(q.GetProof()) == 0 && len(q.GetConsumer()) == 0:
		return nil, nil //nolint:nilnil // nobody is assumed
	case len(q.GetProof()) == len(apikey.Digest{}) && len(q.GetConsumer()) == 0:
		a.Proof = apikey.Digest(q.GetProof())
	case len(q.GetConsumer()) == len(a.Consumer) && len(q.GetProof()) == 0:
		copy(a.Consumer[:], q.GetConsumer())
		a.Scopes = q.GetScopes()
	default:
		return nil, fmt.Errorf("%w: proof or consumer: one of them, in its length", ErrQuestion)
	}
	return a, nil
}
