package listener

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const readBufferBytes = 16 << 10

var readBuffers = sync.Pool{New: func() any { return new([readBufferBytes]byte) }}

func borrowBuffer() []byte {
	buffer, ok := readBuffers.Get().(*[readBufferBytes]byte)
	if !ok {
		buffer = new([readBufferBytes]byte)
	}
	return buffer[:]
}

// returnBuffer takes back what borrowBuffer lent; a buffer that a reader has made for a large head goes its way.
func returnBuffer(buffer []byte) {
	if cap(buffer) == readBufferBytes {
		readBuffers.Put((*[readBufferBytes]byte)(buffer[:readBufferBytes]))
	}
}

// conn is a client's connection, served by one goroutine. All that one request needs is here, or the exchange's.
type conn struct {
	wire

	engine *engine
	place  place // among those that are open
	peer   netip.AddrPort
	scheme string

	reader  http1.Reader
	request http1.Request
	body    *requestBody // of the request under way; nil: it has none
	interim func(status int, header *pipeline.Header)

	exchange *pipeline.Exchange // under way; nil: none
	begun    bool               // its head is read, and nothing else has been done for it
	closing  bool               // no further request is taken
	unread   bool               // the client may be sending still, or again: the end must linger
	broken   bool               // what was sent of an answer is not all of it
	outgoing *[writeBufferBytes]byte
}

// newConn returns the connection, which takes what comes under the head's deadline from now on.
func newConn(e *engine, raw net.Conn) *conn {
	c := &conn{engine: e, scheme: "http"}
	c.limits = e.limits()
	c.sweeper, c.conn = e.sweeper, raw
	c.interim, c.room, c.release, c.serveWhole = c.sendInterim, c.borrow, c.giveBack, c.whole
	e.sweeper.Add(&c.timer, c.due)
	c.at = inFirst
	c.expect(inFirst, c.limits.Head)
	return c
}

// serve is the life of a connection.
func (c *conn) serve(secure *tls.Config) {
	defer c.end()
	defer c.survive()
	if !c.open(secure) {
		return
	}
	c.reader.Attach(&c.wire, nil)
	for c.next() {
	}
	if !c.broken && (c.unread || c.reader.Buffered() > 0 || c.readableNow()) {
		c.linger()
	}
}

// survive keeps a fault of ours from ending more than the connection.
func (c *conn) survive() {
	v := recover()
	if v == nil {
		return
	}
	c.engine.log.Error("a connection failed by a panic", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	c.breakOff()
	c.finish()
}

// open finds out who is there, and makes the connection a secure one.
func (c *conn) open(secure *tls.Config) bool {
	if introduce := c.engine.introduce; introduce != nil {
		introduced, err := introduce(c.conn)
		if err != nil {
			c.engine.counters.refuse(refusedIntroduction)
			return false
		}
		c.replace(introduced)
		if !c.engine.admitAddress(c) {
			return false
		}
	}
	c.peer = addressOf(c.conn)
	if tcp, ok := lowest(c.conn).(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c.gone.open(raw, secure != nil)
			if secure == nil {
				c.bare(raw)
			}
		}
	}
	return secure == nil || c.secure(secure)
}

// replace puts another connection in the place of the one that it reads.
func (c *conn) replace(by net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = by
}

// next serves one request, or those that come whole until one doesn't; false: the connection ends.
func (c *conn) next() bool {
	if c.reader.Buffered() > 0 {
		c.headBegins()
	} else if c.await() != nil {
		switch {
		case c.roused():
			c.timed = false
			return true
		case !c.spared():
			c.silence()
			return false
		}
	}
	if c.closing {
		return false
	}
	var malformed *http1.Error
	if !c.begun {
		if !c.reader.Holds() {
			c.reader.Lend(borrowBuffer())
		}
		limits := c.limits.head()
		head, err := c.reader.ReadHead(&limits)
		if err != nil {
			c.noHead(err)
			return false
		}
		malformed = c.begin(head, &limits)
	}
	c.finishRequest(malformed)
	return !c.closing
}

