package listener

import (
	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// refuseHead answers what is no head.
func (c *conn) refuseHead(malformed *http1.Error) {
	ex := c.engine.handler.Acquire()
	c.exchange = ex
	c.request = http1.Request{}
	c.prepare(ex)
	c.refuse(malformed)
}

// refuse answers a request that http1 doesn't take. What comes behind it can't be known to be a request.
func (c *conn) refuse(malformed *http1.Error) {
	c.engine.counters.protocolError(malformed)
	c.give(&pipeline.Rejection{
		Code: codeOf(malformed), Detail: "The request isn't taken: " + malformed.Reason + ".", Reason: malformed.Reason,
	})
}

// refuseSlow answers a head that didn't come in time.
func (c *conn) refuseSlow() {
	c.exchange = c.engine.handler.Acquire()
	c.request = http1.Request{}
	c.prepare(c.exchange)
	c.give(&pipeline.Rejection{Code: problem.RequestTimeout, Reason: "the head didn't come in time"})
}

// give makes a refusal the last answer of the connection. It is counted like any other.
func (c *conn) give(refused *pipeline.Rejection) {
	ex := c.exchange
	c.closing, c.unread = true, true
	ex.Request.Method = c.request.Method
	ex.Refuse(refused)
	c.engine.serve(ex)
	c.answer(ex)
}

// codeOf is the code of the problem by which something that http1 refuses is answered.
func codeOf(malformed *http1.Error) problem.Code {
	switch malformed.Status {
	case 413:
		return problem.BodyTooLarge
	case 414:
		return problem.TargetTooLong
	case 417:
		return problem.ExpectationFailed
	case 431:
		return problem.HeadersTooLarge
	case 501:
		if malformed != http1.ErrCodingUnknown {
			return problem.UpgradeNotSupported
		}
		return problem.CodingNotSupported
	case 505:
		return problem.VersionNotSupported
	}
	return problem.BadRequest
}
