package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Network is one that an edge has to itself (a Linux network namespace), with two links to the test's: over one the edge reaches the
// control plane and the bus, until it is cut; over the other its clients reach it, and it the services, always.
type Network struct {
	// Range of addresses that services have there.
	Range string

	name, bridge, fleet string // the namespace, and our end of what can be cut
	near, here, inside  string // our addresses on both links, and the edge's for its clients
}

// fleetInside and localInside are what the links are called in the namespace.
const (
	fleetInside = "fleet"
	localInside = "local"
)

// NewNetwork makes a network that is gone after the test. It takes root on Linux: without, the test is skipped.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace takes root")
	}
	for _, program := range []string{"ip", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("a network namespace takes %s (Debian: apt-get install iproute2 bash)", program)
		}
	}
	random := make([]byte, 3)
	rand.Read(random) // never fails
	// What RFC 2544 keeps for tests.
	near, here := fmt.Sprintf("198.18.%d", random[0]), fmt.Sprintf("198.19.%d", random[0])
	n := &Network{
		Range: here + ".0/24", name: fmt.Sprintf("sallyport-%x", random),
		bridge: fmt.Sprintf("spb%x", random), fleet: fmt.Sprintf("spf%x", random),
		near: near + ".1", here: here + ".1", inside: here + ".2",
	}
	local := fmt.Sprintf("spl%x", random)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		// The namespace takes its ends of the links with it, and they ours.
		for _, gone := range [][]string{{"netns", "del", n.name}, {"link", "del", n.bridge}} {
			if err := ip(ctx, gone...); err != nil {
				t.Error(err)
			}
		}
	})
	for _, step := range []string{
		"netns add " + n.name,
		"link add " + n.bridge + " type bridge",
		"link add " + n.fleet + " type veth peer name " + fleetInside + " netns " + n.name,
		"link add " + local + " type veth peer name " + localInside + " netns " + n.name,
		"link set " + n.fleet + " master " + n.bridge,
		"address add " + n.near + "/24 dev " + n.bridge,
		"address add " + n.here + "/24 dev " + local,
		"link set " + n.bridge + " up",
		"link set " + n.fleet + " up",
		"link set " + local + " up",
		"-n " + n.name + " address add " + near + ".2/24 dev " + fleetInside,
		"-n " + n.name + " address add " + n.inside + "/24 dev " + localInside,
		"-n " + n.name + " link set lo up",
		"-n " + n.name + " link set " + fleetInside + " up",
		"-n " + n.name + " link set " + localInside + " up",
	} {
		if err := ip(t.Context(), strings.Fields(step)...); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// Cut ends the link to the control plane and the bus in silence: nobody is told.
func (n *Network) Cut(ctx context.Context) error { return ip(ctx, "link", "set", n.fleet, "down") }

// Mute ends it in one direction: what the edge sends arrives, what it is sent doesn't.
func (n *Network) Mute(ctx context.Context) error {
	to := strings.TrimSuffix(n.near, ".1") + ".2"
	return ip(ctx, "neighbour", "replace", to, "lladdr", "02:00:00:00:00:01", "dev", n.bridge, "nud", "permanent")
}

// Heal undoes Cut and Mute.
func (n *Network) Heal(ctx context.Context) error {
	to := strings.TrimSuffix(n.near, ".1") + ".2"
	_ = ip(ctx, "neighbour", "del", to, "dev", n.bridge) // there is none unless it was muted
	return ip(ctx, "link", "set", n.fleet, "up")
}

// Service returns an address in the network's range, and in ours, that leads to one of ours.
func (n *Network) Service(t testing.TB, to string) string {
	t.Helper()
	return n.forward(t, n.here, func() string { return to })
}

// Fleet returns an address that leads to what to says then, over the link that can be cut.
func (n *Network) Fleet(t testing.TB, to func() string) string {
	t.Helper()
	return n.forward(t, n.near, to)
}

func (n *Network) forward(t testing.TB, address string, to func() string) string {
	t.Helper()
	at, stop, err := forward(address, func(ctx context.Context) (io.ReadWriteCloser, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", to())
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return at
}

// enter connects to a port of the network's loopback, where the edge's operator listens. Only a program in there can.
func (n *Network) enter(ctx context.Context, port string) (io.ReadWriteCloser, error) {
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", n.name, "bash", "-c", `exec 3<>"/dev/tcp/127.0.0.1/$0" && { cat <&3 & cat >&3; }`, port)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		return nil, fmt.Errorf("enter network %s: %w", n.name, err)
	}
	return &entered{Writer: in, Reader: out, cmd: cmd}, nil
}

// entered is a connection that a program holds.
type entered struct {
	io.Writer
	io.Reader

	cmd *exec.Cmd
}

func (e *entered) Close() error {
	_ = e.cmd.Cancel() // it may be gone
	_ = e.cmd.Wait()   // it was killed
	return nil
}

func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// AddEdgeOf starts one more edge, of another program, with environment variables ("NAME=value") of its own.
func (e *Environment) AddEdgeOf(ctx context.Context, program string, environment ...string) (*Edge, error) {
	return e.addEdgeAt(ctx, place{address: "127.0.0.1", control: e.Stack.local.EdgeAPIAddress(), program: program}, environment)
}

// AddEdgeIn starts one more edge, in a network of its own, where the control plane is at an address that leads there.
func (e *Environment) AddEdgeIn(ctx context.Context, n *Network, control string) (*Edge, error) {
	return e.addEdgeAt(ctx, place{address: n.inside, control: control, network: n, within: []string{"ip", "netns", "exec", n.name}}, nil)
}

func (e *Environment) addEdgeAt(ctx context.Context, at place, environment []string) (*Edge, error) {
	token, err := e.JoinToken(ctx)
	if err != nil {
		return nil, err
	}
	edge, err := e.startEdgeAt(ctx, at, fmt.Sprintf("%s-edge-%d", e.Name, len(e.Edges)+1), token, environment)
	if err != nil {
		return nil, fmt.Errorf("start another edge of %s: %w", e.Name, err)
	}
	e.Edges = append(e.Edges, edge)
	return edge, nil
}

// forward passes connections on until it is stopped.
func forward(address string, dial func(context.Context) (io.ReadWriteCloser, error)) (at string, stop func(), _ error) {
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		cancel()
		return "", nil, fmt.Errorf("harness: %w", err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // it was stopped
			}
			running.Go(func() { pass(ctx, from, dial) })
		}
	})
	return listener.Addr().String(), func() {
		cancel()
		_ = listener.Close()
		running.Wait()
	}, nil
}

