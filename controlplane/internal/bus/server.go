package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
)

const (
	startTimeout   = 10 * time.Second
	connectTimeout = 5 * time.Second
	tlsTimeout     = 5 * time.Second
)

// Config says how the embedded server runs.
type Config struct {
	Listen   string      // host:port; port 0 picks a free one
	StoreDir string      // holds the streams; made when it isn't there
	TLS      *tls.Config // what nodes are served with
	Announce []string    // URLs that nodes are told; empty: the listener's own
	Logger   *slog.Logger
}

// Server is the embedded server. It runs from Start to Stop.
type Server struct {
	keys     *Keys
	embedded *server.Server
	resolver server.AccountResolver
	announce []string
	log      *slog.Logger
}

// Start runs the server and returns when nodes can connect.
func Start(ctx context.Context, cfg Config, keys *Keys) (*Server, error) {
	options, err := options(cfg, keys)
	if err != nil {
		return nil, fmt.Errorf("configure the bus: %w", err)
	}
	embedded, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("make the bus: %w", err)
	}
	embedded.SetLoggerV2(logger{cfg.Logger}, false, false, false)
	embedded.Start()
	s := &Server{keys: keys, embedded: embedded, resolver: options.AccountResolver, announce: cfg.Announce, log: cfg.Logger}
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	keys.follow(s.refresh)
	return s, nil
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
	operator, err := keys.operatorClaims()
	if err != nil {
		return nil, err
	}
	accounts, err := keys.accountJWTs()
	if err != nil {
		return nil, err
	}
	resolver := &server.MemAccResolver{}
	for public, encoded := range accounts {
		if err := resolver.Store(public, encoded); err != nil {
			return nil, err
		}
	}
	return &server.Options{
		ServerName:       "sallyport",
		Host:             host,
		Port:             port,
		TLSConfig:        cfg.TLS,
		TLSTimeout:       tlsTimeout.Seconds(),
		TrustedOperators: []*jwt.OperatorClaims{operator},
		SystemAccount:    operator.SystemAccount,
		AccountResolver:  resolver,
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

// NodeJWT is Keys.NodeJWT.
func (s *Server) NodeJWT(identity fleet.Identity, publicKey string) (string, error) {
	return s.keys.NodeJWT(identity, publicKey)
}

// URLs returns where nodes find the bus.
func (s *Server) URLs() []string {
	if len(s.announce) > 0 {
		return s.announce
	}
	return []string{"tls://" + s.Addr()}
}

// Connect returns a connection of the control plane's own user, inside the process.
func (s *Server) Connect() (*nats.Conn, error) {
	userJWT, seed, err := s.keys.ownUser()
	if err != nil {
		return nil, fmt.Errorf("make the control plane's bus credential: %w", err)
	}
	conn, err := nats.Connect("", nats.InProcessServer(s.embedded),
		nats.Name("control"),
		nats.UserJWTAndSeed(userJWT, string(seed)),
		nats.Timeout(connectTimeout),
		nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.log.Warn("bus connection", "error", err)
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded bus: %w", err)
	}
	return conn, nil
}

// Stop ends all connections and the server, and returns when it has ended.
func (s *Server) Stop() {
	s.keys.follow(nil)
	s.embedded.Shutdown()
	s.embedded.WaitForShutdown()
}
