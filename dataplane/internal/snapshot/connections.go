package snapshot

import (
	"time"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

// ClientConnections bound what a client's connection may cost a node. A number that is 0 bounds nothing.
type ClientConnections struct {
	// Head, Idle, BodyStall and WriteStall are how long a client may take for a request's head, between requests, to go on with a body, and
	// to go on taking an answer.
	Head, Idle, BodyStall, WriteStall time.Duration
	// BodyRate is how many bytes a second a body must bring.
	BodyRate int64
	// Max is how many connections there may be, MaxPerAddress how many of one address.
	Max, MaxPerAddress int
	// HeadBytes, StartLineBytes and Fields bound a request's head.
	HeadBytes, StartLineBytes, Fields int
}

// connectionsOf takes settings in which defaults are filled in.
func connectionsOf(m *configv1.ClientConnections) ClientConnections {
	return ClientConnections{
		Head: m.GetHeadTimeout().AsDuration(), Idle: m.GetIdleTimeout().AsDuration(),
		BodyStall: m.GetBodyStall().AsDuration(), WriteStall: m.GetWriteStall().AsDuration(),
		BodyRate: int64(m.GetBodyRate()),
		Max:      int(m.GetMaxConnections()), MaxPerAddress: int(m.GetMaxConnectionsPerAddress()),
		HeadBytes: int(m.GetHeadBytes()), StartLineBytes: int(m.GetStartLineBytes()), Fields: int(m.GetFields()),
	}
}
