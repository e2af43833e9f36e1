package controlplane

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
)

// Config is what a control plane starts with. Addresses are host:port; port 0 picks a free one.
type Config struct {
	// DatabaseURL is the Postgres database.
	DatabaseURL string
	// RootKey is 32 bytes in hexadecimal or base64; all other secrets are sealed under it.
	RootKey string
	// RootKeyFile holds the root key, if RootKey is empty.
	RootKeyFile string

	// AdminListen is where the admin API is served: on loopback, or anywhere with TLS.
	AdminListen string
	// AdminCertificate and AdminKey are PEM files for TLS of the admin API; both or none.
	AdminCertificate, AdminKey string
	// ConsoleListen is where the console is served to browsers, with the admin API beside it; empty: nowhere. On loopback, or
	// anywhere with the admin API's TLS.
	ConsoleListen string
	// EdgeListen is where nodes connect; always TLS of our own authority.
	EdgeListen string
	// BusListen is where nodes send usage; always TLS of our own authority.
	BusListen string
	// BusURLs are what nodes are told of where the bus is; empty: the listener's own address, or NATSURLs.
	BusURLs []string
	// NATSURLs are where the bus is, if it isn't to run in this process: BusListen and DataDir are unused then.
	NATSURLs []string
	// MetricsListen is where metrics are served, on loopback; empty: nowhere.
	MetricsListen string
	// NodeCertificateLife is how long a node's certificate lives, 10 s to 30 days; 0: 24 h. Nodes renew
	// theirs at half of it.
	NodeCertificateLife time.Duration
	// TicketKeyLife is for how long TLS session tickets are sealed with one key, 1 s to 7 days; 0: 12 h. Three keys are taken, so that
	// sessions can be resumed for two to three times as long.
	TicketKeyLife time.Duration
	// OutboundAllow are ranges of addresses, besides public ones, from which the control plane may fetch what users name (a sign-in
	// provider's or an issuer's documents): those inside the operator's network. In a loopback range plain http is let through too.
	OutboundAllow []netip.Prefix
	// DataDir holds the bus's streams.
	DataDir string

	// Logger takes what an operator should know.
	Logger *slog.Logger
	// Ready is called once, when everything listens; nil: nobody is told. Its error ends Run.
	Ready func(Addresses) error
}

// Addresses are where a control plane listens, host:port.
type Addresses struct {
	Admin   string `json:"admin"`
	Edge    string `json:"edge"`
	Bus     string `json:"bus"`
	Metrics string `json:"metrics,omitempty"`
	Console string `json:"console,omitempty"`
	// AdminTLS says whether the admin API is served over TLS.
	AdminTLS bool `json:"admin_tls"`
}

// Bounds of a node's certificate's life: in less time than the shorter none could be renewed.
const (
	leastNodeLife = 10 * time.Second
	mostNodeLife  = 30 * 24 * time.Hour

	leastTicketLife = time.Second
	mostTicketLife  = 7 * 24 * time.Hour // as long as a client may keep a ticket (RFC 8446 section 4.6.1)
)

// check returns everything that is wrong with the configuration at once.
func (c *Config) check() error {
	var wrong []error
	for _, need := range []struct{ name, value string }{
		{"the address of the admin API", c.AdminListen},
		{"the address for nodes", c.EdgeListen},
	} {
		if need.value == "" {
			wrong = append(wrong, errors.New(need.name+" is not set"))
		}
	}
	wrong = append(wrong, c.checkBus())
	if (c.AdminCertificate == "") != (c.AdminKey == "") {
		wrong = append(wrong, errors.New("TLS of the admin API needs both a certificate and a key"))
	}
	if c.AdminListen != "" && c.AdminCertificate == "" && !isLoopback(c.AdminListen) {
		wrong = append(wrong, fmt.Errorf("the admin API can't listen on %s without TLS: give it a certificate and a key, or a loopback address", c.AdminListen))
	}
	if c.ConsoleListen != "" && c.AdminCertificate == "" && !isLoopback(c.ConsoleListen) {
		wrong = append(wrong, fmt.Errorf("the console can't listen on %s without TLS: give the admin API a certificate and a key, or the console a loopback address", c.ConsoleListen))
	}
	if c.MetricsListen != "" && !isLoopback(c.MetricsListen) {
		wrong = append(wrong, fmt.Errorf("metrics can't be served on %s: give them a loopback address", c.MetricsListen))
	}
	if c.NodeCertificateLife == 0 {
		c.NodeCertificateLife = fleet.NodeLife
	}
	if life := c.NodeCertificateLife; life < leastNodeLife || life > mostNodeLife {
		wrong = append(wrong, fmt.Errorf("a node's certificate can't live for %v: at least %v, at most %v", life, leastNodeLife, mostNodeLife))
	}
	if c.TicketKeyLife == 0 {
		c.TicketKeyLife = publish.TicketLife
	}
	if life := c.TicketKeyLife; life < leastTicketLife || life > mostTicketLife {
		wrong = append(wrong, fmt.Errorf("session tickets can't be sealed with one key for %v: at least %v, at most %v", life, leastTicketLife, mostTicketLife))
	}
	return errors.Join(append(wrong, c.checkStore())...)
}

// checkStore is the part of check that commands need too.
func (c *Config) checkStore() error {
	var wrong []error
	if c.DatabaseURL == "" {
		wrong = append(wrong, errors.New("DATABASE_URL is not set"))
	}
	if strings.TrimSpace(c.RootKey) == "" && c.RootKeyFile == "" {
		wrong = append(wrong, errors.New("no root key: set SALLYPORT_ROOT_KEY, or SALLYPORT_ROOT_KEY_FILE"))
	}
	if c.Logger == nil {
		wrong = append(wrong, errors.New("a Logger is needed"))
	}
	return errors.Join(wrong...)
}

func (c *Config) rootKey() (secrets.RootKey, error) {
	if strings.TrimSpace(c.RootKey) != "" {
		return secrets.ParseRootKey(c.RootKey)
	}
	return secrets.ReadRootKey(c.RootKeyFile)
}

// adminTLS returns nil when the admin API is served in plain.
func (c *Config) adminTLS() (*tls.Config, error) {
	if c.AdminCertificate == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(c.AdminCertificate, c.AdminKey)
	if err != nil {
		return nil, fmt.Errorf("load the admin API's certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}, nil
}

// isLoopback tells whether an address can be reached from this machine alone. A name other than
// localhost isn't trusted to stay there.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
