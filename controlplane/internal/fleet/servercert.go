package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

// ServerCertificate is the certificate that the control plane's listeners for nodes (edge and bus)
// serve with. Its key lives in memory only; it is replaced at half its life, at the handshake that
// finds it so old, and at the first behind a change of the authorities.
type ServerCertificate struct {
	authority *Authority

	mu      sync.Mutex
	current *tls.Certificate
	by      *authorities // that the current one names
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
	config := &tls.Config{
		MinVersion:     tls.VersionTLS13,
		ClientAuth:     clientAuth,
		ClientCAs:      c.authority.Pool(),
		NextProtos:     protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get() },
		// A resumed session would skip the check of a certificate that has ended meanwhile.
		SessionTicketsDisabled: true,
	}
	if clientAuth != tls.NoClientCert { // whom we believe may change
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := config.Clone()
			now.GetConfigForClient, now.ClientCAs = nil, c.authority.Pool()
			return now, nil
		}
	}
	return config
}

func (c *ServerCertificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.authority.now()
	by := c.authority.current.Load()
	if c.current != nil && c.by == by && now.Before(c.renew) {
		return c.current, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a listener's key: %w", err)
	}
	template := c.authority.template(serverLife, nil, x509.ExtKeyUsageServerAuth)
	chain, err := by.issueServer(template, key.Public())
	if err != nil {
		return nil, err
	}
	c.current, c.by = &tls.Certificate{Certificate: chain, PrivateKey: key}, by
	c.renew = now.Add(template.NotAfter.Sub(now) / 2)
	return c.current, nil
}
