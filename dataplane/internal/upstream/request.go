package upstream

import (
	"fmt"
	"io"
	"sync"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/problem"
)

// bufferBytes is what a request's head and a short body have room in, and then the answer's head and the beginning of its body.
const bufferBytes = 16 << 10

// copiedBytes is up to which size a body is copied behind the head: less than what it costs to write two pieces.
const copiedBytes = 2 << 10

// buffer is the memory of one exchange. Connections that idle have none.
type buffer [bufferBytes]byte

var bufferPool = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer() *buffer {
	b, ok := bufferPool.Get().(*buffer)
	if !ok {
		b = new(buffer)
	}
	return b
}

// outgoing is a request as it goes over the wire.
type outgoing struct {
	buffer *buffer
	head   []byte // with the body, if that was put behind it
	front  []byte // of the body: it goes behind the head, and stays in the client's memory until the answer begins
	left   int64  // of the body, behind front, still to come; -1: nobody knows how much
	whole  bool   // nothing is left, so that it could be sent again
}

// prepare writes the request down. A body that has room in memory is read in, so that no connection waits for a slow client.
func (o *outgoing) prepare(ex *pipeline.Exchange) error {
	in := &ex.Request
	if !sendable(in.ForwardPath) || !sendable(in.Query) || in.ForwardPath == "" {
		return &pipeline.Rejection{Code: problem.Internal, Reason: "the path to ask for has a byte that no request line may have"}
	}
	o.buffer = getBuffer()
	host := in.Host
	if host == "" {
		host = ex.Target // a client of HTTP/1.0 named none
	}
	o.head = http1.AppendRequestLine(o.buffer[:0], in.Method, in.ForwardPath, in.Query)
	var ok bool
	if o.head, ok = http1.AppendField(o.head, "Host", host); !ok {
		return &pipeline.Rejection{Code: problem.BadRequest, Reason: "a host with a byte that no field may have"}
	}
	for _, f := range in.Header.Fields() {
		if isFraming(f.Name) {
			continue
		}
		if o.head, ok = http1.AppendField(o.head, f.Name, f.Value); !ok {
			return &pipeline.Rejection{Code: problem.Internal, Reason: fmt.Sprintf("field %q is none that can be sent", f.Name)}
		}
	}
	if in.Upgrade != "" {
		o.head = append(o.head, "Connection: Upgrade\r\n"...)
		o.head, _ = http1.AppendField(o.head, "Upgrade", in.Upgrade)
	}
	return o.frame(in)
}

// frame ends the head, and finds out where the body is.
func (o *outgoing) frame(in *pipeline.Request) error {
	switch {
	case in.ContentLength < 0:
		o.left = -1
		o.head = http1.AppendEmptyLine(http1.AppendChunked(o.head))
		return nil
	case in.ContentLength == 0:
		if expectsBody(in.Method) {
			o.head = http1.AppendLength(o.head, 0)
		}
		o.head, o.whole = http1.AppendEmptyLine(o.head), true
		return nil
	}
	o.head = http1.AppendEmptyLine(http1.AppendLength(o.head, in.ContentLength))
	fronted, isFronted := in.Body.(pipeline.Fronted)
	if isFronted {
		o.front = fronted.Front()
	}
	o.left = in.ContentLength - int64(len(o.front))
	room := int64(bufferBytes - len(o.head))
	switch {
	case o.left == 0 && in.ContentLength <= min(copiedBytes, room):
		o.head = append(o.head, o.front...)
		fronted.Discard(len(o.front))
		o.front, o.whole = nil, true
	case o.left == 0:
		o.whole = true
	case in.ContentLength <= room:
		o.front = nil
		return o.readIn(in)
	}
	return nil
}

// readIn reads the body in, behind the head.
func (o *outgoing) readIn(in *pipeline.Request) error {
	begin := len(o.head)
	o.head = o.head[:begin+int(in.ContentLength)]
	if _, err := io.ReadFull(in.Body, o.head[begin:]); err != nil {
		return bodyFailed(err)
	}
	o.left, o.whole = 0, true
	return nil
}

// taken tells the body that what was sent from its memory has been read.
func (o *outgoing) taken(in *pipeline.Request) {
	if len(o.front) == 0 {
		return
	}
	if fronted, ok := in.Body.(pipeline.Fronted); ok {
		fronted.Discard(len(o.front))
	}
	o.front = nil
}

// free gives the buffer back. What was written into it is dead.
func (o *outgoing) free() {
	if o.buffer != nil {
		bufferPool.Put(o.buffer)
	}
	*o = outgoing{}
}

// sendable tells whether a part of a request line would stay what it is.
func sendable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isFraming tells of the fields that are written by themselves alone. The length of a name spares nearly all the comparison.
func isFraming(name string) bool {
	switch len(name) {
	case len("Host"):
		return pipeline.EqualFold(name, "Host")
	case len("Upgrade"):
		return pipeline.EqualFold(name, "Upgrade")
	case len("Connection"):
		return pipeline.EqualFold(name, "Connection")
	case len("Content-Length"):
		return pipeline.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return pipeline.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// expectsBody tells of methods whose requests say that they have no body (RFC 9110, section 8.6).
func expectsBody(method string) bool { return method == "POST" || method == "PUT" || method == "PATCH" }

// idempotent tells of methods that may be sent again (RFC 9110, section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return true
	}
	return false
}
