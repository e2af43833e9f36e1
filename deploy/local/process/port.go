package process

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below those that systems give to outgoing connections: one of these could take a port between its choice and its use.
const (
	lowestPort = 10_000
	portRange  = 22_000
)

// ListenSomewhere listens on a free port of loopback that is for a child: close it, and tell the child.
func ListenSomewhere() (listener net.Listener, err error) {
	for range 100 {
		port := lowestPort + rand.N(portRange)                                                 // #nosec G404 -- no secret
		if listener, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil { //nolint:noctx // immediate
			return listener, nil
		}
	}
	return nil, fmt.Errorf("find a free port: %w", err)
}
