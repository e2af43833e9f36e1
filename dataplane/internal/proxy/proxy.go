package proxy

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/rates"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/problem"
)

// Config is what a Proxy works with.
type Config struct {
	// Snapshots holds the configuration in force.
	Snapshots *snapshot.Holder
	// Directory knows which addresses are blocked.
	Directory *directory.Directory
	// Freshness tells when the control plane last vouched for credentials.
	Freshness *freshness.Freshness
	// Streams ends long exchanges of callers who aren't let in any more.
	Streams *streams.Registry
	// Usage counts.
	Usage *usage.Recorder
	// Rates counts too, for whoever watches the node; nil: nobody does.
	Rates *rates.Table
	// Tracer begins spans; nil: nobody collects them.
	Tracer *tracing.Tracer
	// AccessLog takes a line per request; nil: none.
	AccessLog *AccessLog
}

// Proxy takes requests through the gateway. It is safe for concurrent use.
type Proxy struct {
	snapshots *snapshot.Holder
	directory *directory.Directory
	freshness *freshness.Freshness
	streams   *streams.Registry
	usage     *usage.Recorder
	rates     *rates.Table
	tracer    *tracing.Tracer
	log       *AccessLog
	pool      pipeline.Pool
	underWay  atomic.Int64
}

// New returns a proxy.
func New(cfg Config) *Proxy {
	if cfg.Rates == nil {
		cfg.Rates = rates.NewTable()
	}
	return &Proxy{
		snapshots: cfg.Snapshots, directory: cfg.Directory, freshness: cfg.Freshness, streams: cfg.Streams, usage: cfg.Usage, rates: cfg.Rates,
		tracer: cfg.Tracer, log: cfg.AccessLog,
	}
}

// Acquire returns an empty exchange.
func (p *Proxy) Acquire() *pipeline.Exchange {
	p.underWay.Add(1)
	return p.pool.Get()
}

// AcquireDry returns an empty exchange for a dry run, which counts nowhere: not among those under way either.
func (p *Proxy) AcquireDry() *pipeline.Exchange {
	ex := p.pool.Get()
	ex.Dry = true
	return ex
}

// UnderWay returns how many exchanges were acquired and aren't finished.
func (p *Proxy) UnderWay() int64 { return p.underWay.Load() }

// Serve leaves an answer in ex.Response: the upstream's, or the reason why there is none. In a dry run no service is asked: the
// answer of a request that would reach one has no status, and holds what the gateway would add to the service's.
func (p *Proxy) Serve(ex *pipeline.Exchange) {
	current := p.snapshots.Load()
	keepToTLS := strictTransport(ex, current) // of the request as it came
	stages := p.ask(ex, current)
	if ex.Rejection != nil {
		ex.Answer()
	} else {
		prepareResponse(ex)
	}
	if stages != nil {
		_ = stages.Respond(ex) // whoever refuses has answered
	}
	ex.Response.Header.Set(requestIDHeader, ex.IDText())
	if keepToTLS != "" {
		ex.Response.Header.Set(strictTransportHeader, keepToTLS)
	}
	if !ex.Dry { // what a dry run has found out is still to be told
		p.retrace(ex, stages)
		ex.LetGo()
	}
}

// ask takes the request to its upstream; ex.Rejection says what it failed at. It returns the stages that are to see the
// answer, which are kept for Finish.
func (p *Proxy) ask(ex *pipeline.Exchange, current *snapshot.Snapshot) *pipeline.Stages {
	route := p.find(ex, current)
	if route == nil {
		return nil
	}
	ex.Stages = route.Stages
	if route.Stages.Run(ex) != nil || ex.Replied() {
		return route.Stages
	}
	prepareRequest(ex)
	if ex.Dry {
		return route.Stages
	}
	p.seat(ex)
	ex.Asked = time.Now()
	if err := send(ex, route.Service.Sender); err != nil {
		if ended := endedBy(ex); ended != nil {
			err = ended
		}
		refuse(ex, err)
		route.Stages.CutOff(ex)
	} else {
		ex.UpstreamStatus = ex.Response.Status
	}
	ex.Answered = time.Now()
	ex.Upstream = ex.Answered.Sub(ex.Asked)
	return route.Stages
}

// find returns the route of a request that may be let go on; nil: it is refused, or answered. It needs much of the stack, and thousands of
// connections wait for services on theirs: none of it lies below that.
//
//go:noinline
func (p *Proxy) find(ex *pipeline.Exchange, current *snapshot.Snapshot) *snapshot.Route {
	if current == nil {
		ex.Client.Address = ex.Client.Peer.Addr() // nobody is known to be trusted
		_ = new(snapshot.Settings).Locate(ex)     // for who reads of the request: it is refused whatever its path
		ex.Refuse(ex.Reject(problem.NotReady, "", "no configuration yet"))
		return nil
	}
	ex.Client.Address = clientAddress(ex, current.Settings.TrustedProxies.Contains)
	p.watch(ex, current.Settings)
	if ex.Rejection != nil { // the listener refused it
		return nil
	}
	if refused := current.Settings.Locate(ex); refused != nil {
		ex.Refuse(refused)
		return nil
	}
	if p.directory.AddressBlocked(ex.Client.Address, ex.Started) {
		ex.Refuse(ex.Reject(problem.Blocked, "", "the client's address is blocked"))
		return nil
	}
	if current.Settings.HTTPS.Redirect && !isSecure(ex, current.Settings) {
		redirect(ex, current)
		return nil
	}
	if publishes(ex, current.Settings) {
		p.publish(ex, current)
		return nil
	}
	route, err := current.Route(ex)
	if err != nil {
		refuse(ex, err)
		return nil
	}
	if route.Authenticates && p.directory.Empty() { // its keys would be told that they are wrong
		ex.Refuse(ex.Reject(problem.NotReady, "", "no directory yet"))
		return nil
	}
	if limit := current.Settings.MaxStaleness; limit > 0 && route.Authenticates && p.freshness.Age(ex.Started) > limit {
		ex.Refuse(stale(ex))
		return nil
	}
	return route
}