// pass passes on what two say to each other, until either ends or ctx does.
func pass(ctx context.Context, from io.ReadWriteCloser, dial func(context.Context) (io.ReadWriteCloser, error)) {
	defer from.Close()
	to, err := dial(ctx)
	if err != nil {
		return // whoever asked sees the connection end
	}
	defer to.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]io.ReadWriteCloser{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // however it ends, both sides see it
			ended <- struct{}{}
		}()
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
}

// place is where an edge runs.
type place struct {
	address string // that it listens on
	control string
	program string   // "": the one that was built
	network *Network // nil: the test's own
	within  []string // command that runs the edge's; nil: none
}

func (p place) path(program string) string {
	if len(p.within) == 0 {
		return program
	}
	return p.within[0]
}

func (p place) args(program string, args ...string) []string {
	if len(p.within) == 0 {
		return args
	}
	return append(append(p.within[1:len(p.within):len(p.within)], program), args...)
}

// free returns two addresses on which nobody listens: of the place for clients, and of its loopback for the operator.
func (p place) free() (serve, operate string, _ error) {
	first, second, err := freePorts()
	if err != nil {
		return "", "", err
	}
	_, port, err := net.SplitHostPort(first)
	return net.JoinHostPort(p.address, port), second, err
}

// reach returns where the operator's address is in the test's network.
func (p place) reach(operate string) (string, func(), error) {
	if p.network == nil {
		return operate, func() {}, nil
	}
	_, port, err := net.SplitHostPort(operate)
	if err != nil {
		return "", nil, fmt.Errorf("harness: %w", err)
	}
	return forward("127.0.0.1", func(ctx context.Context) (io.ReadWriteCloser, error) { return p.network.enter(ctx, port) })
}
