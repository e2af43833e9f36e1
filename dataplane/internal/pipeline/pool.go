package pipeline

import (
	"sync"
	"sync/atomic"
)

// Pool lends exchanges. The zero value is ready. An exchange that comes from a pool mostly meets the processor that it
// met before, so its counters' stripe practically has no other writer.
type Pool struct {
	exchanges sync.Pool
	next      atomic.Uint32
}

// Get returns an empty exchange.
func (p *Pool) Get() *Exchange {
	if ex, ok := p.exchanges.Get().(*Exchange); ok {
		return ex
	}
	ex := &Exchange{stripe: p.next.Add(1)}
	ex.Reset()
	return ex
}

// Put takes back an exchange that nobody uses any more.
func (p *Pool) Put(ex *Exchange) {
	ex.Reset()
	p.exchanges.Put(ex)
}

// Stripe is a small number that this exchange keeps for life: exchanges at work on different processors mostly have
// different ones. Whoever counts picks the counter by it.
func (ex *Exchange) Stripe() uint32 { return ex.stripe }

// Reset empties the exchange and keeps its memory.
func (ex *Exchange) Reset() {
	if ex.Abort == nil {
		ex.Abort = newAbort()
	}
	ex.releaseBody()
	ex.releaseAnswer()
	ex.releaseKept()
	kept := Exchange{
		Abort:    ex.Abort,
		Request:  Request{Header: ex.Request.Header, Trailer: ex.Request.Trailer},
		Response: Response{Header: ex.Response.Header, Trailer: ex.Response.Trailer, Withheld: ex.Response.Withheld},
		Params:   ex.Params, Quotas: ex.Quotas, Findings: ex.Findings, kept: ex.kept,
		stripe:     ex.stripe,
		draft:      Rejection{Header: ex.draft.Header},
		final:      Rejection{Header: ex.final.Header},
		challenges: ex.challenges,
		text:       ex.text, answer: ex.answer,
	}
	kept.Abort.reset()
	for _, h := range [...]*Header{
		&kept.Request.Header, &kept.Request.Trailer, &kept.Response.Header, &kept.Response.Trailer,
		&kept.draft.Header, &kept.final.Header, &kept.challenges,
	} {
		h.Reset()
	}
	clear(kept.Response.Withheld)
	kept.Response.Withheld = kept.Response.Withheld[:0]
	clear(kept.Params)
	clear(kept.Quotas)
	clear(kept.Findings)
	kept.Params, kept.Quotas, kept.Findings = kept.Params[:0], kept.Quotas[:0], kept.Findings[:0]
	kept.answer.rest = nil
	kept.text = kept.text[:0]
	if cap(kept.text) > maxText {
		kept.text = nil
	}
	*ex = kept
}
