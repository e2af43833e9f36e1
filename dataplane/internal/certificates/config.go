package certificates

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"fmt"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/id"
)

// Policy is what the settings say about TLS to clients.
type Policy struct {
	// MinVersion is the least version that is spoken, as package crypto/tls has it; 0: TLS 1.2.
	MinVersion uint16
}

// protocols are what clients may choose from (RFC 7301), in our order.
var protocols = []string{"h2", "http/1.1"}

// suites are those of TLS 1.2 that are spoken: ephemeral keys and authenticated encryption alone. TLS 1.3 has no others.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// config is what a certificate's clients are spoken to with, and what it was made of.
type config struct {
	pair    *pair
	policy  Policy
	tickets *directory.TicketKeys
	tls     *tls.Config
}

// base returns a tls.Config without certificate: a handshake with it is refused with unrecognized_name.
func base(policy Policy) *tls.Config {
	return &tls.Config{
		MinVersion: max(policy.MinVersion, tls.VersionTLS12), CipherSuites: suites, NextProtos: protocols, SessionTicketsDisabled: true,
	}
}

// configured returns what a certificate's clients are spoken to with. It is the same until something of it changes.
func (c *Certificate) configured(p *pair, policy Policy, tickets *directory.TicketKeys, verified func(tls.ConnectionState) error) (*tls.Config, error) {
	if now := c.config.Load(); now != nil && now.pair == p && now.policy == policy && now.tickets == tickets {
		return now.tls, nil
	}
	made := base(policy)
	made.Certificates, made.VerifyConnection = []tls.Certificate{p.certificate}, verified
	if tickets != nil {
		keys, err := c.ticketKeys(tickets)
		if err != nil {
			return nil, err
		}
		made.SessionTicketsDisabled = false
		made.SetSessionTicketKeys(keys)
	}
	c.config.Store(&config{pair: p, policy: policy, tickets: tickets, tls: made})
	return made, nil
}

// ticketKeys derives this certificate's keys from those that the fleet shares (HKDF, RFC 5869). A server takes whatever session its key
// opens, whoever the client asks for: with a key of its own no certificate's session is another's.
func (c *Certificate) ticketKeys(tickets *directory.TicketKeys) ([][32]byte, error) {
	keys := make([][32]byte, len(tickets.Keys))
	for i, shared := range tickets.Keys {
		derived, err := hkdf.Key(sha256.New, shared[:], nil, "sallyport session tickets of "+id.Text(id.Certificate, c.ID), len(keys[i]))
		if err != nil {
			return nil, fmt.Errorf("derive a ticket key: %w", err)
		}
		keys[i] = [32]byte(derived)
	}
	return keys, nil
}
