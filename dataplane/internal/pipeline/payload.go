package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/proto/problem"
)

// memoryRetry is what a caller is told to wait, in seconds, for whose body there is no room.
const memoryRetry = "1"

// ReadBody reads the request's body until it is whole or beyond most bytes, once for all stages that ask; payload.Body.Within tells. The service gets it as it came. The
// error is a *Rejection: what the listener says of a client that breaks off or falls silent, what a stage in front says of a body that it has limited, that the body comes too
// slowly to be held, or that the node has no room. The former two hold in any case, also when a stage in shadow came upon them: the request can't go on.
//
// A request that switches protocols has no body, and in a dry run nobody sends one.
func (ex *Exchange) ReadBody(most int64) (*payload.Body, error) {
	if ex.body == nil {
		ex.body = payload.New(ex.memory, ex.Request.Body, ex.Request.ContentLength)
	}
	err := ex.body.ReadInTime(most, !ex.inShadow)
	if len(ex.body.Raw()) > 0 || ex.body.Whole() {
		ex.Request.Body = ex.body.Forward()
	}
	switch {
	case err == nil:
		return ex.body, nil
	case errors.Is(err, payload.ErrNoMemory):
		return nil, ex.noRoom()
	case errors.Is(err, payload.ErrSlow):
		return nil, ex.Reject(problem.RequestTimeout, "", err.Error())
	}
	refused := rejectionOf(err)
	if refused == nil {
		refused = &Rejection{Code: problem.BadRequest, Detail: "The request body can't be read.", Reason: "read the body: " + err.Error()}
	}
	outright := *refused // it may belong to several requests
	outright.outright = true
	return nil, &outright
}

// noRoom refuses a body that the node has no memory for.
func (ex *Exchange) noRoom() *Rejection {
	r := ex.Reject(problem.NodeBusy, "", payload.ErrNoMemory.Error())
	r.Header.Add("Retry-After", memoryRetry)
	return r
}

// ReadContent reads the request's body whole and undoes its content codings: at most so many bytes come of it, and at most ratio times as many as were sent. Body.JSON, Form, Multipart and XML can be
// asked then. A body of none has none of either. The error is a *Rejection: those of ReadBody, body_too_large, or body_refused for what isn't coded as it says.
func (ex *Exchange) ReadContent(most, ratio int64) (*payload.Body, []byte, error) {
	body, err := ex.ReadBody(most)
	if err != nil {
		return nil, nil, err
	}
	if !body.Within(most) {
		return nil, nil, ex.tooLarge(most)
	}
	content, err := body.Decoded(ex.ContentCodings(), most, ratio)
	switch {
	case err == nil:
		return body, content, nil
	case errors.Is(err, payload.ErrTooLarge):
		return nil, nil, ex.tooLarge(most)
	}
	return nil, nil, ex.RejectBody(problem.BodyRefused, err)
}

func (ex *Exchange) tooLarge(most int64) *Rejection {
	return ex.Reject(problem.BodyTooLarge, fmt.Sprintf("The body may have at most %d bytes, its content coding undone.", most), "the body is larger than may be inspected")
}

// RejectBody returns the refusal of a body that couldn't be decoded or parsed, by what package payload says of it. Whatever isn't the body's fault is another code.
func (ex *Exchange) RejectBody(code problem.Code, err error) error {
	f, broken := errors.AsType[*payload.Fault](err)
	switch {
	case broken:
		r := ex.Reject(code, f.Reason, f.Rule)
		if f.Pointer != "" {
			r.Violate(problem.Violation{Pointer: f.Pointer, Code: problem.ViolationInvalidFormat, Detail: f.Reason})
		}
		return r
	case errors.Is(err, payload.ErrNoMemory):
		return ex.noRoom()
	}
	return err
}

// ContentCodings is the request's Content-Encoding, several fields of it as one.
func (ex *Exchange) ContentCodings() string { return codingsOf(&ex.Request.Header) }

// AnswerCodings is the answer's Content-Encoding, several fields of it as one.
func (ex *Exchange) AnswerCodings() string { return codingsOf(&ex.Response.Header) }

func codingsOf(header *Header) string {
	const name = "Content-Encoding"
	codings, one := header.Only(name)
	if one || !header.Has(name) {
		return codings
	}
	var all []string
	for _, f := range header.Fields() {
		if EqualFold(f.Name, name) {
			all = append(all, f.Value)
		}
	}
	return strings.Join(all, ", ")
}

// releaseBody gives back what the body holds.
func (ex *Exchange) releaseBody() {
	if ex.body != nil {
		ex.body.Release()
		ex.body = nil
	}
}
