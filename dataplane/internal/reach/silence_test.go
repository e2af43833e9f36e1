package reach_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The addresses of a machine that can vanish, and of its way to us (RFC 2544's range for tests).
const (
	vanishing = "198.19.77.2"
	here      = "198.19.77.1"
	serveIn   = "SALLYPORT_TEST_SERVE"
)

// TestServesForAnotherTest is a replica in a process of its own, when another test starts it.
func TestServesForAnotherTest(t *testing.T) {
	address := os.Getenv(serveIn)
	if address == "" {
		t.Skip("only in a process that another test starts")
	}
	startAt(t, address)
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil { // until the other one has ended
		t.Error("nobody says anything here")
	}
}

// A machine vanishes without a word: no packet of its connections ever comes again. The node is at another replica within
// seconds, although it has nothing to say itself.
func TestNodeMovesFromAMachineThatVanished(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a network of its own needs root")
	}
	name := fmt.Sprintf("sallyport-%d", os.Getpid())
	link := fmt.Sprintf("sp%d", os.Getpid())
	ip := func(args ...string) error {
		output, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, output)
		}
		return nil
	}
	if err := ip("netns", "add", name); err != nil {
		t.Skip("this machine gives no network of its own: ", err)
	}
	t.Cleanup(func() { // whichever is gone already
		_ = exec.Command("ip", "link", "del", link).Run()
		_ = exec.Command("ip", "netns", "del", name).Run()
	})
	for _, step := range [][]string{
		{"link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name},
		{"addr", "add", here + "/30", "dev", link},
		{"link", "set", link, "up"},
		{"-n", name, "link", "set", "lo", "up"},
		{"-n", name, "addr", "add", vanishing + "/30", "dev", "eth0"},
		{"-n", name, "link", "set", "eth0", "up"},
	} {
		if err := ip(step...); err != nil {
			t.Skip("this machine gives no network of its own: ", err)
		}
	}
	address := net.JoinHostPort(vanishing, "7443")
	serve(t, name, address)
	left := start(t)
	if at := ask(t, dial(t, address)); at != address { // once it listens
		t.Fatalf("it is at %s", at)
	}
	both := dial(t, address, left.address)
	for at := ask(t, both); at != address; at = ask(t, both) {
		both = dial(t, address, left.address) // until one has drawn the order in which the machine comes first
	}
	if err := ip("-n", name, "route", "add", "blackhole", here+"/32"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if at := ask(t, both); at != left.address {
		t.Errorf("it is at %s", at)
	}
	t.Logf("moved after %v", time.Since(began))
}

// serve starts a replica in another network, and returns once it listens.
func serve(t *testing.T, network, address string) {
	t.Helper()
	other := exec.Command("ip", "netns", "exec", network, os.Args[0], "-test.run=^TestServesForAnotherTest$")
	other.Env = append(os.Environ(), serveIn+"="+address)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = other.Wait() // it has served
	})
}
