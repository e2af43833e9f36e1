package pipeline

import (
	"io"

	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// RequestIDPrefix is the prefix of a request's id as text ("req_…").
const RequestIDPrefix = id.Request

// IDText is the request's id as text. It lives as long as the exchange.
func (ex *Exchange) IDText() string {
	if ex.idText == "" {
		ex.idText = ex.TextDone(id.Append(ex.TextBuffer(), RequestIDPrefix, ex.ID))
	}
	return ex.idText
}

// Answer makes the exchange's Rejection its Response: an RFC 9457 problem with the request's id, and the fields that the
// rejection asks for. An answer that is there already is closed and replaced.
func (ex *Exchange) Answer() {
	if ex.Response.Body != nil {
		_ = ex.Response.Body.Close() // nobody reads it any more: there is no one to tell
	}
	r := ex.Rejection
	p := problem.New(r.Code, r.Detail)
	p.RequestID, p.Errors = ex.IDText(), r.Violations
	body := ex.answer.fill(p)

	out := &ex.Response
	out.Status = p.Status
	out.Body, out.ContentLength = body, int64(len(body.rest))
	out.Trailer.Reset()
	out.Header.Reset()
	out.Header.Add("Content-Type", problem.ContentType)
	out.Header.Add("Cache-Control", "no-store")
	for _, f := range r.Header.Fields() {
		out.Header.Add(f.Name, f.Value)
	}
}

// ownBody is a body whose memory is the exchange's, or nobody's who changes it. It is all Front.
type ownBody struct {
	rest []byte
	json []byte
}

func (b *ownBody) fill(p problem.Problem) *ownBody {
	b.json = p.Append(b.json[:0])
	b.rest = b.json
	return b
}

// Read implements io.Reader.
func (b *ownBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Front implements Fronted.
func (b *ownBody) Front() []byte { return b.rest }

// Discard implements Fronted.
func (b *ownBody) Discard(n int) { b.rest = b.rest[n:] }

// Close does nothing: nothing has to be given back.
func (b *ownBody) Close() error { return nil }
