package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"sync"
	"time"
)

// ServerCertificate is the certificate that the control plane's listeners for nodes (edge and bus)
// serve with. Its key lives in memory only; it is replaced at half its life, at the handshake that
// finds it so old.
type ServerCertificate struct {
	authority *Authority

	mu      sync.Mutex
	current *tls.Certificate
	renew   time.Time
}

// NewServerCertificate returns a certificate of this authority. It fails at once when none can be issued.
func NewServerCertificate(authority *Authority) (*ServerCertificate, error) {
	c := &ServerCertificate{authority: authority}
	if _, err := c.get(); err != nil {
		return nil, err
	}
	return c, nil
}

// TLS returns a server's configuration: TLS 1.3, this certificate, and client certificates of our
// authority alone, as strictly as clientAuth says. protocols are for ALPN; nil for none.
func (c *ServerCertificate) TLS(clientAuth tls.ClientAuthType, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		ClientAuth:     clientAuth,
		ClientCAs:      c.authority.Pool(),
		NextProtos:     protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get() },
		// A resumed session would skip the check of a certificate that has ended meanwhile.
		SessionTicketsDisabled: true,
	}
}

func (c *ServerCertificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.authority.now()
	if c.current != nil && now.Before(c.renew) {
		return c.current, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a listener's key: %w", err)
	}
	chain, ends, err := c.authority.issueServer(key.Public())
	if err != nil {
		return nil, err
	}
	c.current = &tls.Certificate{Certificate: chain, PrivateKey: key}
	c.renew = now.Add(ends.Sub(now) / 2)
	return c.current, nil
}
