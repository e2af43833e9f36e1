package dataplane

import (
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	"github.com/sallyport/sallyport/dataplane/internal/proxyprotocol"
	"github.com/sallyport/sallyport/proto/ranges"
)

// openTLS makes what connections begin with: who they are from, and what they are shown.
func (n *node) openTLS() {
	n.certificates = certificates.NewKeeper(certificates.Config{
		InForce: func() (*certificates.Set, certificates.Policy) {
			now := n.snapshots.Load()
			if now == nil {
				return nil, certificates.Policy{}
			}
			return now.Certificates, now.Settings.TLS
		},
		Directory: n.directory, Logger: n.cfg.Logger,
	})
	n.gate = proxyprotocol.NewGate(func() ranges.Set {
		if now := n.snapshots.Load(); now != nil {
			return now.Settings.ProxyProtocolFrom
		}
		return ranges.Set{}
	})
}

func (n *node) servedCertificates() []admin.Certificate {
	states := n.certificates.States()
	shown := make([]admin.Certificate, len(states))
	for i, s := range states {
		shown[i] = admin.Certificate{ID: s.ID, Name: s.Name, Hosts: s.Hosts, ExpiresAt: s.Ends, Trouble: s.Trouble}
	}
	return shown
}

// tlsSamples are of handshakes, certificates and connections that others make for clients.
func (n *node) tlsSamples(one func(string, float64, ...string)) {
	done := n.certificates.Stats()
	one(admin.Handshakes, float64(done.Full), "full")
	one(admin.Handshakes, float64(done.Resumed), "resumed")
	one(admin.Handshakes, float64(done.UnknownHost), "unknown_host")
	one(admin.Handshakes, float64(done.Keyless), "no_key")
	usable, unusable := 0, 0
	for _, s := range n.certificates.States() {
		if s.Trouble == "" {
			usable++
		} else {
			unusable++
		}
		one(admin.ServedRemaining, time.Until(s.Ends).Seconds(), s.Name)
	}
	one(admin.ServedCertificates, float64(usable), "usable")
	one(admin.ServedCertificates, float64(unusable), "unusable")
	introduced := n.gate.Stats()
	one(admin.ProxyProtocol, float64(introduced.Named), "named")
	one(admin.ProxyProtocol, float64(introduced.Unnamed), "unnamed")
	one(admin.ProxyProtocol, float64(introduced.Refused), "refused")
}
