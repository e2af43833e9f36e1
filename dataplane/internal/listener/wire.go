package listener

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// wire is the bytes of a connection, in and out, under the deadlines of its clock. Reading and writing are for one goroutine each at a time.
//
// Of a bare TCP connection the system calls are its own, through the runtime's poller: so it knows when something has to wait, and only
// then is anything timed.
type wire struct {
	clock

	raw    syscall.RawConn // nil: not a bare TCP connection
	limits *Limits

	at      phase         // what is read
	timed   bool          // the deadline for it runs
	staying bool          // await is with the poller: whoever reads can't wait
	fd      uintptr       // while it is
	early   bool          // what was waited for is read already: in is where it lies
	waited  time.Duration // for a body
	// started is when the first byte of the latest head was there.
	started time.Time

	in      []byte
	inCount int
	inErr   error
	since   time.Time // reading has waited; zero: it doesn't

	out       []byte
	outErr    error
	outWaited bool

	receive, attend, send func(fd uintptr) bool
	// room returns the buffer that the next head is read into, release gives it up while the connection idles.
	room    func() []byte
	release func()
	// serveWhole serves the requests that have come whole; false: what is left is to be read on, or the connection ends.
	serveWhole func() bool

	cut       atomic.Bool
	woken     atomic.Bool            // reads fail since nobody wants more of a body
	tunnelled atomic.Pointer[tunnel] // nil: this is HTTP
}

// bare makes the wire use the system calls of a TCP connection. What they are called with is made once.
func (w *wire) bare(raw syscall.RawConn) {
	w.raw = raw
	w.receive, w.attend, w.send = w.received, w.attended, w.sent
}

// await waits for a request that is left to be read on. Those that come whole it has served where they come, since staying with the poller from
// one to the next spares the read that finds nothing: the poller tells of whatever has come since it was asked, and it is asked once.
func (w *wire) await() error {
	if w.raw == nil {
		w.time() // the next Read waits, with the buffer
		return nil
	}
	return w.raw.Read(w.attend) //nolint:wrapcheck // goes nowhere
}

// attended is called once, and again when the connection has become readable; true: the rest is for Read. While nothing comes the buffer is
// given back.
func (w *wire) attended(fd uintptr) (leave bool) {
	w.fd = fd
	for full := true; full; {
		w.in = w.room()
		if !w.readOnce(fd) {
			break
		}
		w.early, full = true, w.inCount == len(w.in) // what is behind a full buffer the poller has told of already
		if w.inErr != nil || w.inCount == 0 || !w.serveHere() {
			return true
		}
	}
	w.in = nil
	w.release()
	w.time()
	return false
}

func (w *wire) serveHere() bool {
	w.staying = true
	defer func() { w.staying = false }()
	return w.serveWhole()
}

// errStaying says that more has to be waited for than has come.
var errStaying = errors.New("there is more to read than has come")

// readableNow tells whether bytes are there, without waiting.
func (w *wire) readableNow() (there bool) {
	if w.raw == nil {
		return false
	}
	err := w.raw.Control(func(fd uintptr) {
		var one [1]byte
		n, err := peek(fd, one[:])
		there = n > 0 && err == nil
	})
	return there && err == nil
}

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	if w.raw == nil {
		return w.readThrough(p)
	}
	var err error
	if w.since = (time.Time{}); !w.early {
		if w.staying {
			return 0, errStaying
		}
		w.in = p
		err = w.raw.Read(w.receive)
	}
	w.in, w.early = nil, false
	if err == nil {
		err = w.inErr
	}
	if err != nil {
		return 0, err //nolint:wrapcheck // its kind matters, not its text
	}
	w.arrived()
	if w.inCount == 0 {
		return 0, io.EOF
	}
	return w.inCount, nil
}

// received reads what is there; false: nothing is.
func (w *wire) received(fd uintptr) bool {
	if w.readOnce(fd) {
		return true
	}
	if w.since.IsZero() {
		w.since = w.sweeper.Now()
		w.time()
	}
	return false
}

// readOnce reads without waiting; false: nothing is there.
func (w *wire) readOnce(fd uintptr) bool {
	for {
		w.inCount, w.inErr = syscall.Read(int(fd), w.in)
		if w.inErr != syscall.EINTR { //nolint:errorlint // an errno, bare
			return w.inErr != syscall.EAGAIN //nolint:errorlint // as above
		}
	}
}

