package reach

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

const (
	// A connection on which no ping is answered for so long is dead, whatever TCP believes: a stream opened anew
	// on it would be as silent. grpc pings no more often.
	pingAfter   = 10 * time.Second
	pingTimeout = 4 * time.Second
	// Sooner than that the kernel notices a machine that is gone: it asks an idle connection after probeAfter, and
	// gives up after probes that nobody answers.
	probeAfter = 2 * time.Second
	probeEvery = time.Second
	probes     = 2
	// leastRetry and mostRetry bound the pause after no address could be reached: within seconds, since a fleet that
	// waits for grpc's usual two minutes misses revocations.
	leastRetry = 100 * time.Millisecond
	mostRetry  = 3 * time.Second
	// connectTimeout bounds a try of one address. The next address is tried beside it after a quarter of a second.
	connectTimeout = 4 * time.Second
	// maxAddresses bounds the list.
	maxAddresses = 64
)

// Parse takes a comma-separated list of addresses, host:port each, apart.
func Parse(text string) ([]string, error) {
	addresses := strings.Split(text, ",")
	if len(addresses) > maxAddresses {
		return nil, fmt.Errorf("%d addresses of the control plane are too many: %d at most", len(addresses), maxAddresses)
	}
	for i, address := range addresses {
		address = strings.TrimSpace(address)
		host, port, err := net.SplitHostPort(address)
		if err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("%.100q is no address of the control plane: want host:port, or several with commas between", address)
		}
		addresses[i] = address
	}
	return addresses, nil
}

// Dial returns a connection to one of the addresses (as Parse takes them). It connects when it is first used, and
// again when it must; options are added to its own. The caller closes it.
//
// Each connection has an order of its own, drawn at random, in which it tries the addresses: so a fleet spreads over
// the replicas, and over those that are left when one dies.
func Dial(addresses string, config *tls.Config, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	list, err := Parse(addresses)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) // #nosec G404 -- no secret, only to spread a fleet
	fixed := manual.NewBuilderWithScheme("sallyport")
	fixed.InitialState(resolver.State{Addresses: resolved(list)})
	options = append([]grpc.DialOption{
		grpc.WithResolvers(fixed),
		grpc.WithTransportCredentials(probed{credentials.NewTLS(config)}),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: leastRetry, Multiplier: 1.6, Jitter: 0.3, MaxDelay: mostRetry},
			MinConnectTimeout: connectTimeout,
		}),
	}, options...)
	connection, err := grpc.NewClient(fixed.Scheme()+":///control-plane", options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the control plane: %w", err)
	}
	return connection, nil
}

// resolved are the addresses as grpc takes them, each with its own name for TLS: a proxy may look at that.
func resolved(list []string) []resolver.Address {
	addresses := make([]resolver.Address, len(list))
	for i, address := range list {
		host, _, _ := net.SplitHostPort(address) // Parse has checked it
		addresses[i] = resolver.Address{Addr: address, ServerName: host}
	}
	return slices.Clip(addresses)
}

// probed are credentials whose connections the kernel probes: a replica whose machine is gone says nothing.
type probed struct {
	credentials.TransportCredentials
}

func (p probed) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: probeAfter, Interval: probeEvery, Count: probes})
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("probe the connection: %w", err), conn.Close())
		}
	}
	return p.TransportCredentials.ClientHandshake(ctx, authority, conn) //nolint:wrapcheck // grpc looks at it
}

func (p probed) Clone() credentials.TransportCredentials {
	return probed{p.TransportCredentials.Clone()}
}
