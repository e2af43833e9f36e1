package listener

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

const alpnHTTP2 = "h2"

// secure makes the connection one over TLS, under the head's deadline. What speaks HTTP/2 goes its own way.
func (c *conn) secure(config *tls.Config) bool {
	below := &tracked{Conn: c.conn, closed: make(chan struct{})}
	secured := tls.Server(below, config)
	c.replace(secured)
	if err := secured.HandshakeContext(context.Background()); err != nil { // the clock ends it
		if c.overdue() == inFirst {
			c.engine.counters.timedOut(inFirst)
		} else {
			c.engine.counters.refuse(refusedHandshake)
		}
		return false
	}
	c.scheme = "https"
	if secured.ConnectionState().NegotiatedProtocol != alpnHTTP2 {
		return true
	}
	c.rest() // net/http has deadlines of its own, but for writes
	below.patience = c.limits.WriteStall
	c.engine.http2.take(secured, below.closed)
	return false
}

// tracked is a connection below TLS that tells when it is closed, and, once it is net/http's, bounds each write.
type tracked struct {
	net.Conn

	patience time.Duration // 0: somebody else bounds writes
	once     sync.Once
	closed   chan struct{}
}

// Write implements net.Conn.
func (t *tracked) Write(p []byte) (int, error) {
	if t.patience > 0 {
		if err := t.SetWriteDeadline(time.Now().Add(t.patience)); err != nil {
			return 0, err //nolint:wrapcheck // net's own words
		}
	}
	return t.Conn.Write(p) //nolint:wrapcheck // as above
}

// CloseWrite tells the peer that nothing more comes, where the connection can.
func (t *tracked) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // as above
	}
	return nil
}

// NetConn returns the connection itself.
func (t *tracked) NetConn() net.Conn { return t.Conn }

// Close implements net.Conn.
func (t *tracked) Close() error {
	t.once.Do(func() { close(t.closed) })
	return t.Conn.Close() //nolint:wrapcheck // as above
}
