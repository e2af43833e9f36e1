package upstream

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// answerLimits bound the head of an answer.
var answerLimits = http1.Limits{StartLine: 8 << 10, Head: 64 << 10, Fields: 256}

const (
	maxInterim  = 8                // answers before the answer
	silenceTime = 60 * time.Second // in the middle of an answer
)

const methodHead = "HEAD"

const (
	switching  = 101
	earlyHints = 103
)

// What an answer is besides malformed.
var (
	errFlood    = errors.New("too many interim answers")
	errUnswitch = errors.New("switches protocols, which it wasn't asked for")
)

// exchange sends the request and reads the head of the answer. After an error the connection is of no use.
func (c *conn) exchange() error {
	c.late.Store(0)
	c.silence = 0
	if err := c.ex.Abort.Hold(c); err != nil {
		return err //nolint:wrapcheck // the cause
	}
	c.give(c.responseHead, lateHead)
	if err := c.ask(); err != nil {
		return err
	}
	c.reader.Attach(c, c.out.buffer[:])
	if err := c.readAnswer(); err != nil {
		return err
	}
	c.ex.Response.ContentLength = c.head.ContentLength
	c.ex.Response.Status = c.head.Status
	if c.head.Status == switching {
		c.switchOver()
		return nil
	}
	c.afterHead()
	c.body.from = c.reader.Body(&c.head.Head, &c.ex.Response.Trailer)
	c.body.conn = c
	c.ex.Response.Body = &c.body
	return nil
}

// afterHead lets other bounds count than those of the head.
func (c *conn) afterHead() {
	if !isEvents(&c.ex.Response.Header) { // of them, silence is no sign
		c.silence = silenceTime
	}
	c.give(0, lateBody)
	if c.upload.done != nil {
		c.upload.answered.Store(true)
		c.upload.reading.Store(false)
		c.uploading()
	}
}

// readAnswer reads heads until it has one that is no interim answer.
func (c *conn) readAnswer() error {
	header := &c.ex.Response.Header
	for range maxInterim + 1 {
		header.Reset()
		head, err := c.reader.ReadHead(&answerLimits)
		if err != nil {
			return c.insideHead(err)
		}
		c.out.taken(&c.ex.Request)
		if err := c.head.Parse(head, c.ex.Request.Method == methodHead, &answerLimits, header); err != nil {
			return err
		}
		switch status := c.head.Status; {
		case status >= 200:
			return nil
		case status == switching:
			asked := c.ex.Request.Upgrade
			if asked == "" || !pipeline.EqualFold(c.head.Upgrade, asked) {
				return errUnswitch
			}
			return nil
		case status == earlyHints && c.ex.Interim != nil:
			c.ex.Interim(status, header)
		}
		c.reader.Release()
	}
	header.Reset()
	return errFlood
}

// insideHead says of a target that left, however it did, whether that was inside a head.
func (c *conn) insideHead(err error) error {
	if c.reader.Buffered() > 0 && died(err) {
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return err
}

// isEvents tells of a stream of server-sent events, which may be silent for any time.
func isEvents(header *pipeline.Header) bool {
	const events = "text/event-stream"
	kind := header.Get("Content-Type")
	return len(kind) >= len(events) && pipeline.EqualFold(kind[:len(events)], events)
}

// body is the answer's body. It is pipeline.Fronted where its length is known.
type body struct {
	from   *http1.Body
	conn   *conn
	broken bool // it ended before its end
}

// Front implements pipeline.Fronted.
func (b *body) Front() []byte { return b.from.Front() }

// Discard implements pipeline.Fronted.
func (b *body) Discard(n int) { b.from.Discard(n) }

// Prompt implements pipeline.Prompt.
func (b *body) Prompt() bool { return b.from.AtEnd() || b.conn.reader.Buffered() > 0 }

// Read implements io.Reader. io.ErrUnexpectedEOF: the target left in the middle.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // bare, by its contract
		b.conn.spoiled = true
		if !b.broken {
			b.broken = true
			b.conn.brokenOff(err)
		}
		err = b.conn.words(err)
	}
	return n, err
}

