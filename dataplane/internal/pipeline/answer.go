package pipeline

import (
	"bytes"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// RequestIDPrefix is the prefix of a request's id as text ("req_…").
const RequestIDPrefix = id.Request

// Answer makes the exchange's Rejection its Response: an RFC 9457 problem with the request's id, and the fields that the
// rejection asks for. An answer that is there already is closed and replaced.
func (ex *Exchange) Answer() {
	if ex.Response.Body != nil {
		_ = ex.Response.Body.Close() // nobody reads it any more: there is no one to tell
	}
	r := ex.Rejection
	p := problem.New(r.Code, r.Detail)
	p.RequestID = id.Text(RequestIDPrefix, ex.ID)
	body := ex.answer.fill(p)

	out := &ex.Response
	out.Status = p.Status
	out.Body, out.ContentLength = body, body.Size()
	out.Trailer.Reset()
	out.Header.Reset()
	out.Header.Add("Content-Type", problem.ContentType)
	out.Header.Add("Cache-Control", "no-store")
	for _, f := range r.Header.Fields() {
		out.Header.Add(f.Name, f.Value)
	}
}

// problemBody is a body whose memory is the exchange's.
type problemBody struct {
	bytes.Reader
	json []byte
}

func (b *problemBody) fill(p problem.Problem) *problemBody {
	b.json = p.Append(b.json[:0])
	b.Reset(b.json)
	return b
}

func (b *problemBody) reset() { b.Reset(nil) }

// Close does nothing: the memory lives with the exchange.
func (b *problemBody) Close() error { return nil }
