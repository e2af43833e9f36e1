package waf

import (
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
)

// maxRatio is how many times as large as it came a body may become when its content coding is undone: text shrinks by some twenty times, by two hundred only what was
// made for it.
const maxRatio = 200

// headOf is the request's head as it came; decoded: the body will be handed over with its content coding undone.
func headOf(ex *pipeline.Exchange, decoded bool) *waf.Head {
	r := &ex.Request
	return &waf.Head{
		Method: r.Method, Path: r.RawPath, Query: r.Query, Proto: r.Proto, Host: r.Host, Header: &r.Header, Decoded: decoded, Client: ex.Client.Address,
	}
}

// weightOf is about how many bytes rules look at.
func weightOf(head *waf.Head) int {
	return len(head.Path) + len(head.Query) + bytesOf(head.Header)
}

func bytesOf(header *pipeline.Header) int {
	n := 0
	for _, f := range header.Fields() {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// isKnown tells whether content codings can be undone. None are nothing that the rules should not see.
func isKnown(codings string) bool {
	if codings == "" {
		return false
	}
	_, err := payload.ParseCodings(codings)
	return err == nil
}

// contentOf returns a body of at most so many bytes, its content coding undone; never nil.
func contentOf(body *payload.Body, codings string, most int64) ([]byte, error) {
	if !body.Within(most) {
		return nil, payload.ErrTooLarge
	}
	content, err := body.Decoded(codings, most, maxRatio)
	if err == nil && content == nil {
		content = []byte{}
	}
	return content, err //nolint:wrapcheck // told apart by who asks
}

const (
	contentType     = "Content-Type"
	contentEncoding = "Content-Encoding"
	grpc            = "application/grpc"
	events          = "text/event-stream"
	methodHead      = "HEAD"
	http2           = "HTTP/2.0"
)

// isGRPC tells of a call that streams in both directions for as long as both sides like. gRPC is spoken over HTTP/2: what only says so over HTTP/1.1 is a body as any other.
func isGRPC(r *pipeline.Request) bool { return r.Proto == http2 && speaksGRPC(&r.Header) }

// speaksGRPC tells of "application/grpc", and of what says besides how messages are written ("+proto").
func speaksGRPC(header *pipeline.Header) bool {
	media := mediaTypeOf(header)
	return media == grpc || strings.HasPrefix(media, grpc+"+")
}

// mediaTypeOf is the media type of a content type, in lower case, without parameters.
func mediaTypeOf(header *pipeline.Header) string {
	text, _, _ := strings.Cut(header.Get(contentType), ";")
	return strings.ToLower(strings.Trim(text, " \t"))
}
