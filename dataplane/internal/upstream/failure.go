package upstream

import (
	"errors"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// Why a request doesn't get a connection.
var (
	errQueueFull    = errors.New("all connections are in use, and as many requests wait as may")
	errQueueTimeout = errors.New("all connections are in use, and none came free in time")
)

// lateError is a bound that has passed.
type lateError struct{ what uint32 }

func (e *lateError) Error() string { return lateWords[e.what] }

// rejection says whose fault a failed request was, and lets the target answer for its own.
func (p *Pool) rejection(ex *pipeline.Exchange, t *target, fault, err error) error {
	if fault != nil {
		return fault // the listener's word, or a stage's, on a body that could not be read
	}
	code, targets := p.codeOf(ex, err)
	if targets {
		t.health.failed(p, t)
	}
	return &pipeline.Rejection{Code: code, Reason: fmt.Sprintf("target %s: %v", t.key.address, err)}
}

// codeOf returns the code of a failure, and whether it speaks against the target.
func (p *Pool) codeOf(ex *pipeline.Exchange, err error) (_ problem.Code, targets bool) {
	var late *lateError
	var malformed *http1.Error
	var dial *dialError
	switch {
	case ex.Abort.Cause() != nil:
		return problem.ClientGone, false
	case errors.Is(err, ErrAddressRefused):
		return problem.UpstreamAddressRefused, false
	case errors.Is(err, errQueueFull), errors.Is(err, errQueueTimeout):
		return problem.UpstreamBusy, false
	case errors.As(err, &dial):
		return problem.UpstreamUnreachable, true
	case errors.As(err, &late):
		return problem.UpstreamTimeout, true
	case errors.As(err, &malformed), errors.Is(err, errFlood), errors.Is(err, errUnswitch), errors.Is(err, errUnasked),
		errors.Is(err, io.ErrUnexpectedEOF): // it left inside the head
		return problem.UpstreamInvalidResponse, true
	}
	return problem.UpstreamUnreachable, true
}
