package listener

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
)

// refusal is why a connection was closed as soon as it had come.
type refusal uint8

const (
	refusedByLimit refusal = iota
	refusedByAddress
	refusedByAccept
	refusedIntroduction
	refusedHandshake
	refusals
)

var refusalNames = [refusals]string{"limit", "address_limit", "accept_failed", "introduction_failed", "handshake_failed"}

var phaseNames = map[phase]string{inFirst: "first", inIdle: "idle", inHead: "head", inBody: "body"}

// writeStalls is what a client that takes nothing is counted as, among timeouts.
const writeStalls = "write"

// Counters count what happens at the client's side of the wire. The zero value is ready; what is counted is rare.
type Counters struct {
	engine   atomic.Pointer[engine]
	refused  [refusals]atomic.Uint64
	timeouts [inTunnel + 1]atomic.Uint64
	stalls   atomic.Uint64
	cut      atomic.Uint64
	tunnels  atomic.Int64

	mu       sync.Mutex
	protocol map[string]uint64 // by the reasons of http1, which are its constants
}

// Stats is what was counted.
type Stats struct {
	// Open connections; of these Idle ones, on which nothing is under way, and Tunnels.
	Open, Idle, Tunnels int64
	// Refused connections, by why.
	Refused map[string]uint64
	// Timeouts of clients, by what they were too slow for.
	Timeouts map[string]uint64
	// ProtocolErrors are requests that break the rules of HTTP, by which.
	ProtocolErrors map[string]uint64
	// Cut connections: those that were still open at the end of a drain.
	Cut uint64
}

// Stats returns what was counted.
func (c *Counters) Stats() Stats {
	s := Stats{Refused: map[string]uint64{}, Timeouts: map[string]uint64{}, Cut: c.cut.Load(), Tunnels: c.tunnels.Load()}
	if e := c.engine.Load(); e != nil {
		s.Open = e.open.Load()
		e.each(func(c *conn) {
			if c.idle() {
				s.Idle++
			}
		})
	}
	for why, name := range refusalNames {
		s.Refused[name] = c.refused[why].Load()
	}
	for of, name := range phaseNames {
		s.Timeouts[name] = c.timeouts[of].Load()
	}
	s.Timeouts[writeStalls] = c.stalls.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.ProtocolErrors = maps.Clone(c.protocol)
	return s
}

func (c *Counters) refuse(why refusal) { c.refused[why].Add(1) }

func (c *Counters) timedOut(in phase) { c.timeouts[in].Add(1) }

func (c *Counters) protocolError(of *http1.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.protocol == nil {
		c.protocol = map[string]uint64{}
	}
	c.protocol[of.Reason]++
}
