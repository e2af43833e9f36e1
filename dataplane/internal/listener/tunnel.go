package listener

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/websocket"
)

const (
	tunnelBufferBytes = 8 << 10
	// farewellTime is how long a tunnel that is ended waits for the end of a frame, to say so behind it.
	farewellTime = 500 * time.Millisecond
)

var tunnelBuffers = sync.Pool{New: func() any { return new([tunnelBufferBytes]byte) }}

// tunnel carries WebSocket frames both ways. It may be silent for as long as it likes; what ends it is an end of either side, a frame that
// breaks the rules, an aborted exchange, or the end of the node. Where both sides can still be told, they are, by a Close frame.
type tunnel struct {
	conn    *conn
	service pipeline.Tunnel
	client  io.Reader

	toClient, toService lane

	code  atomic.Uint32 // of the Close frame for the client, once the tunnel is to end; 0: it isn't
	once  sync.Once
	ended chan struct{}
	half  atomic.Bool // one side has ended
}

// lane is one direction.
type lane struct {
	write func([]byte) error

	mu     sync.Mutex // held while something is written
	frames websocket.Tracker
	torn   bool // what was written doesn't end where a frame does
	said   bool // the last frame was written
	bytes  int64
}

// switchProtocols tells the client that the service has switched, and carries on until the tunnel has ended.
func (c *conn) switchProtocols(ex *pipeline.Exchange, b []byte) {
	b, ok := appendSwitch(b, &ex.Response)
	if !ok {
		c.fault(ex, "the answer's head can't be sent")
		if b, ok = c.appendHead(b[:0], ex, byLength); !ok || c.send(ex, byLength, b) != nil {
			c.breakOff()
		}
		return
	}
	c.closing = true
	if c.write(b) != nil {
		c.breakOff()
		return
	}
	c.returnOutgoing() // it goes on for long
	t := newTunnel(c, &ex.Response)
	c.engine.counters.tunnels.Add(1)
	defer c.engine.counters.tunnels.Add(-1)
	c.tunnelOpens(t)
	_ = ex.Abort.Hold(abortedTunnel{t}) // cut at once, if it was aborted before
	t.run()
	_ = ex.Abort.Hold(nil)
	c.tunnelled.Store(nil)
	ex.Request.BodyBytes, ex.Response.BodyBytes = t.toService.bytes, t.toClient.bytes
	c.unread = true
}

// appendSwitch appends the head of the answer by which the connection is switched.
func appendSwitch(b []byte, out *pipeline.Response) ([]byte, bool) {
	b = http1.AppendStatusLine(b, out.Status)
	for _, f := range out.Header.Fields() {
		if isOfFraming(f.Name, bodyless) {
			continue
		}
		var ok bool
		if b, ok = http1.AppendField(b, f.Name, f.Value); !ok {
			return b, false
		}
	}
	return append(b, "Connection: Upgrade\r\nUpgrade: "+websocket.Protocol+"\r\n\r\n"...), true
}

func newTunnel(c *conn, out *pipeline.Response) *tunnel {
	t := &tunnel{conn: c, service: out.Tunnel, ended: make(chan struct{})}
	extended := websocket.Extended(&out.Header)
	t.client = c.reader.Body(&http1.Head{Framing: http1.UntilClose}, nil)
	t.toClient.write, t.toClient.frames = c.write, websocket.NewTracker(websocket.FromService, extended)
	t.toService.write, t.toService.frames = t.writeService, websocket.NewTracker(websocket.FromClient, extended)
	return t
}

func (t *tunnel) writeService(p []byte) error {
	_, err := t.service.Write(p)
	return err //nolint:wrapcheck // goes nowhere
}

// run carries both ways until both have ended.
func (t *tunnel) run() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.fromService()
	}()
	t.fromClient()
	select {
	case <-done:
	case <-t.ended:
	}
	if t.code.Load() != 0 {
		t.farewell()
	}
	<-done
}

// fromClient carries what the client sends, until it has ended or the tunnel is to end.
func (t *tunnel) fromClient() {
	err := t.carry(t.client, &t.toService)
	switch {
	case t.code.Load() != 0:
	case err == nil:
		_ = t.service.CloseWrite() // the service's end shows what it makes of it
		t.halfOpen()
	case isFrameError(err):
		t.end(websocket.ProtocolError)
	default:
		t.cutOff()
	}
}

// fromService carries what the service sends.
func (t *tunnel) fromService() {
	err := t.carry(t.service, &t.toClient)
	switch {
	case t.code.Load() != 0:
	case err == nil:
		if t.conn.closeWrite() != nil {
			t.cutOff()
			return
		}
		t.halfOpen()
	case isFrameError(err):
		t.end(websocket.ProtocolError)
	default:
		t.cutOff()
	}
}