// staleRetry is what a caller is told to wait, in seconds: beats come more often.
const staleRetry = "5"

// stale refuses a request before anybody is authenticated, by a directory that may lack revocations.
func stale(ex *pipeline.Exchange) *pipeline.Rejection {
	r := ex.Reject(problem.ConfigurationStale, "", "the control plane last vouched for the directory longer ago than max_staleness")
	r.Header.Add("Retry-After", staleRetry)
	return r
}

// seat lets the exchange go on for as long as its caller is let in.
func (p *Proxy) seat(ex *pipeline.Exchange) {
	caller := directory.Bearer{Address: ex.Client.Address}
	if ex.Identity.Known() {
		caller.Digest, caller.Password, caller.Consumer = ex.Identity.Proof, ex.Identity.Password, ex.Identity.Consumer.ID
		caller.Token = ex.Identity.Token
	}
	if caller.Digest != (apikey.Digest{}) && ex.Route != nil {
		caller.Route, caller.Service = ex.Route.ID, ex.Route.Service
	}
	p.streams.Enter(&ex.Seat, ex.Stripe(), caller, ex.Now, ex.Abort.Func(), ex.Wire)
}

// endedBy returns a rejection if the exchange was ended before there was an answer.
func endedBy(ex *pipeline.Exchange) *pipeline.Rejection {
	var ended *streams.Ended
	if !errors.As(ex.Abort.Cause(), &ended) {
		return nil
	}
	return ex.Reject(problem.StreamEnded, "", string(ended.Reason))
}

// Finish ends the exchange: finishers, usage, access log; of a dry run only finishers. The exchange goes back to the pool.
func (p *Proxy) Finish(ex *pipeline.Exchange) {
	if reason := p.streams.Leave(&ex.Seat); reason != "" {
		ex.Refuse(ex.Reject(problem.StreamEnded, "", string(reason)))
	}
	if ex.Stages != nil {
		ex.Stages.Finish(ex)
		p.retrace(ex, ex.Stages) // behind finishers, who may have noted something; else Serve has done it
	}
	ex.Settle()
	if ex.Dry {
		p.pool.Put(ex)
		return
	}
	now := ex.Ended
	if now.IsZero() {
		now = time.Now()
	}
	p.record(ex, now)
	if p.log != nil {
		p.log.write(ex, now)
	}
	if ex.Span != nil {
		endSpan(ex, now)
	}
	if ex.Trace != nil {
		ex.Trace.Free()
	}
	p.pool.Put(ex)
	p.underWay.Add(-1)
}

func (p *Proxy) record(ex *pipeline.Exchange, now time.Time) {
	q := usage.Request{
		Record: spool.Record{
			TimeMs:        now.UnixMilli(),
			Credential:    ex.Identity.Credential,
			Status:        uint16(ex.Response.Status),
			Verdict:       string(ex.Verdict),
			RequestBytes:  uint64(max(ex.Request.BodyBytes, 0)),
			ResponseBytes: uint64(max(ex.Response.BodyBytes, 0)),
			DurationUs:    microseconds(now.Sub(ex.Started)),
		},
		ID:     ex.ID,
		Method: ex.Request.Method, Host: ex.Request.Authority, Path: ex.Request.Path,
		Client:     ex.Client.Address,
		Revision:   ex.Revision,
		UpstreamUs: microseconds(ex.Upstream),
		Sampled:    ex.Sampled, Watched: ex.Identity.Watched, ShadowVerdict: string(ex.ShadowVerdict), Teller: (*told)(ex),
	}
	if ex.Route != nil {
		q.Route = ex.Route.ID
	}
	if ex.Identity.Known() {
		q.Consumer = ex.Identity.Consumer.ID
	}
	if ex.Rejection != nil {
		q.Policy = ex.Rejection.PolicyID
	}
	if q.Verdict == "" {
		q.Verdict = string(problem.Internal) // it failed by a fault of ours before anybody decided
	}
	p.usage.Record(ex.Stripe(), &q)
	p.rate(ex, now)
}

// rate counts the exchange among those of its service.
func (p *Proxy) rate(ex *pipeline.Exchange, now time.Time) {
	service := p.rates.None()
	if ex.Route != nil && ex.Route.Rates != nil {
		service = ex.Route.Rates
	}
	r := rates.Request{Status: ex.Response.Status, Refused: ex.Rejection != nil, Whole: now.Sub(ex.Started), Upstream: ex.Upstream}
	if ex.Span != nil {
		r.Trace = ex.Span.TraceID()
	}
	service.Record(ex.Stripe(), r)
}

func microseconds(d time.Duration) uint64 { return uint64(max(d.Microseconds(), 0)) }

// refuse makes any error a refusal: what is no rejection is a fault of ours, and stays inside.
func refuse(ex *pipeline.Exchange, err error) {
	var rejection *pipeline.Rejection
	if !errors.As(err, &rejection) {
		rejection = ex.Reject(problem.Internal, "", err.Error())
	}
	ex.Refuse(rejection)
}
