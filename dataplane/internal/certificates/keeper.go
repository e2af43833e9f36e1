package certificates

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/id"
)

// Directory is where private keys and ticket keys are. It is directory.Directory.
type Directory interface {
	Secret(secret id.ID) ([]byte, bool)
	TicketKeys() *directory.TicketKeys
}

// Config is what a Keeper needs.
type Config struct {
	// InForce returns the certificates and the policy of the revision in force; a nil set: there is no revision, or none has certificates.
	InForce func() (*Set, Policy)
	// Directory is where keys are.
	Directory Directory
	// Logger hears of certificates that can't be used.
	Logger *slog.Logger
}

// Keeper answers handshakes with what is in force. It is safe for concurrent use.
type Keeper struct {
	inForce   func() (*Set, Policy)
	directory Directory
	log       *slog.Logger
	stats     stats
	counted   func(tls.ConnectionState) error // made once: a method's value is an allocation
}

type stats struct{ full, resumed, unknownHost, noKey atomic.Uint64 }

// Stats counts handshakes, by what became of them.
type Stats struct {
	Full, Resumed        uint64 // that came to an end
	UnknownHost, Keyless uint64 // refused
}

// NewKeeper returns a keeper.
func NewKeeper(cfg Config) *Keeper {
	k := &Keeper{inForce: cfg.InForce, directory: cfg.Directory, log: cfg.Logger}
	k.counted = k.count
	return k
}

// TLS returns what a listener speaks TLS with. It stays right, whatever changes.
func (k *Keeper) TLS() *tls.Config {
	made := base(Policy{})
	made.GetConfigForClient = k.choose
	return made
}

var errNoCertificate = errors.New("no certificate can be shown for this host")

// choose returns what a client is spoken to with.
func (k *Keeper) choose(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	set, policy := k.inForce()
	c := set.For(hello.ServerName)
	if c == nil {
		k.stats.unknownHost.Add(1)
		return base(policy), nil
	}
	p, err := c.find(k.directory)
	k.tell(c, err)
	if err != nil {
		k.stats.noKey.Add(1)
		return nil, errNoCertificate
	}
	return c.configured(p, policy, k.directory.TicketKeys(), k.counted)
}

// count takes note of a handshake that is done.
func (k *Keeper) count(state tls.ConnectionState) error {
	if state.DidResume {
		k.stats.resumed.Add(1)
	} else {
		k.stats.full.Add(1)
	}
	return nil
}

// tell logs what a certificate suffers from, once each.
func (k *Keeper) tell(c *Certificate, err error) {
	if err == nil {
		if c.trouble.Load() != nil && c.trouble.Swap(nil) != nil {
			k.log.Info("the certificate can be used again", "certificate", id.Text(id.Certificate, c.ID), "name", c.Name)
		}
		return
	}
	text := err.Error()
	if before := c.trouble.Swap(&text); before == nil || *before != text {
		k.log.Error("a certificate can't be used: handshakes for its hosts are refused", "certificate", id.Text(id.Certificate, c.ID), "reason", c.Name+": "+text)
	}
}

// ClientCertificate returns a certificate with its key, to be shown to a service. It is to be asked for in each handshake.
func (k *Keeper) ClientCertificate(certificate id.ID) (*tls.Certificate, error) {
	set, _ := k.inForce()
	c := set.get(certificate)
	if c == nil {
		return nil, fmt.Errorf("certificate %s isn't there", id.Text(id.Certificate, certificate))
	}
	p, err := c.find(k.directory)
	k.tell(c, err)
	if err != nil {
		return nil, fmt.Errorf("certificate %q: %w", c.Name, err)
	}
	return &p.certificate, nil
}

// Stats returns what was counted.
func (k *Keeper) Stats() Stats {
	return Stats{
		Full: k.stats.full.Load(), Resumed: k.stats.resumed.Load(),
		UnknownHost: k.stats.unknownHost.Load(), Keyless: k.stats.noKey.Load(),
	}
}

// State is how a certificate is.
type State struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Hosts   []string  `json:"hosts,omitempty"`
	Ends    time.Time `json:"ends"`
	Trouble string    `json:"trouble,omitempty"` // why it can't be used; "": it can
}

// States says how the certificates in force are, in the order of their names. It looks for each one's key.
func (k *Keeper) States() []State {
	set, _ := k.inForce()
	states := make([]State, 0, len(set.All()))
	for _, c := range set.All() {
		_, err := c.find(k.directory)
		k.tell(c, err)
		s := State{ID: id.Text(id.Certificate, c.ID), Name: c.Name, Hosts: c.hosts, Ends: c.Ends()}
		if err != nil {
			s.Trouble = err.Error()
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b State) int { return strings.Compare(a.Name, b.Name) })
	return states
}