// whole serves the requests that have come with all that belongs to them, without waiting for anything but the service. What it leaves for
// next it leaves as it found it, or begun.
func (c *conn) whole() bool {
	for c.early || c.reader.Buffered() > 0 {
		c.headBegins()
		limits := c.limits.head()
		head, err := c.reader.ReadHead(&limits)
		if err != nil {
			return false
		}
		malformed := c.begin(head, &limits)
		if malformed == nil && !c.isWhole() {
			return false
		}
		c.finishRequest(malformed)
		if c.closing {
			return false
		}
	}
	return true
}

// isWhole tells of the request that has begun whether nothing more has to be read for it.
func (c *conn) isWhole() bool {
	switch c.request.Framing {
	case http1.None:
		return c.request.Upgrade == ""
	case http1.Length:
		return c.request.ContentLength <= int64(c.reader.Buffered())
	default:
		return false
	}
}

func (c *conn) finishRequest(malformed *http1.Error) {
	c.begun = false
	c.handle(malformed)
	c.reader.Release()
	c.limits = c.engine.limits()
	c.at, c.timed = inIdle, false
	if c.woken.Load() && !c.closing { // the body had come to its end at the same time
		c.woken.Store(false)
		c.forgive()
	}
}

// spared tells whether a request has come in the very moment in which the connection was to end: it has idled for long enough, or the node
// goes. Whoever sent it can't know.
func (c *conn) spared() bool {
	if !c.readableNow() || !c.forgive() {
		return false
	}
	c.headBegins()
	return true
}

// noHead ends a connection on which no head came, with an answer if one had begun.
func (c *conn) noHead(err error) {
	var malformed *http1.Error
	switch {
	case errors.As(err, &malformed):
		c.refuseHead(malformed)
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF): //nolint:errorlint // the reader returns it bare
	case c.overdue() == inHead:
		c.engine.counters.timedOut(inHead)
		c.refuseSlow()
	default:
		c.silence()
	}
}

// silence counts the end of a connection on which nothing came.
func (c *conn) silence() {
	switch late := c.overdue(); late {
	case inFirst, inIdle:
		c.engine.counters.timedOut(late)
	case quiet, inHead, inBody, inServe, inTunnel:
	}
}

// borrow returns the buffer for the next head, which the connection needs not have held while it idled.
func (c *conn) borrow() []byte {
	if !c.reader.Holds() {
		c.reader.Lend(borrowBuffer())
	}
	return c.reader.Room()
}

// giveBack gives back the buffer, while the connection idles.
func (c *conn) giveBack() {
	if buffer := c.reader.Detach(); buffer != nil {
		returnBuffer(buffer)
	}
}

// linger reads what the client still sends, for a moment, after the last answer: else its own system might throw the answer
// away when it hears that nobody reads (RFC 9112, section 9.6).
func (c *conn) linger() {
	if c.closeWrite() != nil || c.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	scratch := borrowBuffer()
	defer returnBuffer(scratch)
	for taken := 0; taken < lingerBytes; {
		n, err := c.conn.Read(scratch)
		if err != nil {
			return
		}
		taken += n
	}
}

// end closes the connection, whatever of it is left.
func (c *conn) end() {
	c.rest()
	c.engine.sweeper.Remove(&c.timer)
	if c.broken {
		c.reset()
	}
	_ = c.conn.Close() // nobody to tell
	c.reader.Release()
	c.giveBack()
	c.engine.forget(c)
}

// addressOf is where a connection comes from.
func addressOf(conn net.Conn) netip.AddrPort {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		peer := tcp.AddrPort()
		return netip.AddrPortFrom(peer.Addr().Unmap().WithZone(""), peer.Port())
	}
	return netip.AddrPort{}
}
