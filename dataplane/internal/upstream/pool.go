package upstream

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/proto/problem"
)

// Pool asks the targets of one service. It is safe for concurrent use.
type Pool struct {
	spec     snapshot.Spec
	registry *Registry
	guard    *Guard
	members  []member
	picker   picker
}

// member is a target with its part in a pool.
type member struct {
	target *target
	weight uint64
}

// attempt is what is tried to get one request answered.
type attempt struct {
	pool   *Pool
	ex     *pipeline.Exchange
	stripe uint32
	out    outgoing
	end    bound // of this try, and of the request
	fresh  bool  // only a new connection will do
}

// Send asks one target and leaves its answer in ex.Response; body or tunnel must be closed, once head and body have gone to the client:
// strings of the head live no longer. On failure it returns a *pipeline.Rejection that says in whose hands the request was.
func (p *Pool) Send(ex *pipeline.Exchange) error {
	m := p.picker.pick(ex.Stripe(), p.registry.cfg.Sweeper.Now())
	if m == nil {
		return &pipeline.Rejection{Code: problem.UpstreamUnreachable, Reason: "no target has weight"}
	}
	t := m.target
	ex.Target = t.key.address
	a := attempt{pool: p, ex: ex, stripe: ex.Stripe()}
	if err := a.out.prepare(ex); err != nil {
		a.out.free()
		return err
	}
	fault, err := a.run(t)
	if err == nil {
		t.health.began(p, t, ex.Response.Status)
		return nil
	}
	_ = ex.Abort.Hold(nil)
	a.out.taken(&ex.Request)
	a.out.free()
	ex.Response.Header.Reset()
	ex.Response.Trailer.Reset()
	return p.rejection(ex, t, fault, err)
}

// deadOnes is how many connections that ended while they idled are met before only a new one will do.
const deadOnes = 3

// run tries until there is an answer, or it must not try again. fault is the client's own.
func (a *attempt) run(t *target) (fault, _ error) {
	retried := false
	for dead := 0; ; {
		a.end = a.bounds()
		c, err := t.take(a)
		if err != nil {
			return nil, err
		}
		c.pool, c.ex, c.out, c.end, c.responseHead = a.pool, a.ex, a.out, a.end, a.pool.spec.ResponseHead
		if err = c.exchange(); err == nil {
			return nil, nil
		}
		a.out = c.out
		again := c.reused && !c.came && died(err) && a.ex.Abort.Cause() == nil
		begun, late := c.begun, c.late.Load()
		if fault := c.fail(); fault != nil {
			return fault, err
		}
		switch {
		case late != 0:
			return nil, &lateError{late}
		case again && !begun: // it was dead before anything was asked of it
			t.counts.foundDead.Add(1)
			dead++
			a.fresh = dead >= deadOnes
		case again && !retried && a.out.whole && idempotent(a.ex.Request.Method):
			t.counts.retries.Add(1)
			retried, a.fresh = true, true
		default:
			return nil, err
		}
	}
}

// bounds returns when a try that begins now must have ended.
func (a *attempt) bounds() (end bound) {
	spec := &a.pool.spec
	if spec.Try > 0 {
		end = bound{at: a.pool.registry.cfg.Sweeper.Now().Add(spec.Try), what: lateTry}
	}
	if spec.Request > 0 {
		begun := a.ex.Asked
		if begun.IsZero() {
			begun = a.pool.registry.cfg.Sweeper.Now()
		}
		end = end.sooner(bound{at: begun.Add(spec.Request), what: lateRequest})
	}
	return end
}

// within returns how long something may take that has a bound of its own, and what it is that ends the try before; nil: nothing does.
func (a *attempt) within(d time.Duration) (time.Duration, error) {
	if a.end.at.IsZero() {
		return d, nil
	}
	left := max(a.end.at.Sub(a.pool.registry.cfg.Sweeper.Now()), 0)
	if left >= d {
		return d, nil
	}
	return left, &lateError{a.end.what}
}

// died tells of errors by which a connection says that it is no more.
func died(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errUnasked) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}
