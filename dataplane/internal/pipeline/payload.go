package pipeline

import (
	"errors"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/proto/problem"
)

// memoryRetry is what a caller is told to wait, in seconds, for whose body there is no room.
const memoryRetry = "1"

// ReadBody reads the request's body until it is whole or beyond most bytes, once for all stages that ask; payload.Body.Within tells. The service gets it as it came. The
// error is a *Rejection: what the listener says of a client that breaks off or falls silent, or that the node has no room.
//
// A request that switches protocols has no body, and in a dry run nobody sends one.
func (ex *Exchange) ReadBody(most int64) (*payload.Body, error) {
	if ex.body == nil {
		ex.body = payload.New(ex.memory, ex.Request.Body, ex.Request.ContentLength)
	}
	err := ex.body.Read(most)
	if len(ex.body.Raw()) > 0 || ex.body.Whole() {
		ex.Request.Body = ex.body.Forward()
	}
	switch {
	case err == nil:
		return ex.body, nil
	case errors.Is(err, payload.ErrNoMemory):
		r := ex.Reject(problem.NodeBusy, "", err.Error())
		r.Header.Add("Retry-After", memoryRetry)
		return nil, r
	}
	if refused := rejectionOf(err); refused != nil {
		return nil, refused
	}
	return nil, ex.Reject(problem.BadRequest, "The request body can't be read.", "read the body: "+err.Error())
}

// releaseBody gives back what the body holds.
func (ex *Exchange) releaseBody() {
	if ex.body != nil {
		ex.body.Release()
		ex.body = nil
	}
}
