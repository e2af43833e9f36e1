package listener

import (
	"sync"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// writeBufferBytes is what one write carries of an answer at the most: its head and the beginning of its body, or a piece of that.
const writeBufferBytes = 32 << 10

var writeBuffers = sync.Pool{New: func() any { return new([writeBufferBytes]byte) }}

func (c *conn) borrowOutgoing() []byte {
	buffer, ok := writeBuffers.Get().(*[writeBufferBytes]byte)
	if !ok {
		buffer = new([writeBufferBytes]byte)
	}
	c.outgoing = buffer
	return buffer[:0]
}

func (c *conn) returnOutgoing() {
	if c.outgoing == nil {
		return
	}
	writeBuffers.Put(c.outgoing)
	c.outgoing = nil
}

// framing is how the client is told where the answer's body ends.
type framing uint8

const (
	bodyless framing = iota
	byLength
	byChunks
	byClose
)

// framingOf tells it of an answer (RFC 9112, section 6.3).
func (c *conn) framingOf(ex *pipeline.Exchange) framing {
	out := &ex.Response
	switch {
	case ex.Request.Method == methodHead || out.Status == 204 || out.Status == 304:
		return bodyless
	case out.ContentLength >= 0 || out.Body == nil:
		return byLength
	case c.request.Minor == 0:
		return byClose
	}
	return byChunks
}

// answer writes the exchange's answer, and finishes it.
func (c *conn) answer(ex *pipeline.Exchange) {
	defer c.finish()
	if !c.body.atEnd() {
		// Behind a body that wasn't read to its end the next request would be looked for inside what the client, or a proxy in front, takes
		// for the body.
		c.closing, c.unread = true, true
	}
	if c.engine.leaving.Load() || c.cut.Load() {
		c.closing, c.unread = true, true // its next request may be under way
	}
	c.body.decided()
	c.mend()
	b := c.borrowOutgoing()
	defer c.returnOutgoing()
	if ex.Response.Status == switching && ex.Response.Tunnel != nil {
		c.switchProtocols(ex, b)
		return
	}
	how := c.framingOf(ex)
	head, ok := c.appendHead(b, ex, how)
	if !ok {
		c.fault(ex, "the answer's head can't be sent")
		how = c.framingOf(ex)
		if head, ok = c.appendHead(b, ex, how); !ok {
			c.breakOff()
			return
		}
	}
	if err := c.send(ex, how, head); err != nil {
		c.breakOff()
	}
}

// fault puts a problem in the place of an answer that HTTP forbids.
func (c *conn) fault(ex *pipeline.Exchange, reason string) {
	ex.Refuse(&pipeline.Rejection{Code: problem.Internal, Reason: reason})
	closeTunnel(&ex.Response)
	kept := ex.Rejection // maybe an earlier one, whose words can't be sent
	ex.Rejection = &pipeline.Rejection{Code: problem.Internal}
	ex.Answer()
	ex.Rejection = kept
	ex.Response.Header.Set("X-Request-Id", id.Text(pipeline.RequestIDPrefix, ex.ID))
}

// breakOff ends the connection behind an answer that isn't whole.
func (c *conn) breakOff() {
	c.closing, c.broken = true, true
	if c.isStalled() {
		c.engine.counters.stalls.Add(1)
	}
}

// finish ends the exchange, once. Whatever of its answer is still to be sent lies in the connection's own buffer by now.
func (c *conn) finish() {
	ex := c.exchange
	if ex == nil {
		return
	}
	c.exchange = nil
	if ex.Response.Body != nil {
		_ = ex.Response.Body.Close() // all that is wanted of it was read
	}
	closeTunnel(&ex.Response)
	c.body.stop()
	c.body = nil
	c.rest()
	c.engine.handler.Finish(ex)
}

func closeTunnel(out *pipeline.Response) {
	if out.Tunnel != nil {
		_ = out.Tunnel.Close() // as above
		out.Tunnel = nil
	}
}

// appendHead appends the answer's head; false: something in it could begin another field, or another message, or there is no such status.
func (c *conn) appendHead(b []byte, ex *pipeline.Exchange, how framing) ([]byte, bool) {
	out := &ex.Response
	if out.Status < 200 || out.Status > 599 {
		return b, false
	}
	b = http1.AppendStatusLine(b, out.Status)
	dated := false
	fields := out.Header.Fields()
	for i := range fields {
		name := fields[i].Name
		switch {
		case isOfDate(name):
			if dated {
				continue
			}
			dated = true
		case isOfFraming(name, how):
			continue
		}
		var ok bool
		if b, ok = http1.AppendField(b, name, fields[i].Value); !ok {
			return b, false
		}
	}
	if !dated {
		b = append(b, c.engine.calendar.field(c.sweeper.Wall())...)
	}
	return http1.AppendEmptyLine(c.appendFraming(b, ex, how)), true
}

// appendFraming says where the body ends, and whether the connection does.
func (c *conn) appendFraming(b []byte, ex *pipeline.Exchange, how framing) []byte {
	switch out := &ex.Response; how {
	case bodyless:
		// Of a 304 the length would have to be that of the 200 which it stands for (RFC 9110, section 8.6): it is rarely known.
		if out.ContentLength >= 0 && out.Status != 204 && out.Status != 304 {
			b = http1.AppendLength(b, out.ContentLength)
		}
	case byLength:
		b = http1.AppendLength(b, lengthOf(out))
	case byChunks:
		b = http1.AppendChunked(b)
	case byClose:
		c.closing = true
	}
	switch {
	case c.closing:
		b = append(b, "Connection: close\r\n"...)
	case c.request.Minor == 0: // who asked for it has to hear that he gets it
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return b
}

func lengthOf(out *pipeline.Response) int64 {
	if out.Body == nil {
		return 0
	}
	return out.ContentLength
}

func isOfDate(name string) bool { return len(name) == len("Date") && pipeline.EqualFold(name, "Date") }

// isOfFraming tells which fields are the listener's own to write.
func isOfFraming(name string, how framing) bool {
	switch len(name) {
	case len("Connection"):
		return pipeline.EqualFold(name, "Connection") || pipeline.EqualFold(name, "Keep-Alive")
	case len("Content-Length"):
		return pipeline.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return pipeline.EqualFold(name, "Transfer-Encoding")
	case len("Trailer"):
		return pipeline.EqualFold(name, "Upgrade") || how != byChunks && pipeline.EqualFold(name, "Trailer")
	}
	return false
}

// sendInterim passes on an interim answer of the service.
func (c *conn) sendInterim(status int, header *pipeline.Header) {
	const earlyHints = 103
	if status != earlyHints {
		return // 100 is the gateway's own to say, and others nobody has asked for
	}
	header.DropConnection()
	b := http1.AppendStatusLine(c.borrowOutgoing(), status)
	defer c.returnOutgoing()
	for _, f := range header.Fields() {
		if isOfFraming(f.Name, bodyless) {
			continue
		}
		var ok bool
		if b, ok = http1.AppendField(b, f.Name, f.Value); !ok {
			return
		}
	}
	b = http1.AppendEmptyLine(b)
	if c.body != nil {
		c.body.turn.Lock()
		defer c.body.turn.Unlock()
	}
	_ = c.write(b) // whether the client is there shows with the final answer
}
