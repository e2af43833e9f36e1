package snapshot

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Spec is all that a Sender is made from.
type Spec struct {
	// Targets that answer for the service.
	Targets []Target
	// Connect bounds opening a connection, with DNS and TLS.
	Connect time.Duration
	// ResponseHead bounds the wait for the head of the answer.
	ResponseHead time.Duration
	// Try bounds one try, from its beginning to the end of the answer; 0: nothing does.
	Try time.Duration
	// Request bounds all tries together, to the end of the answer; 0: nothing does.
	Request time.Duration
	// TLS is how targets are spoken to in private.
	TLS TLS
	// Balancing chooses among the targets.
	Balancing Balancing
	// Connections bound those to each target.
	Connections Connections
	// Ejection takes targets that fail out of rotation for a while.
	Ejection Ejection
	// AllowedTargets may be connected to although they are special.
	AllowedTargets []netip.Prefix
}

// Target is one address of a service.
type Target struct {
	// Address is host:port.
	Address string
	// Weight is its share of the requests; 0: none.
	Weight uint32
}

// TLS is how targets are spoken to in private. It is a value that can be compared.
type TLS struct {
	// On tells whether they are.
	On bool
	// ServerName that the target's certificate must be for; "": its host.
	ServerName string
	// CACertificates in PEM that the target's must go back to; "": those of the system.
	CACertificates string
	// ClientCertificate is the id of what the gateway shows; "": nothing.
	ClientCertificate string
}

// Balancing is how a target is chosen.
type Balancing uint8

// The ways to choose.
const (
	// RoundRobin takes turns, by weight.
	RoundRobin Balancing = iota
	// LeastRequests takes the less busy of two.
	LeastRequests
)

// Connections bound those to each target. The zero value bounds nothing.
type Connections struct {
	// MaxPerTarget is how many may be open; 0: any number.
	MaxPerTarget int
	// Queue is how many requests may wait for one.
	Queue int
	// QueueTimeout is how long each may.
	QueueTimeout time.Duration
}

// Ejection takes targets that fail out of rotation for a while. The zero value ejects none.
type Ejection struct {
	// ConsecutiveFailures after which a target is.
	ConsecutiveFailures uint32
	// BaseTime is how long at first.
	BaseTime time.Duration
	// MaxPercent of the targets that may be at a time.
	MaxPercent uint32
}

// key is the same for equal specs alone.
func (s *Spec) key() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // there is nothing in it that JSON can't say
	}
	return string(text)
}