// readThrough reads off a connection that isn't a bare one: nothing tells whether it will wait.
func (w *wire) readThrough(p []byte) (int, error) {
	w.since = w.sweeper.Now()
	w.time()
	n, err := w.conn.Read(p)
	w.arrived()
	return n, err //nolint:wrapcheck // its kind matters, not its text
}

// time bounds how long the bytes that are waited for may take. A head as a whole is bounded, of a body each silence.
func (w *wire) time() {
	switch w.at {
	case inIdle:
		if !w.timed {
			w.expectNext(w.limits.Idle)
		}
	case inHead:
		if !w.timed {
			w.expect(inHead, w.limits.Head)
		}
	case inBody:
		w.expect(inBody, w.limits.BodyStall)
	case quiet, inFirst, inServe, inTunnel:
	}
	w.timed = true
}

// arrived notes that bytes have come.
func (w *wire) arrived() {
	if w.at == inBody && !w.since.IsZero() {
		w.waited += w.sweeper.Now().Sub(w.since)
		w.resume()
	}
	w.headBegins()
}

// headBegins notes that a head has begun. That of a first request goes on under the deadline which the connection began with.
func (w *wire) headBegins() {
	switch w.at {
	case inFirst:
		w.enterHead()
		w.at, w.timed, w.started = inHead, true, time.Now()
	case inIdle:
		w.enterHead()
		w.at, w.timed, w.started = inHead, false, time.Now()
	case quiet, inHead, inBody, inServe, inTunnel:
	}
}

// write sends all of b.
func (w *wire) write(b []byte) error {
	w.gone.moved.Store(true)
	if w.raw == nil {
		return w.writeThrough(b)
	}
	w.out, w.outWaited, w.outErr = b, false, nil
	var err error
	if !w.staying || w.cut.Load() || !w.sendNow() { // who was cut off is sent nothing but what mend allows
		err = w.raw.Write(w.send)
	}
	if w.outWaited {
		w.expectWrite(0)
	}
	w.out = nil
	if err == nil {
		err = w.outErr
	}
	return err //nolint:wrapcheck // goes nowhere
}

// sendNow writes without waiting, by the poller's leave that await has; false: something is left to be written, or wrong.
func (w *wire) sendNow() bool {
	n, err := syscall.Write(int(w.fd), w.out)
	w.out = w.out[max(n, 0):]
	return err == nil && len(w.out) == 0
}

// sent writes what the connection takes; false: it takes no more for now. Each byte taken gives the client its time anew.
func (w *wire) sent(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.out)
		w.out = w.out[max(n, 0):]
		w.outErr = nil
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			w.outWaited = true
			w.expectWrite(w.limits.WriteStall)
			return false
		case err != nil:
			w.outErr = err
			return true
		case len(w.out) == 0:
			return true
		}
	}
}

func (w *wire) writeThrough(b []byte) error {
	w.expectWrite(w.limits.WriteStall)
	_, err := w.conn.Write(b)
	w.expectWrite(0)
	return err //nolint:wrapcheck // goes nowhere
}

// Cut implements streams.Wire: what waits for the client fails.
func (w *wire) Cut() {
	if w.tunnelled.Load() != nil {
		return // it was told by the exchange's Abort, and says so to both sides before it ends
	}
	w.cut.Store(true)
	_ = w.conn.SetDeadline(past) // of a closed connection there is nothing to cut
}

// wake makes whoever reads a body fail at once.
func (w *wire) wake() {
	w.woken.Store(true)
	_ = w.conn.SetReadDeadline(past) // of a closed connection nothing is read
}

// mend lets an answer be written to a client who was cut off while his request was read.
func (w *wire) mend() {
	if w.cut.Load() {
		_ = w.conn.SetWriteDeadline(time.Time{})
	}
}

// closeWrite tells the client that nothing more comes, where the connection can.
func (w *wire) closeWrite() error {
	half, ok := w.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite() //nolint:wrapcheck // goes nowhere
}

// reset makes the connection's end look like the fault that it is, to a client who would take it for the end of an answer: TLS isn't
// told, and TCP says that the connection broke.
func (w *wire) reset() {
	below := lowest(w.conn)
	if tcp, ok := below.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed already
	}
	_ = below.Close() // as above
}

// lowest returns the connection below what is put over it.
func lowest(conn net.Conn) net.Conn {
	for {
		over, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = over.NetConn()
	}
}
