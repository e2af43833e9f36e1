package peers

import "context"

// Site is what a gateway is asked to do for a request.
type Site string

// The sites.
const (
	// Plain passes requests on.
	Plain Site = "plain"
	// Keyed asks for one of many API keys, and limits each of them.
	Keyed Site = "keyed"
	// Secure is Plain over TLS.
	Secure Site = "secure"
	// Sockets passes WebSockets on.
	Sockets Site = "sockets"
	// Routed has many routes.
	Routed Site = "routed"
	// Inspected inspects requests by the Core Rule Set.
	Inspected Site = "inspected"
)

func allSites() []Site { return []Site{Plain, Keyed, Secure, Sockets, Routed, Inspected} }

// Setup is how a gateway is started.
type Setup struct {
	// Processors that it may use, by number, and Threads how many of them at once.
	Processors []int
	Threads    int
	// Routed has the routed site's routes: they take memory, so that nobody has them where they aren't measured.
	Routed bool
	// Inspected has the inspected site: its rules take memory too.
	Inspected bool
	// AccessLog writes a line for each request.
	AccessLog bool
	// Profiles lets it be asked where time goes, where the gateway is ours.
	Profiles bool
}

// Gateway can be started.
type Gateway interface {
	Name() string
	// Lacks says why it can't be measured at a site; "": it can.
	Lacks(site Site) string
	// Start starts it. It serves once Start returns.
	Start(ctx context.Context, setup Setup) (Running, error)
}

// Running is one that runs.
type Running interface {
	// PID is the process that all of its others come from.
	PID() int
	// At is where a site is, host:port.
	At(site Site) string
	// Stop ends it.
	Stop(ctx context.Context) error
}

// Host is the name that a site is asked for by.
func Host(site Site) string { return string(site) + ".test" }
