package dataplane

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/enroll"
	"github.com/sallyport/sallyport/dataplane/internal/handover"
	"github.com/sallyport/sallyport/dataplane/internal/reach"
)

// Config is what a node starts with.
type Config struct {
	// Control is where the control plane serves nodes, host:port; of several replicas, with commas between.
	Control string
	// JoinToken is needed once, for a node without an identity.
	JoinToken string
	// DataDir keeps the node's identity and state. It is made if need be, for its owner alone.
	DataDir string
	// Snapshot is a file to start from, as sallyport-control export writes it: for a node that joins while the control plane is away, or that
	// has none. SnapshotKey opens it.
	Snapshot, SnapshotKey string
	// StateKey seals the state on disk: 32 bytes in base64. Without it a key is kept beside the state, which then guards integrity only.
	StateKey string
	// TakeOver makes the node take over from the process that runs in DataDir, if one does: it gets the listening sockets, and that one ends.
	TakeOver bool
	// Activation is what a service manager passes on: listening sockets, which go before Listen and AdminListen, and where it wants to hear
	// how far the node is.
	Activation Activation
	// Name of the node, for people.
	Name string
	// Listen is where clients connect, host:port.
	Listen string
	// ListenTLS is where clients connect over TLS, host:port; empty: nowhere. What they are shown are the environment's certificates.
	ListenTLS string
	// AdminListen is where the operator looks, on loopback.
	AdminListen string
	// Profiles lets the operator look where processor time goes and who waits for a mutex (/debug/pprof).
	Profiles bool
	// AccessLog takes a JSON line per request; nil: none.
	AccessLog io.Writer
	// Tracing sends spans of requests.
	Tracing Tracing
	// Inspection bounds what inspecting requests may cost the node.
	Inspection Inspection
	// Logger takes what an operator should know.
	Logger *slog.Logger
	// Build of the binary, for people.
	Build string
	// BodyMemory bounds what the bodies of all requests take together, in bytes, that policies hold whole; 0: 256 MiB, or a quarter of GOMEMLIMIT if
	// that is less.
	BodyMemory int64
	// DrainTimeout bounds how long requests under way are waited for at the end; default 20 s.
	DrainTimeout time.Duration
}

// Activation is what a service manager says in the environment.
type Activation = handover.Activation

const defaultDrainTimeout = 20 * time.Second

func (c *Config) check() error {
	var missing []error
	for _, need := range []struct{ name, value string }{
		{"control", c.Control}, {"data-dir", c.DataDir}, {"listen", c.Listen}, {"admin-listen", c.AdminListen},
	} {
		if need.value == "" {
			missing = append(missing, errors.New(need.name+" is not set"))
		}
	}
	if c.Control != "" {
		if _, err := reach.Parse(c.Control); err != nil {
			missing = append(missing, err)
		}
	}
	if c.Logger == nil {
		missing = append(missing, errors.New("a Logger is needed"))
	}
	if _, err := c.bodyMemory(); err != nil {
		missing = append(missing, err)
	}
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = defaultDrainTimeout
	}
	missing = append(missing, c.Inspection.check())
	return errors.Join(missing...)
}

func (c *Config) enrolment() enroll.Config {
	return enroll.Config{Dir: c.DataDir, JoinToken: c.JoinToken, ControlPlane: c.Control, Name: c.Name, Logger: c.Logger}
}
