package pipeline

import (
	"errors"
	"io"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/proto/problem"
)

// linger is how long the next piece of an answer of unknown length is waited for that somebody wants whole: what comes slower is a stream, and goes on to the client as one.
const linger = 3 * time.Second

// heldAnswer is what was read of the service's answer for stages that want it whole, and then the rest. It is what the client gets.
type heldAnswer struct {
	body   *payload.Body
	source io.ReadCloser
	sent   int // bytes of what was read
}

// Read implements io.Reader.
func (h *heldAnswer) Read(p []byte) (int, error) {
	if raw := h.body.Raw(); h.sent < len(raw) {
		n := copy(p, raw[h.sent:])
		h.sent += n
		return n, nil
	}
	if h.body.Whole() {
		return 0, io.EOF
	}
	return h.source.Read(p) //nolint:wrapcheck // io.EOF must stay what it is
}

// Prompt implements Prompt.
func (h *heldAnswer) Prompt() bool { return h.sent < len(h.body.Raw()) || h.body.Whole() }

// Close implements io.Closer.
func (h *heldAnswer) Close() error { return h.source.Close() } //nolint:wrapcheck // it is the source's

// ReadAnswer reads the answer's body until it is whole or beyond most bytes, once for all stages that ask: payload.Body.Within tells. The client gets it as it came. Nothing is
// read of an answer that has no body, is no HTTP any more, or is beyond most by its length; and what comes in pieces with long pauses between them stays unread from the first pause on.
// The error is a *Rejection: what is said of a service that breaks off, or that the node has no room.
//
// Stages ask in Response, while nobody has begun to send the answer.
func (ex *Exchange) ReadAnswer(most int64) (*payload.Body, error) {
	if ex.held == nil {
		if ex.Response.Body == nil || ex.Response.Tunnel != nil {
			return payload.New(ex.memory, nil, 0), nil
		}
		source := ex.Response.Body
		if ex.Response.ContentLength < 0 {
			source = &patient{source: source, abort: ex.Abort}
		}
		ex.held = &heldAnswer{body: payload.New(ex.memory, source, ex.Response.ContentLength), source: source}
	}
	err := ex.held.body.Read(most)
	if errors.Is(err, errLingers) || errors.Is(err, payload.ErrSlow) {
		err = nil
	}
	ex.Response.Body = ex.held
	switch {
	case err == nil:
		return ex.held.body, nil
	case errors.Is(err, payload.ErrNoMemory):
		return nil, ex.noRoom()
	}
	if refused := rejectionOf(err); refused != nil {
		return nil, refused
	}
	return nil, ex.Reject(problem.UpstreamUnreachable, "The service broke off its answer.", "read the answer: "+err.Error())
}

// releaseAnswer gives back what the answer holds.
func (ex *Exchange) releaseAnswer() {
	if ex.held != nil {
		ex.held.body.Release()
		ex.held = nil
	}
}
