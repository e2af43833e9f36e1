package listener

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
)

// engine is what all connections have in common.
type engine struct {
	handler   Handler
	log       *slog.Logger
	sweeper   *sweeper.Sweeper
	introduce func(net.Conn) (net.Conn, error)
	limits    func() *Limits
	counters  *Counters
	open      *atomic.Int64
	calendar  calendar
	leaving   atomic.Bool // no further request is wanted
	stopped   atomic.Bool // no further connection is accepted

	connections [connectionShards]connectionShard
	nextShard   atomic.Uint32
	addresses   addresses
	http2       *http2
}

func newEngine(cfg Config) *engine {
	e := &engine{
		handler: cfg.Handler, log: cfg.Logger, sweeper: cfg.Sweeper, introduce: cfg.Introduce, limits: cfg.Limits,
		counters: cfg.Counters, open: cfg.Open,
	}
	if e.limits == nil {
		limits := DefaultLimits()
		e.limits = func() *Limits { return limits }
	}
	if e.counters == nil {
		e.counters = new(Counters)
	}
	if e.open == nil {
		e.open = new(atomic.Int64)
	}
	e.counters.engine.Store(e)
	return e
}

const connectionShards = 16

// connectionShard is a part of the connections that are open.
type connectionShard struct {
	mu    sync.Mutex
	first *conn
	_     [40]byte // a cache line of its own
}

// place is a connection's among those that are open.
type place struct {
	prev, next *conn
	shard      uint32
	address    address // that it counts for; zero: none
}

// remember takes a connection in.
func (e *engine) remember(c *conn) {
	e.open.Add(1)
	c.place.shard = e.nextShard.Add(1) % connectionShards
	at := &e.connections[c.place.shard]
	at.mu.Lock()
	defer at.mu.Unlock()
	c.place.next = at.first
	if at.first != nil {
		at.first.place.prev = c
	}
	at.first = c
}

// forget lets a connection go that has ended.
func (e *engine) forget(c *conn) {
	at := &e.connections[c.place.shard]
	at.mu.Lock()
	if c.place.prev == nil {
		at.first = c.place.next
	} else {
		c.place.prev.place.next = c.place.next
	}
	if c.place.next != nil {
		c.place.next.place.prev = c.place.prev
	}
	at.mu.Unlock()
	e.addresses.leave(c.place.address)
	e.open.Add(-1)
}

// each calls do for all connections that are open.
func (e *engine) each(do func(*conn)) {
	for i := range e.connections {
		at := &e.connections[i]
		at.mu.Lock()
		for c := at.first; c != nil; c = c.place.next {
			do(c)
		}
		at.mu.Unlock()
	}
}

// closeIdle ends the connections on which no request is under way, and asks tunnels to end. New ones can be spared: whoever has just
// connected is about to ask, and nobody has told it to go elsewhere. Its first request can't even be sent again by a careful client,
// which does that on connections that were of use before.
func (e *engine) closeIdle(spareNew bool) {
	e.each(func(c *conn) {
		c.leave(spareNew)
		c.dismiss()
	})
}

// cutAll ends all connections and what is served on them, and returns how many there were.
func (e *engine) cutAll() (cut int) {
	e.each(func(c *conn) {
		cut++
		c.kill()
	})
	e.http2.kill()
	e.counters.cut.Add(uint64(cut))
	return cut
}
