package snapshot

import (
	"encoding/json"
	"net/netip"
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/id"
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
	// ClientCertificate is what the gateway shows; zero: nothing.
	ClientCertificate id.ID
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

// newSpec returns what a service's upstream asks for, which has its defaults filled in. AllowedTargets are the settings'.
func newSpec(m *configv1.Upstream) Spec {
	s := Spec{
		Connect:      m.GetTimeouts().GetConnect().AsDuration(),
		ResponseHead: m.GetTimeouts().GetResponseHead().AsDuration(),
		Try:          m.GetTimeouts().GetTry().AsDuration(),
		Request:      m.GetTimeouts().GetRequest().AsDuration(),
		Connections: Connections{
			MaxPerTarget: int(m.GetConnections().GetMaxPerTarget()),
			Queue:        int(m.GetConnections().GetQueue()),
			QueueTimeout: m.GetConnections().GetQueueTimeout().AsDuration(),
		},
		Ejection: Ejection{
			ConsecutiveFailures: m.GetEjection().GetConsecutiveFailures(),
			BaseTime:            m.GetEjection().GetBaseTime().AsDuration(),
			MaxPercent:          m.GetEjection().GetMaxPercent(),
		},
	}
	if m.GetBalancing() == configv1.Balancing_BALANCING_LEAST_REQUESTS {
		s.Balancing = LeastRequests
	}
	if t := m.GetTls(); t != nil {
		s.TLS = TLS{On: true, ServerName: t.GetServerName(), CACertificates: t.GetCaCertificates()}
		s.TLS.ClientCertificate, _ = id.Parse(id.Certificate, t.GetClientCertificate()) // a reference: the control plane has seen to it
	}
	for _, t := range m.GetTargets() {
		s.Targets = append(s.Targets, Target{Address: t.GetAddress(), Weight: t.GetWeight()})
	}
	return s
}

// key is the same for equal specs alone.
func (s *Spec) key() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // there is nothing in it that JSON can't say
	}
	return string(text)
}