// brokenOff takes note that an answer ends before its end. That speaks against the target, unless we have cut it: the client, or whoever
// revoked it, has gone, its upload has failed, or a bound has passed that a slow client may have used up.
func (c *conn) brokenOff(err error) {
	late := c.late.Load()
	if c.ex.Abort.Cause() == nil && (late == lateBody || late == 0 && !errors.Is(err, os.ErrDeadlineExceeded)) {
		c.target.health.failed(c.pool, c.target)
	}
}

// words says why an answer broke off.
func (c *conn) words(err error) error {
	if late := c.late.Load(); late != 0 {
		return fmt.Errorf("target %s: %s: %w", c.target.key.address, lateWords[late], err)
	}
	return err
}

// Close ends the exchange on the connection, which another may then use if all of both messages has gone over it. All strings of the
// answer are dead then. It is called once; the exchange forgets the body, so that nobody calls it through that again.
func (b *body) Close() error {
	c := b.conn
	atEnd := b.from.AtEnd()
	if atEnd {
		c.target.health.answered(c.head.Status)
	}
	if c.ex.Response.Body == b {
		c.ex.Response.Body = nil
	}
	c.finish(atEnd && !c.head.Close)
	return nil
}

// finish ends the exchange. good tells that the answer was read to its end, and that the target goes on listening.
func (c *conn) finish(good bool) {
	stripe := c.ex.Stripe()
	sent, _ := c.finishUpload()
	cut := c.ex.Abort.Hold(nil) != nil
	c.rest()
	good = good && sent && !cut && !c.spoiled && c.late.Load() == 0 && c.reader.Buffered() == 0
	c.reader.Release()
	c.reader = http1.Reader{}
	c.body = body{}
	c.pool, c.ex = nil, nil
	c.out.free()
	if !good {
		c.close()
		return
	}
	c.reused = true
	c.target.put(c, stripe)
}

// fail ends an exchange that has no answer, and the connection; the request may go to another one.
func (c *conn) fail() (fault error) {
	_, fault = c.finishUpload()
	_ = c.ex.Abort.Hold(nil)
	c.reader = http1.Reader{}
	c.pool, c.ex, c.out = nil, nil, outgoing{}
	c.close()
	return fault
}

// switchOver makes the connection a tunnel.
func (c *conn) switchOver() {
	c.rest()
	c.target.health.answered(switching)
	c.head.Framing = http1.UntilClose
	c.body.from = c.reader.Body(&c.head.Head, nil)
	c.body.conn = c
	c.ex.Response.Body = nil
	c.ex.Response.Tunnel = &tunnel{conn: c}
}

// tunnel is the connection once it isn't HTTP any more. Nothing bounds its silence but TCP's own signs of life, and whoever cuts it.
type tunnel struct {
	conn   *conn
	closed bool
}

// Read implements io.Reader: first comes what was behind the head.
func (t *tunnel) Read(p []byte) (int, error) { return t.conn.body.from.Read(p) } //nolint:wrapcheck // io.EOF must stay what it is

// Write implements io.Writer.
func (t *tunnel) Write(p []byte) (int, error) { return t.conn.wire.Write(p) } //nolint:wrapcheck // net's own words

// Cut implements pipeline.Cutter.
func (t *tunnel) Cut() { t.conn.Cut() }

// CloseWrite implements pipeline.Tunnel.
func (t *tunnel) CloseWrite() error {
	if t.conn.secure != nil {
		return t.conn.secure.CloseWrite() //nolint:wrapcheck // net's own words
	}
	return t.conn.socket.CloseWrite() //nolint:wrapcheck // net's own words
}

// Close implements io.Closer. Strings of the answer's head are dead then. It may be called twice.
func (t *tunnel) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	c := t.conn
	if c.ex.Response.Tunnel == t {
		c.ex.Response.Tunnel = nil
	}
	c.finish(false)
	return nil
}
