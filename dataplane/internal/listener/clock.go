package listener

import (
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// phase is what a connection waits for, or what is due.
type phase uint8

const (
	quiet    phase = iota // nothing is due
	inFirst               // the first byte of the first head, or a handshake in front of it
	inIdle                // the first byte of the next head
	inHead                // the rest of a head
	inBody                // more of a body
	inServe               // the service: whether the client is still there is looked for
	inTunnel              // the other half of a tunnel
)

// past is a deadline by which reads and writes fail at once.
var past = time.Unix(1, 0)

// clock is what is due on a connection. One timer of the sweeper serves all of it: what reading waits for, and a write that the client doesn't
// take. When something is due the connection's own deadlines are set to the past, so that whoever waits wakes up.
type clock struct {
	sweeper *sweeper.Sweeper
	conn    net.Conn
	timer   sweeper.Timer

	mu      sync.Mutex
	phase   phase
	read    time.Time // when what is read is due; zero: never
	write   time.Time // when what is written is due; zero: never
	passed  phase     // of a deadline of reading that has passed; quiet: none
	idleEnd time.Time // when the wait for the next head ends, while phase is inIdle
	nudged  bool      // whoever waits is to look again, and nothing is overdue
	ended   bool      // nobody is to wait any more
	stalled bool      // the client took nothing for too long
	gone    watch     // of the client, while phase is inServe
	tunnel  *tunnel   // while phase is inTunnel
}

// expect says what is waited for from now on, and for how long at most.
func (c *clock) expect(p phase, within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.read = p, c.sweeper.Now().Add(within)
	c.set()
}

// expectNext says that the next head is waited for, and for how long at most. The connection is looked at once before: of an end that came
// together with a request the poller has told already, and tells no more.
func (c *clock) expectNext(within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.sweeper.Now()
	c.phase, c.idleEnd = inIdle, now.Add(within)
	c.read = now.Add(min(within, firstLook))
	c.set()
}

// enterHead says that the rest of a head is waited for from now on, by the deadline that runs.
func (c *clock) enterHead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == inIdle {
		c.read = c.idleEnd // it is looked at no more
	}
	c.phase = inHead
	c.settle()
}

// serve begins to look after the client of an exchange.
func (c *clock) serve(abort *pipeline.Abort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.read = inServe, c.sweeper.Now().Add(firstLook)
	c.gone.begin(abort)
	c.set()
}

// resume goes back from waiting for a body to looking after the client.
func (c *clock) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != inBody {
		return
	}
	c.phase, c.read = inServe, c.sweeper.Now().Add(nextLook)
	c.set()
}

// rest ends whatever was waited for: once it has returned, no exchange is aborted any more. The timer is left as it is, since the next
// thing to wait for comes soon.
func (c *clock) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.read = quiet, time.Time{}
	c.gone.end()
	c.tunnel = nil
}

// expectWrite bounds a write that waits for the client; 0: it waits no more.
func (c *clock) expectWrite(within time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = time.Time{}
	if within > 0 {
		c.write = c.sweeper.Now().Add(within)
		c.set()
	}
}

// set makes the timer due when the first of both is.
func (c *clock) set() {
	next := c.read
	if next.IsZero() || !c.write.IsZero() && c.write.Before(next) {
		next = c.write
	}
	if next.IsZero() {
		c.timer.Stop()
		return
	}
	c.timer.Set(next.Sub(c.sweeper.Now()))
}

// due is called by the sweeper.
func (c *clock) due() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.sweeper.Now()
	if !c.write.IsZero() && !now.Before(c.write) {
		c.write, c.stalled = time.Time{}, true
		_ = c.conn.SetWriteDeadline(past) // of a closed connection nobody waits for anything
	}
	if !c.read.IsZero() && !now.Before(c.read) {
		c.read = c.readDue(now)
	}
	c.set()
}

// readDue does what is due, and returns when something is again.
func (c *clock) readDue(now time.Time) time.Time {
	switch c.phase {
	case inServe:
		if again := c.gone.look(now); again > 0 {
			return now.Add(again)
		}
		return time.Time{}
	case inIdle:
		if now.Before(c.idleEnd) {
			return c.nudge()
		}
	case inTunnel:
		if c.tunnel != nil {
			c.tunnel.cutOff()
		}
		return time.Time{}
	case quiet, inFirst, inHead, inBody:
	}
	c.passed = c.phase
	_ = c.conn.SetReadDeadline(past)
	return time.Time{}
}

// nudge wakes whoever waits for the next head if there is something to be read, and returns when the wait is over.
func (c *clock) nudge() time.Time {
	if c.ended || !c.gone.finds() {
		return c.idleEnd
	}
	c.nudged = true
	_ = c.conn.SetReadDeadline(past)
	return time.Time{}
}

// roused tells whether a wait ended for nothing but another look, and lets the next one be.
func (c *clock) roused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settle()
}

// settle takes back a nudge, and tells whether there was one: who was nudged looks, or has looked already.
func (c *clock) settle() bool {
	nudged := c.nudged && !c.ended
	c.nudged = false
	return nudged && c.conn.SetReadDeadline(time.Time{}) == nil
}

// overdue tells which deadline of reading has passed; quiet: none.
func (c *clock) overdue() phase {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// forgive takes back that the time to wait for a request is over.
func (c *clock) forgive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed = quiet
	return c.conn.SetReadDeadline(time.Time{}) == nil
}

// isStalled tells whether the client took nothing for too long.
func (c *clock) isStalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalled
}

// idle tells whether nothing of a request has come.
func (c *clock) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase == inIdle || c.phase == inFirst
}

// leave ends the connection if nothing of a request has come; one that is new, on which none has come ever, can be spared.
func (c *clock) leave(spareNew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == inIdle || c.phase == inFirst && !spareNew {
		c.ended = true
		_ = c.conn.SetReadDeadline(past)
	}
}

// kill ends the connection and what is served on it.
func (c *clock) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	_ = c.conn.SetDeadline(past)
	c.gone.abortNow()
	if c.tunnel != nil {
		c.tunnel.cutOff()
	}
}