// carry passes on what comes; nil: until its end, or until the last frame was sent.
func (t *tunnel) carry(from io.Reader, to *lane) error {
	buffer, ok := tunnelBuffers.Get().(*[tunnelBufferBytes]byte)
	if !ok {
		buffer = new([tunnelBufferBytes]byte)
	}
	defer tunnelBuffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			if said, failed := to.pass(buffer[:n], t.lastWord(to)); said || failed != nil {
				return failed
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err //nolint:wrapcheck // only whether
		}
		if t.half.Load() {
			t.halfOpen()
		}
	}
}

// lastWord is the Close frame that a side is told the end by; nil: the tunnel isn't to end.
func (t *tunnel) lastWord(to *lane) []byte {
	code := t.code.Load()
	switch {
	case code == 0:
		return nil
	case to == &t.toClient:
		return websocket.AppendClose(nil, websocket.FromService, uint16(code))
	case code == websocket.ProtocolError:
		return websocket.AppendClose(nil, websocket.FromClient, websocket.ProtocolError)
	}
	return websocket.AppendClose(nil, websocket.FromClient, websocket.GoingAway) // why is the client's affair
}

// pass writes p on, whole if word is nil: else to the end of the frame under way, and word behind it. said: nothing more may be
// written.
func (l *lane) pass(p, word []byte) (said bool, _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said {
		return true, nil
	}
	good, err := l.judge(p, word != nil)
	if good > 0 {
		if err := l.write(p[:good]); err != nil {
			return false, err
		}
		l.bytes += int64(good)
		l.torn = !l.frames.AtBoundary() && err == nil
	}
	if err != nil {
		return false, err
	}
	return l.say(word)
}

// judge follows the frames in p, and returns how much of it may be written: up to the first frame that breaks the rules; with stop up to the end of
// the one under way.
func (l *lane) judge(p []byte, stop bool) (good int, err error) {
	for n := 0; ; {
		if n == len(p) || l.frames.AtBoundary() {
			if good = n; n == len(p) || stop {
				return good, nil
			}
		}
		took, err := l.frames.Advance(p[n:])
		if err != nil {
			return good, &frameError{err}
		}
		n += took
	}
}

// say writes the last frame, if there is one to write and one may be written here.
func (l *lane) say(word []byte) (said bool, _ error) {
	if word == nil || l.torn || l.said {
		return l.said, nil
	}
	l.said = true
	if l.frames.Closed() {
		return true, nil
	}
	return true, l.write(word)
}

// bye writes the last frame now if none is under way; false: whoever carries it does, at its end.
func (l *lane) bye(word []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	said, err := l.say(word)
	return said || err != nil
}

// frameError is a frame that breaks the rules.
type frameError struct{ error }

func isFrameError(err error) bool {
	var frame *frameError
	return errors.As(err, &frame)
}

// end makes the tunnel end, for a reason that the client is told. It doesn't wait.
func (t *tunnel) end(code uint16) {
	t.once.Do(func() {
		t.code.Store(uint32(code))
		t.conn.expect(inTunnel, farewellTime)
		close(t.ended)
		_ = t.conn.conn.SetReadDeadline(past) // wakes up whoever waits for the client
	})
}

// farewell tells both sides that the tunnel has ended, as soon as no frame is under way to them.
func (t *tunnel) farewell() {
	told := t.toClient.bye(t.lastWord(&t.toClient))
	t.toService.bye(t.lastWord(&t.toService))
	if told {
		t.service.Cut()
	}
}

// halfOpen bounds how long one side may go on in silence, of which the other has ended.
func (t *tunnel) halfOpen() {
	t.half.Store(true)
	if t.code.Load() == 0 {
		t.conn.expect(inTunnel, t.conn.limits.Idle)
	}
}

// cutOff ends the tunnel at once, without a word. It takes no lock.
func (t *tunnel) cutOff() {
	_ = t.conn.conn.SetDeadline(past) // of a closed connection there is nothing to cut
	t.service.Cut()
}

// abortedTunnel ends the tunnel of an exchange that is aborted.
type abortedTunnel struct{ *tunnel }

// Cut implements pipeline.Cutter.
func (a abortedTunnel) Cut() { a.end(websocket.PolicyBroken) }

// tunnelOpens says that what comes isn't HTTP any more: whether the client is there shows by itself.
func (c *conn) tunnelOpens(t *tunnel) {
	c.at = inTunnel
	c.tunnelled.Store(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone.end()
	c.phase, c.read, c.tunnel = inTunnel, time.Time{}, t
}

// dismiss ends a tunnel since the node goes.
func (c *conn) dismiss() {
	if t := c.tunnelled.Load(); t != nil {
		t.end(websocket.GoingAway)
	}
}
