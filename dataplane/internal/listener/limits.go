package listener

import (
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
)

// Limits bound what a client may take its time for, and how much of it there may be. A value is never changed once it is given out.
type Limits struct {
	// Head is the time for a head: from its first byte; of a connection's first one from when it was accepted, TLS and all.
	Head time.Duration
	// Idle is how long a connection is kept between requests.
	Idle time.Duration
	// BodyStall is how long a client may send nothing in the middle of a body.
	BodyStall time.Duration
	// BodyRate is how many bytes a second a body must come at, over each rateWindow that is spent on waiting for it; 0: at any.
	BodyRate int64
	// WriteStall is how long a client may take nothing of an answer.
	WriteStall time.Duration
	// MaxConnections in all, and of one address (of IPv6: of one /64); 0: as many as come.
	MaxConnections, MaxConnectionsPerAddress int
	// HeadBytes, StartLineBytes and Fields bound a head.
	HeadBytes, StartLineBytes, Fields int
}

// DefaultLimits returns the bounds of an environment that sets none.
func DefaultLimits() *Limits {
	return &Limits{
		Head: 10 * time.Second, Idle: 75 * time.Second, BodyStall: 60 * time.Second, BodyRate: 100, WriteStall: 60 * time.Second,
		MaxConnections: 100_000,
		HeadBytes:      64 << 10, StartLineBytes: 16 << 10, Fields: 200,
	}
}

func (l *Limits) head() http1.Limits {
	return http1.Limits{StartLine: l.StartLineBytes, Head: l.HeadBytes, Fields: l.Fields}
}

// Bounds that nobody sets.
const (
	// rateWindow is how long a body is waited for before its rate is judged, each time.
	rateWindow = 10 * time.Second
	// lingerTime and lingerBytes bound what is read of a client to which the connection's end was announced.
	lingerTime  = 2 * time.Second
	lingerBytes = 256 << 10
	// leaveTime is how long clients with open connections get to hear that they shall open no further request on them, and
	// balancers to hear from /readyz that the node goes, before idle connections are closed. Those that were accepted last get as long
	// again to say something at all.
	leaveTime = time.Second
)
