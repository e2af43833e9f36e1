package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// conn is one connection to a target. It carries one exchange at a time, whose goroutine has it to itself, but for what ends it from
// outside (Cut, expire) and for the upload.
type conn struct {
	target *target
	remote netip.AddrPort
	guard  *Guard // that let it through last
	knew   *known // that its address was in last
	opened time.Time
	maxAge time.Duration
	reused bool

	socket *net.TCPConn
	raw    syscall.RawConn
	secure *tls.Conn     // nil: in plain
	wire   io.ReadWriter // the socket, or TLS over it

	onTurn  func(fd uintptr) bool // turn, bound once
	onLook  func(fd uintptr) bool // look, bound once
	looking bool                  // reads don't wait
	one     [1]byte
	seen    int   // what look, or turn, has read,
	seenErr error // or why it hasn't
	into    []byte
	early   bool // the beginning of the answer is read: seen bytes, or seenErr, where the reader reads first

	timer   sweeper.Timer
	late    atomic.Uint32 // the bound that has passed
	phase   atomic.Uint32 // the bound that passes next
	spoiled bool          // it ended, or will, whatever comes of the exchange

	idleSince time.Time

	// What follows is the exchange's.

	pool         *Pool
	ex           *pipeline.Exchange
	out          outgoing
	end          bound         // of the whole exchange
	silence      time.Duration // that is borne within the answer; 0: any
	responseHead time.Duration
	reader       http1.Reader
	head         http1.Response
	body         body
	upload       upload
	begun        bool // the request's first byte may have been written
	came         bool // a byte of the answer has come
	failed       error
	vector       [2][]byte
	buffers      net.Buffers
}

// errUnasked is why a connection isn't used on which something came that nobody had asked for: it might be taken for the answer to another request.
var errUnasked = errors.New("the target spoke without being asked")

func (t *target) newConn(socket *net.TCPConn, remote netip.AddrPort, guard *Guard) (*conn, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := &conn{target: t, remote: remote, guard: guard, socket: socket, raw: raw, wire: socket, opened: t.registry.cfg.Sweeper.Now()}
	c.maxAge = maxAge - rand.N(maxAge/4) //nolint:gosec // so that not all end at once
	c.onTurn, c.onLook = c.turn, c.look
	return c, nil
}

// close ends the connection and gives its place back. Whoever calls it has the connection to itself.
func (c *conn) close() {
	c.target.registry.cfg.Sweeper.Remove(&c.timer)
	_ = c.socket.Close()
	c.target.unreserve()
}

// past is a deadline that makes what waits fail.
var past = time.Unix(1, 0)

// Cut implements pipeline.Cutter.
func (c *conn) Cut() { _ = c.socket.SetDeadline(past) }

// expire is called when a bound has passed.
func (c *conn) expire() {
	c.late.Store(c.phase.Load())
	c.Cut()
}

// Bounds that may pass.
const (
	_ uint32 = iota
	lateHead
	lateBody
	lateWrite
	lateTry
	lateRequest
)

var lateWords = [...]string{
	lateHead:    "no head of an answer within timeouts.response_head",
	lateBody:    "silent in the middle of the answer",
	lateWrite:   "takes nothing of the request",
	lateTry:     "the try took longer than timeouts.try",
	lateRequest: "the request took longer than timeouts.request",
}

// bound is when something ends, and as what.
type bound struct {
	at   time.Time // zero: never
	what uint32
}

// sooner returns the earlier of two bounds.
func (b bound) sooner(other bound) bound {
	if b.at.IsZero() || !other.at.IsZero() && other.at.Before(b.at) {
		return other
	}
	return b
}

// give sets the timer: so long, but not beyond the exchange's end. 0: until that.
func (c *conn) give(d time.Duration, what uint32) {
	if !c.end.at.IsZero() {
		if left := max(c.end.at.Sub(c.target.registry.cfg.Sweeper.Now()), 0); d == 0 || left < d {
			d, what = left, c.end.what
		}
	} else if d == 0 {
		c.rest()
		return
	}
	c.phase.Store(what)
	if !c.timer.Set(d) {
		c.spoiled = true
	}
}

// rest stops the timer.
func (c *conn) rest() {
	if !c.timer.Stop() {
		c.spoiled = true
	}
}

