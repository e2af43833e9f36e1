package listener

import (
	"errors"
	"io"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const (
	// sizeRoom is what the line in front of a chunk takes: four digits are enough for a buffer.
	sizeRoom = len("7fff\r\n")
	// endRoom is kept for what ends a chunk, and a body.
	endRoom = len("\r\n0\r\n\r\n")
	// leastRoom is what a piece of a body is read into at the least.
	leastRoom = 4 << 10
)

var errIncomplete = errors.New("the answer can't be sent whole")

// send writes head and body, and finishes the exchange before the client can have the end of it.
func (c *conn) send(ex *pipeline.Exchange, how framing, head []byte) error {
	switch how {
	case byLength:
		return c.sendLength(ex, head)
	case byChunks:
		return c.sendStream(ex, head, true)
	case byClose:
		return c.sendStream(ex, head, false)
	case bodyless:
	}
	return c.sendEnd(head)
}

// sendEnd writes the end of an answer: the exchange is over, and counted.
func (c *conn) sendEnd(b []byte) error {
	c.finish()
	return c.write(b)
}

// sendLength writes a body of a known length: each piece at once, the first one behind the head.
func (c *conn) sendLength(ex *pipeline.Exchange, b []byte) error {
	out := &ex.Response
	left := lengthOf(out)
	if left == 0 {
		return c.sendEnd(b)
	}
	if front, ok := out.Body.(pipeline.Fronted); ok {
		if here := front.Front(); len(here) > 0 && len(here) <= cap(b)-len(b) && int64(len(here)) <= left {
			b = append(b, here...)
			out.BodyBytes += int64(len(here))
			left -= int64(len(here))
			front.Discard(len(here))
		}
	}
	if left == 0 {
		ex.Ended = ex.Answered
	}
	for left > 0 {
		if cap(b)-len(b) < leastRoom {
			if err := c.write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		room := b[len(b):cap(b)]
		n, err := out.Body.Read(room[:min(int64(len(room)), left)])
		b = b[:len(b)+n]
		if left -= int64(n); left == 0 {
			out.BodyBytes += int64(n)
			break
		}
		if n > 0 {
			if failed := c.write(b); failed != nil {
				return failed
			}
			b = b[:0]
			out.BodyBytes += int64(n)
		}
		if err != nil {
			return errIncomplete // by whatever: the client sees that it isn't whole
		}
	}
	return c.sendEnd(b)
}

// sendStream writes a body of unknown length. It may be one whose reader waits for each piece: it is written at once, and so is a head
// behind which nothing comes yet.
func (c *conn) sendStream(ex *pipeline.Exchange, head []byte, chunked bool) error {
	out := &ex.Response
	b := head
	if !isPrompt(out.Body) || cap(b)-len(b) < leastRoom {
		if err := c.write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	for {
		at := len(b) + sizeRoom
		room := b[at : cap(b)-endRoom]
		n, err := out.Body.Read(room)
		from := 0
		if n > 0 {
			b, from = appendPiece(b, n, chunked)
		}
		if err == io.EOF {
			out.BodyBytes += int64(n)
			if chunked {
				b = http1.AppendLastChunk(b, &out.Trailer, func(name string) bool { return withholds(out, name) })
			}
			return c.sendEnd(b[from:])
		}
		if n > 0 {
			if failed := c.write(b[from:]); failed != nil {
				return failed
			}
			out.BodyBytes += int64(n)
			b = b[:0]
		}
		if err != nil {
			return errIncomplete
		}
	}
}

// appendPiece takes n bytes that lie sizeRoom behind b for its next piece. What is in front of it moves up to where it begins; from is where
// that is.
func appendPiece(b []byte, n int, chunked bool) (_ []byte, from int) {
	had, at := len(b), len(b)+sizeRoom
	if !chunked {
		copy(b[sizeRoom:at], b[:had])
		return b[:at+n], sizeRoom
	}
	var line [sizeRoom]byte
	size := http1.AppendChunkSize(line[:0], n)
	from = sizeRoom - len(size)
	if from > 0 && had > 0 {
		copy(b[from:from+had], b[:had])
	}
	b = b[:at+n]
	copy(b[from+had:], size)
	return append(b, http1.ChunkEnd...), from
}

// isPrompt tells whether the next piece of a body is there already.
func isPrompt(body io.Reader) bool {
	prompt, ok := body.(pipeline.Prompt)
	return ok && prompt.Prompt()
}

// withholds tells which trailers the client doesn't get: those that stages keep from it, and one that would speak of the request in the gateway's
// place.
func withholds(out *pipeline.Response, name string) bool {
	return out.Withholds(name) || pipeline.EqualFold(name, "X-Request-Id")
}
