package proxyprotocol

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/ranges"
)

// Gate reads headers off connections from where they are demanded. It is safe for concurrent use.
type Gate struct {
	from                   func() ranges.Set
	named, unnamed, broken atomic.Uint64
}

// Stats counts connections from where headers are demanded.
type Stats struct {
	Named   uint64 // whose client the header named
	Unnamed uint64 // that the balancer made for itself, or whose client it doesn't know
	Refused uint64 // without a header, or with a malformed one
}

// NewGate returns a gate. Headers are demanded from inside the ranges that from returns, which is asked for each connection.
func NewGate(from func() ranges.Set) *Gate { return &Gate{from: from} }

// ErrHeader is why a connection is closed: its header is missing or malformed.
var ErrHeader = errors.New("proxy protocol")

// Introduce returns the connection, telling by RemoteAddr whom it is from: a *Conn if a header has named somebody. An error wraps
// ErrHeader, or is the connection's; it must be closed then.
func (g *Gate) Introduce(conn net.Conn) (net.Conn, error) {
	peer, ok := conn.RemoteAddr().(*net.TCPAddr)
	if from := g.from(); !ok || !from.Contains(peer.AddrPort().Addr().Unmap().WithZone("")) {
		return conn, nil
	}
	client, err := Read(conn)
	switch {
	case err != nil:
		g.broken.Add(1)
		return nil, err
	case !client.IsValid():
		g.unnamed.Add(1)
		return conn, nil
	}
	g.named.Add(1)
	return &Conn{Conn: conn, client: net.TCPAddrFromAddrPort(client)}, nil
}

// Stats returns what was counted.
func (g *Gate) Stats() Stats {
	return Stats{Named: g.named.Load(), Unnamed: g.unnamed.Load(), Refused: g.broken.Load()}
}

// Conn is a connection of which a header has said whom it is from.
type Conn struct {
	net.Conn

	client *net.TCPAddr
}

// RemoteAddr returns the address of the client.
func (c *Conn) RemoteAddr() net.Addr { return c.client }

// NetConn returns the connection itself, which knows the balancer's address. Nothing that it has to say is kept here.
func (c *Conn) NetConn() net.Conn { return c.Conn }

var _ interface{ NetConn() net.Conn } = (*Conn)(nil)

// none is what a header names that names nobody.
var none netip.AddrPort
