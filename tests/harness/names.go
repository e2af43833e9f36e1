package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Names is a name server for one edge: it knows one address for whatever name it is asked for.
type Names struct {
	// resolver is the file that tells the edge's resolver whom to ask.
	resolver string

	mu      sync.Mutex
	address netip.Addr // not valid: it fails
	ttl     uint32
	asked   int
}

// NewNames starts a name server on loopback, which ends with the test. It takes root on Linux, for its port and so that an edge can be
// shown another /etc/resolv.conf than the machine's: without, the test is skipped.
func NewNames(t testing.TB) *Names {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a name server takes root")
	}
	for _, program := range []string{"unshare", "mount", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("a name server for one edge takes %s (Debian: apt-get install util-linux bash)", program)
		}
	}
	// An address of its own: port 53, which resolv.conf gives no choice of, may be taken on others.
	address := fmt.Sprintf("127.%d.%d.53", 1+rand.N(254), rand.N(255)) // #nosec G404 -- no secret
	server, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", net.JoinHostPort(address, "53"))
	if err != nil {
		t.Fatal(err)
	}
	n := &Names{resolver: filepath.Join(t.TempDir(), "resolv.conf")}
	if err := os.WriteFile(n.resolver, []byte("nameserver "+address+"\n"), 0o644); err != nil { // #nosec G306 -- as /etc/resolv.conf is
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { n.serve(server) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return n
}

// Lead makes all names lead to an address, which may be believed for ttl seconds.
func (n *Names) Lead(to netip.Addr, ttl uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.address, n.ttl = to, ttl
}

// Fail makes the name server fail, until it leads somewhere again.
func (n *Names) Fail() { n.Lead(netip.Addr{}, 0) }

// Asked returns how often somebody asked for an address.
func (n *Names) Asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func (n *Names) serve(server net.PacketConn) {
	question := make([]byte, 512)
	for {
		size, from, err := server.ReadFrom(question)
		if err != nil {
			return // the test is over
		}
		if answer, err := n.answer(question[:size]); err == nil {
			_, _ = server.WriteTo(answer, from) // whoever asked asks again
		}
	}
}

func (n *Names) answer(question []byte) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	m.Response, m.Additionals = true, nil
	if !n.address.IsValid() {
		m.RCode = dnsmessage.RCodeServerFailure
	}
	for _, asked := range m.Questions {
		if asked.Type != dnsmessage.TypeA {
			continue
		}
		n.asked++
		if n.address.Is4() {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: asked.Name, Type: asked.Type, Class: asked.Class, TTL: n.ttl},
				Body:   &dnsmessage.AResource{A: n.address.As4()},
			})
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	return answer, nil
}

// AddEdgeAsking starts one more edge, whose machine asks a name server of the test's.
func (e *Environment) AddEdgeAsking(ctx context.Context, n *Names) (*Edge, error) {
	return e.addEdgeAt(ctx, place{
		address: "127.0.0.1", control: e.Stack.local.EdgeAPIAddress(),
		within: []string{"unshare", "--mount", "bash", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, n.resolver},
	}, nil)
}
