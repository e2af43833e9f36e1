package certificates_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// entries is a directory.
type entries struct {
	lock    sync.Mutex
	secrets map[id.ID][]byte
	tickets *directory.TicketKeys
}

func (e *entries) Secret(secret id.ID) ([]byte, bool) {
	e.lock.Lock()
	defer e.lock.Unlock()
	value, ok := e.secrets[secret]
	return value, ok
}

func (e *entries) TicketKeys() *directory.TicketKeys {
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.tickets
}

func (e *entries) put(secret id.ID, value string) {
	e.lock.Lock()
	defer e.lock.Unlock()
	e.secrets[secret] = []byte(value)
}

func (e *entries) remove(secret id.ID) {
	e.lock.Lock()
	defer e.lock.Unlock()
	delete(e.secrets, secret)
}

// rotate makes a ticket key as the control plane does: three are kept.
func (e *entries) rotate(first byte) {
	e.lock.Lock()
	defer e.lock.Unlock()
	next := &directory.TicketKeys{Keys: []directory.TicketKey{{first}}}
	if e.tickets != nil {
		next.Keys = append(next.Keys, e.tickets.Keys[:min(2, len(e.tickets.Keys))]...)
	}
	e.tickets = next
}

// node is a keeper with what is in force.
type node struct {
	*certificates.Keeper

	t    *testing.T
	log  bytes.Buffer
	lock sync.Mutex

	entries   *entries
	authority *certificatetest.Authority
	set       *certificates.Set
	policy    certificates.Policy
	all       map[string]*certificates.Certificate
}

func newNode(t *testing.T, shared *entries, authority *certificatetest.Authority) *node {
	n := &node{t: t, entries: shared, authority: authority, all: make(map[string]*certificates.Certificate)}
	n.Keeper = certificates.NewKeeper(certificates.Config{
		InForce: func() (*certificates.Set, certificates.Policy) {
			n.lock.Lock()
			defer n.lock.Unlock()
			return n.set, n.policy
		},
		Directory: shared, Logger: slog.New(slog.NewTextHandler(&n.log, nil)),
	})
	return n
}

func start(t *testing.T) *node {
	return newNode(t, &entries{secrets: make(map[id.ID][]byte)}, certificatetest.NewAuthority(t))
}

// idOf gives a name the same id at every node.
func idOf(name string) (made id.ID) {
	copy(made[:], name)
	return made
}

// shows puts a certificate in force, whose key the directory may or may not have.
func (n *node) shows(name string, leaf certificatetest.Leaf, standard bool, hosts ...string) {
	n.t.Helper()
	made, err := certificates.New(idOf(name), &configv1.Certificate{
		Name: name, Chain: leaf.Chain, PrivateKey: id.Text(id.Secret, idOf(name)), Hosts: hosts, Default: standard,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.all[name] = made
	n.settle()
}

func (n *node) settle() {
	n.t.Helper()
	var all []*certificates.Certificate
	for _, c := range n.all {
		all = append(all, c)
	}
	set, err := certificates.NewSet(all)
	if err != nil {
		n.t.Fatal(err)
	}
	n.lock.Lock()
	n.set = set
	n.lock.Unlock()
}

// issue puts a certificate with its key in force, and returns it.
func (n *node) issue(name string, standard bool, hosts ...string) certificatetest.Leaf {
	n.t.Helper()
	leaf := n.authority.Issue(n.t, hosts...)
	n.entries.put(idOf(name), leaf.Key)
	n.shows(name, leaf, standard, hosts...)
	return leaf
}

// client is how a client that believes in the authority speaks.
func (n *node) client(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: n.authority.Pool()}
}

const patience = 20 * time.Second

// connect shakes hands, and reads a byte, so that tickets have come.
func (n *node) connect(config *tls.Config) (tls.ConnectionState, error) {
	n.t.Helper()
	conn, err := n.dial(config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// dial shakes hands. The node's side writes a byte, and then says back whatever it hears.
func (n *node) dial(config *tls.Config) (*tls.Conn, error) {
	n.t.Helper()
	ours, theirs := net.Pipe()
	deadline := time.Now().Add(patience)
	_, _ = ours.SetDeadline(deadline), theirs.SetDeadline(deadline)
	served := make(chan struct{})
	n.t.Cleanup(func() {
		_, _ = ours.Close(), theirs.Close()
		<-served
	})
	server := tls.Server(theirs, n.TLS())
	go func() {
		defer close(served)
		defer func() { _ = theirs.Close() }()
		if server.Handshake() != nil {
			return
		}
		_, _ = server.Write([]byte{1})
		_, _ = io.Copy(server, server)
	}()
	conn := tls.Client(ours, config)
	return conn, conn.Handshake()
}

// shown returns the certificate that a client of a host is answered with; nil: it is refused.
func (n *node) shown(host string) *x509.Certificate {
	n.t.Helper()
	state, err := n.connect(&tls.Config{ServerName: host, InsecureSkipVerify: true}) //nolint:gosec // what is shown is looked at
	if err != nil {
		return nil
	}
	return state.PeerCertificates[0]
}
