package policy

// Phase is where in the order of a request a policy runs: earlier phases first.
type Phase uint8

// The phases, in the order in which they run.
const (
	Guard        Phase = iota + 1 // before anything is known of the caller: addresses, sizes, methods
	Authenticate                  // proves the consumer
	Authorize                     // decides what the consumer may do
	Limit                         // counts by what Authenticate found out
	Inspect                       // looks into the request
	Cache                         // may answer in place of the upstream
	Transform                     // changes what is forwarded or answered
)

var phaseNames = [...]string{
	Guard: "guard", Authenticate: "authenticate", Authorize: "authorize", Limit: "limit",
	Inspect: "inspect", Cache: "cache", Transform: "transform",
}

// String returns the phase's name as the API shows it; "" for what is no phase.
func (p Phase) String() string {
	if !p.Valid() {
		return ""
	}
	return phaseNames[p]
}

// Valid tells whether p is one of the phases; the zero Phase is none.
func (p Phase) Valid() bool { return p >= Guard && p <= Transform }

// Phases returns every phase in the order in which they run.
func Phases() []Phase {
	return []Phase{Guard, Authenticate, Authorize, Limit, Inspect, Cache, Transform}
}
