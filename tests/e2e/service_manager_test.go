package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/tests/harness"
)

const units = "../../deploy/systemd"

// setting returns what a unit of ours says.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(units, unit))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return value
		}
	}
	t.Fatalf("%s has no %s=", unit, name)
	return ""
}

// manager starts edges as systemd does: it holds their sockets, passes them on under the names that our units give them, and hears how far
// the edge is.
type manager struct {
	sockets []*os.File
	names   string
	notify  *net.UnixConn
	path    string
	clients string // where they connect
}

func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{path: filepath.Join(t.TempDir(), "n")}
	var names []string
	for _, unit := range []string{"sallyport-edge-operator.socket", "sallyport-edge-secure.socket", "sallyport-edge.socket"} {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		m.clients = listener.Addr().String() // the last one's
		file, err := listener.File()
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close() // the file holds the socket
		t.Cleanup(func() { _ = file.Close() })
		m.sockets = append(m.sockets, file)
		names = append(names, setting(t, unit, "FileDescriptorName"))
	}
	m.names = strings.Join(names, ":")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m.notify = notify
	t.Cleanup(func() { _ = notify.Close() })
	return m
}

// start starts an edge, and returns once it says that it is ready.
func (m *manager) start(t *testing.T, environment []string, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	// LISTEN_PID is the process's own number, which only it knows in time.
	shell := []string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, filepath.Join(bin, "sallyport-edge")}
	cmd := exec.Command("sh", append(shell, args...)...)
	cmd.Env = append(append(os.Environ(), environment...), "LISTEN_FDS="+strconv.Itoa(len(m.sockets)), "LISTEN_FDNAMES="+m.names, "NOTIFY_SOCKET="+m.path)
	cmd.ExtraFiles = m.sockets
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if err := m.notify.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 256)
	n, err := m.notify.Read(said)
	if err != nil || string(said[:n]) != "READY=1" {
		t.Fatalf("the edge says %q, %v", said[:n], err)
	}
	return cmd
}

// ask sends a request on a connection of its own, and returns what to read its answer with.
func (m *manager) ask(t *testing.T, host, key string) func() error {
	t.Helper()
	conn, err := net.Dial("tcp", m.clients)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nConnection: close\r\n\r\n", host, key); err != nil {
		t.Fatal(err)
	}
	return func() error {
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s %s: %w", answer.Status, body, err)
		}
		return nil
	}
}

func TestWhatConnectsWhileAnEdgeOnTheSocketsOfAServiceManagerRestartsIsAnsweredByTheNext(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	p := s.Protected(newGate(t).address)
	token, err := s.Environment.JoinToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t)
	args := []string{
		"serve", "--data-dir", filepath.Join(t.TempDir(), "data"), "--control", s.Environment.Stack.EdgeAPIAddress(), "--access-log=false",
		// Were it to listen there itself, it could not.
		"--listen", "192.0.2.1:1", "--admin-listen", "192.0.2.1:2",
	}
	edge := m.start(t, []string{"SALLYPORT_JOIN_TOKEN=" + token}, args...)
	answered := func() error { return m.ask(t, s.Host, p.Key.Key)() }
	harness.Eventually(t, time.Minute, answered) // once it has the configuration
	for range 2 {
		if err := edge.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := edge.Wait(); err != nil {
			t.Fatalf("asked to end, it ended with %v", err)
		}
		var waiting []func() error
		for range 20 {
			waiting = append(waiting, m.ask(t, s.Host, p.Key.Key))
		}
		edge = m.start(t, nil, args...)
		for _, answer := range waiting {
			if err := answer(); err != nil {
				t.Errorf("what waited in the queue: %v", err)
			}
		}
	}
}

// A unit that doesn't start is found out when somebody needs it.
func TestUnitsOfSystemdStartTheEdgeWithFlagsThatItHas(t *testing.T) {
	t.Parallel()
	known, err := product.RunEdge(t.Context(), nil, "serve", "-help")
	if err == nil || !strings.Contains(known, "-data-dir") {
		t.Fatalf("the edge doesn't tell its flags: %v", err)
	}
	for _, unit := range []string{"sallyport-edge.service", "sallyport-edge@.service"} {
		command := strings.Fields(setting(t, unit, "ExecStart"))
		for _, flag := range command[2:] {
			if strings.HasPrefix(flag, "-") && !strings.Contains(known, "  "+flag+" ") && !strings.Contains(known, "  "+flag+"\n") {
				t.Errorf("%s starts the edge with %s, which it doesn't know", unit, flag)
			}
		}
		if takes := slices.Contains(command, "-take-over"); takes != strings.Contains(unit, "@") {
			t.Errorf("%s takes over: %t", unit, takes)
		}
	}
}
