package stack

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
)

// Names of the parts.
const (
	Postgres = "postgres"
	Control  = "control"
	Bus      = "bus" // where it has a process of its own
	Demo     = "demo"
)

// Replica returns the name of the n-th control plane, counted from 1.
func Replica(n int) string {
	if n == 1 {
		return Control
	}
	return Control + "-" + strconv.Itoa(n)
}

// Edge returns the name of the n-th edge, counted from 1.
func Edge(n int) string { return "edge-" + strconv.Itoa(n) }

// Config is what a stack is made of.
type Config struct {
	// Dir holds all state.
	Dir string
	// Bin holds the binaries that `make build` made.
	Bin string
	// Environment that the edges enrol in, by name. It is made when it isn't there.
	Environment string
	// Edges is how many there are.
	Edges int
	// Replicas is how many control planes there are; 0: one. Several share a bus that has a process of its own.
	Replicas int
	// OwnBus gives the bus a process of its own also where there is one control plane.
	OwnBus bool
	// NATSServer is a nats-server program to run as the bus, instead of the product's own; empty: none.
	NATSServer string
	// Standby gives the database a synchronous replica, which FailOver promotes.
	Standby bool
	// Ports to listen on, all on 127.0.0.1.
	Ports Ports
	// Restart makes what dies run again.
	Restart bool
	// Output takes what the programs print, one stream for all, each line under its program's name.
	Output io.Writer
	// Logger takes what the stack itself has to say.
	Logger *slog.Logger
	// Progress is called with what is being started. May be nil.
	Progress func(step string)
	// ControlArgs are added to the command line of the control plane.
	ControlArgs []string
	// EdgeArgs are added to the command line of every edge.
	EdgeArgs []string
	// Throwaway trades the database's durability for speed; for tests.
	Throwaway bool
}

// Ports are TCP ports on 127.0.0.1; 0 picks a free one.
type Ports struct {
	Postgres, Admin, Console, EdgeAPI, Bus, Demo int
	// Edge and EdgeAdmin are the first edge's; the n-th one's are n-1 higher.
	Edge, EdgeAdmin int
}

// DefaultPorts are what `make run` takes.
func DefaultPorts() Ports {
	return Ports{Postgres: 7432, Admin: 7080, Console: 7081, EdgeAPI: 7443, Bus: 7422, Demo: 7090, Edge: 8001, EdgeAdmin: 9001}
}

func (c *Config) validate() error {
	if c.Dir == "" || c.Bin == "" || c.Environment == "" || c.Logger == nil || c.Output == nil {
		return errors.New("stack: Dir, Bin, Environment, Logger and Output are needed")
	}
	if c.Edges < 0 || c.Edges > 64 {
		return fmt.Errorf("stack: %d edges; 0 to 64 are possible", c.Edges)
	}
	if c.Replicas < 0 || c.Replicas > 8 {
		return fmt.Errorf("stack: %d control planes; 1 to 8 are possible", c.Replicas)
	}
	if c.Standby && c.Restart {
		return errors.New("stack: a database that is started again can't be failed over from: Standby or Restart, not both")
	}
	c.Replicas = max(c.Replicas, 1)
	c.OwnBus = c.OwnBus || c.Replicas > 1 || c.NATSServer != ""
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return nil
}

func (c *Config) binary(name string) string { return filepath.Join(c.Bin, name) }

// addresses are where the parts listen, once chosen.
type addresses struct {
	admins, consoles, edgeAPIs []string // of each control plane
	bus, demo                  string
	edges, edgeAdmins          []string
}

// choose makes every 0 a free port, and refuses one that is taken: what answers there would be taken for the part, and be shown
// the token. All are held until all are known, so that no two are the same.
func (c *Config) choose() (addresses, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	var failed error
	pick := func(part string, port int) string {
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // immediate
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("stack: the port of the %s: %w; stop what listens there, or choose another", part, err))
			return ""
		}
		held = append(held, listener)
		return listener.Addr().String()
	}
	a := addresses{bus: pick("bus", c.Ports.Bus), demo: pick("demo service", c.Ports.Demo)}
	for n := range max(c.Replicas, 1) {
		a.admins = append(a.admins, pick("admin API", nth(c.Ports.Admin, n)))
		a.consoles = append(a.consoles, pick("console", nth(c.Ports.Console, n)))
		a.edgeAPIs = append(a.edgeAPIs, pick("nodes' API", nth(c.Ports.EdgeAPI, n)))
	}
	for n := range c.Edges {
		a.edges = append(a.edges, pick(Edge(n+1), nth(c.Ports.Edge, n)))
		a.edgeAdmins = append(a.edgeAdmins, pick("operator of "+Edge(n+1), nth(c.Ports.EdgeAdmin, n)))
	}
	return a, failed
}

func nth(first, n int) int {
	if first == 0 {
		return 0
	}
	return first + n
}
