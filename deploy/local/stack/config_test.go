package stack

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestAPortThatIsTakenIsRefusedByThePartItIsFor(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	for part, ports := range map[string]Ports{"admin API": {Admin: port}, "bus": {Bus: port}, "edge-1": {Edge: port}} {
		cfg := Config{Edges: 2, Ports: ports}
		if _, err := cfg.choose(); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "the port of the "+part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

func TestChosenPortsAreAllDifferent(t *testing.T) {
	cfg := Config{Edges: 3}
	at, err := cfg.choose()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, address := range append(append([]string{at.admins[0], at.edgeAPIs[0], at.bus, at.demo}, at.edges...), at.edgeAdmins...) {
		if address == "" || seen[address] {
			t.Errorf("%q is there twice, or empty", address)
		}
		seen[address] = true
	}
}
