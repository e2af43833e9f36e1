package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

const (
	startTimeout = 10 * time.Second
	tlsTimeout   = 5 * time.Second
	// accountsSync is how often servers of a cluster would compare their accounts; ours is alone.
	accountsSync = time.Hour
)

// Config says how the embedded server runs.
type Config struct {
	Listen   string      // host:port; port 0 picks a free one
	StoreDir string      // holds the streams; made when it isn't there
	TLS      *tls.Config // what nodes are served with
	Announce []string    // URLs that nodes are told; empty: the listener's own
	Revoked  []fleet.BusRevocation
	Logger   *slog.Logger
}

// Server is the embedded server, and the client of it. It runs from Start to Stop.
type Server struct {
	*Client
	embedded *server.Server
	resolver *server.DirAccResolver
}

// Start runs the server and returns when nodes can connect.
func Start(ctx context.Context, cfg Config, keys *Keys) (*Server, error) {
	resolver, err := accounts(cfg, keys)
	if err != nil {
		return nil, fmt.Errorf("configure the bus's accounts: %w", err)
	}
	options, err := options(cfg, keys)
	if err != nil {
		resolver.Close()
		return nil, fmt.Errorf("configure the bus: %w", err)
	}
	options.AccountResolver = resolver
	embedded, err := server.NewServer(options)
	if err != nil {
		resolver.Close()
		return nil, fmt.Errorf("make the bus: %w", err)
	}
	embedded.SetLoggerV2(logger{cfg.Logger}, false, false, false)
	embedded.Start()
	s := &Server{embedded: embedded, resolver: resolver}
	s.Client = &Client{keys: keys, announce: cfg.Announce, log: cfg.Logger, url: "", options: []nats.Option{nats.InProcessServer(embedded)}}
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	if len(s.announce) == 0 {
		s.announce = []string{"tls://" + s.Addr()}
	}
	return s, nil
}

// accounts returns the server's accounts as the database has them now. It keeps them in a folder, as an
// external server does, and is told of changes in the same way.
func accounts(cfg Config, keys *Keys) (*server.DirAccResolver, error) {
	product, err := keys.productAccount(cfg.Revoked)
	if err != nil {
		return nil, err
	}
	system, err := keys.systemAccount()
	if err != nil {
		return nil, err
	}
	resolver, err := server.NewDirAccResolver(filepath.Join(cfg.StoreDir, "accounts"), 0, accountsSync, server.NoDelete)
	if err != nil {
		return nil, err
	}
	for _, a := range []account{product, system} {
		if err := resolver.SaveAcc(a.public, a.jwt); err != nil {
			resolver.Close()
			return nil, err
		}
	}
	return resolver, nil
}

func (s *Server) ready(ctx context.Context) error {
	wait := startTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if !s.embedded.ReadyForConnections(wait) {
		return errors.New("the bus doesn't come up: see its log above")
	}
	if !s.embedded.JetStreamEnabled() {
		return errors.New("the bus came up without JetStream: see its log above")
	}
	return nil
}

func options(cfg Config, keys *Keys) (*server.Options, error) {
	host, portText, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return nil, fmt.Errorf("port %q", portText)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	encoded, err := keys.operatorJWT()
	if err != nil {
		return nil, err
	}
	operator, err := jwt.DecodeOperatorClaims(encoded)
	if err != nil {
		return nil, err
	}
	return &server.Options{
		ServerName:       "sallyport",
		Host:             host,
		Port:             port,
		TLSConfig:        cfg.TLS,
		TLSTimeout:       tlsTimeout.Seconds(),
		TrustedOperators: []*jwt.OperatorClaims{operator},
		SystemAccount:    operator.SystemAccount,
		MaxPayload:       maxPayload,
		JetStream:        true,
		StoreDir:         cfg.StoreDir,
		// An ack before the fsync is a lie that a power cut tells.
		SyncAlways:         true,
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  maxStreamBytes,
		NoSigs:             true, // the process is ours to stop

	}, nil
}

// Addr returns where the server listens, host:port.
func (s *Server) Addr() string { return s.embedded.Addr().String() }

// Stop ends all connections and the server, and returns when it has ended.
func (s *Server) Stop() {
	s.embedded.Shutdown()
	s.embedded.WaitForShutdown()
	s.resolver.Close()
}
