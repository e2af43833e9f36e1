package stall

import (
	"net"
	"time"
)

// Conn is a connection whose writes fail when the peer takes nothing for a while. Only plain writes are offered: a shortcut
// such as ReadFrom would write for any time without a deadline.
type Conn struct {
	net.Conn

	patience time.Duration
}

// NewConn returns conn with the patience that each write may have.
func NewConn(conn net.Conn, patience time.Duration) *Conn {
	return &Conn{Conn: conn, patience: patience}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err //nolint:wrapcheck // net's own words
	}
	return c.Conn.Write(p) //nolint:wrapcheck // as above
}

// CloseWrite tells the peer that nothing more comes, where the connection can. net/http does so before it closes one on
// which the client still sends, so that the answer isn't lost.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite() //nolint:wrapcheck // as above
	}
	return nil
}

// Listener makes each connection that it accepts a Conn.
type Listener struct {
	net.Listener

	patience time.Duration
}

// NewListener returns listener with the patience that each write may have.
func NewListener(listener net.Listener, patience time.Duration) *Listener {
	return &Listener{Listener: listener, patience: patience}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net's own words
	}
	return NewConn(conn, l.patience), nil
}