// Read implements io.Reader for the codec. Within a body each read bounds the silence anew; none counts while nobody reads.
func (c *conn) Read(p []byte) (int, error) {
	if c.upload.done != nil {
		return c.readBeside(p)
	}
	if c.early {
		return c.readEarly()
	}
	if c.silence > 0 {
		c.give(c.silence, lateBody)
	}
	n, err := c.wire.Read(p)
	if n > 0 {
		c.came = true
	}
	if c.silence > 0 {
		c.give(0, lateBody)
	}
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

// readEarly hands over what turn has read.
func (c *conn) readEarly() (int, error) {
	c.early = false
	switch {
	case c.seenErr != nil:
		return 0, c.seenErr
	case c.seen == 0:
		return 0, io.EOF
	}
	return c.seen, nil
}

// readBeside reads while an upload may be under way: until its end the silence doesn't count, and from then on its own timer does.
func (c *conn) readBeside(p []byte) (int, error) {
	c.upload.reading.Store(true)
	alone := !c.uploading() && c.silence > 0
	if alone {
		c.give(c.silence, lateBody)
	}
	n, err := c.wire.Read(p)
	if n > 0 {
		c.came = true
	}
	c.upload.reading.Store(false)
	c.uploading()
	if alone {
		c.give(0, lateBody)
	}
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}

// ask sends the request and, in plain, waits until something comes. Before, it makes sure that nothing lies on the connection: what a
// target said unasked would be taken for the answer. In plain that costs nothing: the look takes the place of the read that finds
// nothing yet and then waits.
func (c *conn) ask() error {
	c.begun, c.came, c.early, c.failed = false, false, false, nil
	if c.secure != nil {
		if c.failed = c.lookBelow(); c.failed == nil {
			c.begun = true
			c.failed = c.send(0)
		}
	} else if err := c.raw.Read(c.onTurn); err != nil && c.failed == nil {
		c.failed = err
	}
	if c.failed != nil && c.begun && !isDeadline(c.failed) {
		return nil // an answer may have come before what couldn't be sent; else the read fails as well
	}
	return c.failed
}

// turn is called by the socket: first when the connection is ready to be waited for, then when something has come. That is read at once, unless
// an upload goes on, beside which reading has a way of its own.
func (c *conn) turn(fd uintptr) bool {
	if c.begun {
		return c.upload.done != nil || c.answered(fd)
	}
	if n, err := syscall.Read(int(fd), c.one[:]); n >= 0 {
		c.failed = unasked(n)
		return true
	} else if err != syscall.EAGAIN {
		c.failed = err
		return true
	}
	c.begun = true
	c.failed = c.send(fd)
	return isDeadline(c.failed)
}

// answered reads the beginning of the answer; false: nothing has come yet.
func (c *conn) answered(fd uintptr) bool {
	c.seen, c.seenErr = syscall.Read(int(fd), c.out.buffer[:])
	c.early = c.seenErr != syscall.EAGAIN && c.seenErr != syscall.EINTR //nolint:errorlint // an errno, bare
	c.came = c.seenErr == nil && c.seen > 0
	return c.early
}

// unasked says of n bytes that were read before the request what they mean.
func unasked(n int) error {
	if n == 0 {
		return io.EOF
	}
	return errUnasked
}

func isDeadline(err error) bool { return err != nil && errors.Is(err, os.ErrDeadlineExceeded) }

// lookBelow reads what lies on a connection of TLS, without waiting. Tickets and the like are for TLS itself; anything else isn't wanted.
func (c *conn) lookBelow() error {
	c.looking = true
	n, err := c.secure.Read(c.one[:])
	c.looking = false
	switch {
	case n > 0:
		return errUnasked
	case errors.Is(err, nothingError{}):
		return nil
	}
	return err //nolint:wrapcheck // io.EOF must stay what it is
}

// readNow reads from the socket without waiting.
func (c *conn) readNow(p []byte) (int, error) {
	c.into = p
	err := c.raw.Read(c.onLook)
	c.into = nil
	switch {
	case err != nil:
		return 0, err //nolint:wrapcheck // net's own words
	case errors.Is(c.seenErr, syscall.EAGAIN):
		return 0, nothingError{}
	case c.seenErr != nil:
		return 0, c.seenErr
	case c.seen == 0:
		return 0, io.EOF
	}
	return c.seen, nil
}

func (c *conn) look(fd uintptr) bool {
	c.seen, c.seenErr = syscall.Read(int(fd), c.into)
	return true
}

// send writes the head, and what of the body can go with it; what is still to come of the body an upload sends. fd is the socket's, as long as
// it may be used; in plain alone.
func (c *conn) send(fd uintptr) (err error) {
	front := c.out.front
	switch {
	case c.secure != nil:
		_, err = c.wire.Write(c.out.head)
		if err == nil && len(front) > 0 {
			_, err = c.wire.Write(front)
		}
	case len(front) > 0:
		c.vector[0], c.vector[1] = c.out.head, front
		c.buffers = c.vector[:]
		_, err = c.buffers.WriteTo(c.socket)
		c.vector, c.buffers = [2][]byte{}, nil
	default:
		err = c.sendHead(fd)
	}
	if err != nil {
		return err //nolint:wrapcheck // net's own words
	}
	if c.out.left != 0 {
		c.startUpload()
	}
	return nil
}

// sendHead writes the head by itself: at once, as nearly always it can be, or waiting for the target to take the rest.
func (c *conn) sendHead(fd uintptr) error {
	n, err := syscall.Write(int(fd), c.out.head)
	if err == nil && n == len(c.out.head) {
		return nil
	}
	_, err = c.socket.Write(c.out.head[max(n, 0):])
	return err //nolint:wrapcheck // net's own words
}
