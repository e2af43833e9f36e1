package configsync

import (
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// A connection on which no ping is answered for so long is dead, whatever TCP believes: a stream
// opened anew on it would be as silent.
const (
	pingAfter   = 10 * time.Second
	pingTimeout = 5 * time.Second
)

// Dial returns the connection that both lanes share, with the node's certificate (enroll.Identity's
// TLS). It connects when it is first used, and again when it must: within seconds, since a fleet
// that waits for grpc's usual two minutes misses revocations. The caller closes it.
func Dial(address string, config *tls.Config) (*grpc.ClientConn, error) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.3, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("configsync: %w", err)
	}
	return connection, nil
}
