package edgeapi

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

// endingCredentials are TLS whose connections end with the client's certificate: TLS itself looks at
// one at the handshake only, and a stream can live for months. The node connects anew with what it
// has renewed, or stays away.
type endingCredentials struct {
	credentials.TransportCredentials
	grace time.Duration
	log   *slog.Logger
}

func (c endingCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	tlsInfo, ok := info.(credentials.TLSInfo)
	if !ok || len(tlsInfo.State.VerifiedChains) == 0 {
		return conn, info, nil // nobody yet: what may be asked needs no certificate
	}
	leaf := tlsInfo.State.VerifiedChains[0][0]
	return newEndingConn(conn, time.Until(leaf.NotAfter)+c.grace, func() {
		identity, _ := fleet.IdentityOf(leaf) // empty for a stranger's, which is refused anyway
		c.log.Info("a node's connection ends with its certificate", "node", identity.Node, "ended", leaf.NotAfter)
	}), info, nil
}

func (c endingCredentials) Clone() credentials.TransportCredentials {
	c.TransportCredentials = c.TransportCredentials.Clone()
	return c
}

// endingConn closes itself after a while.
type endingConn struct {
	net.Conn
	end *time.Timer
	mu  sync.Mutex // guards end while it is made
}

func newEndingConn(conn net.Conn, after time.Duration, ending func()) net.Conn {
	c := &endingConn{Conn: conn}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end = time.AfterFunc(after, func() {
		ending()
		_ = c.Close() // the other side may have been quicker
	})
	return c
}

func (c *endingConn) Close() error {
	c.mu.Lock()
	c.end.Stop()
	c.mu.Unlock()
	return c.Conn.Close()
}
