package edgeapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	// maxReceive bounds one message of a node, in bytes; the largest is a Nack with its reasons.
	maxReceive = 1 << 20
	// maxSend bounds one message to a node, in bytes; nodes take 4 MiB.
	maxSend = 4 << 20
	// maxStreams bounds the streams of one connection: two lanes and inquiries, and calls beside them.
	maxStreams = 16
	// enrolRate and enrolBurst bound enrolments per second, all nodes together: each costs a
	// signature and a database transaction, and needs no certificate.
	enrolRate, enrolBurst = 50, 200
	// renewRate and renewBurst bound renewals alike, those by certificate and those by proof apart: who
	// has no certificate keeps nobody from renewing one.
	renewRate, renewBurst = 50, 200
	// refreshRate and refreshBurst bound how often nodes ask for issuers' keys, all nodes together: each costs a look into the
	// database, and strangers' tokens are what nodes ask because of.
	refreshRate, refreshBurst = 100, 200
	// drainTimeout is how long calls may end by themselves when the server stops.
	drainTimeout = 5 * time.Second
)

// Times are the intervals of a stream. The zero value is what the product runs with.
type Times struct {
	Beat   time.Duration // between beats; 0: 3 s, far below the least max_staleness, 10 s
	Send   time.Duration // for a node to take a message; 0: 15 s
	Answer time.Duration // for a node to answer a state; 0: 2 min
	Recall time.Duration // for a node to show what it is asked for; 0: 15 s
	Hello  time.Duration // for a node to begin a stream; 0: 10 s
	Grace  time.Duration // of a connection, after its certificate's end; 0: 5 s
}

func (t Times) orDefault() Times {
	or := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	or(&t.Beat, 3*time.Second)
	or(&t.Send, 15*time.Second)
	or(&t.Answer, 2*time.Minute)
	or(&t.Recall, 15*time.Second)
	or(&t.Hello, 10*time.Second)
	or(&t.Grace, 5*time.Second)
	return t
}

// Config is what a Server needs.
type Config struct {
	TLS      *tls.Config // must verify client certificates if given, and offer "h2"
	Enroller *fleet.Enroller
	Renewer  *fleet.Renewer
	Lanes    *fleet.Lanes
	Nodes    *fleet.Nodes
	Roster   *fleet.Roster
	Trust    *fleet.Trust
	// Inquiries is who asks nodes.
	Inquiries *fleet.Inquiries
	// Issuers is who asks token issuers for their keys.
	Issuers Issuers
	// Audit is how far the audit record goes, for nodes to keep; nil: they aren't told.
	Audit  *audit.Heads
	Logger *slog.Logger
	Times  Times
}

// Server serves EdgeService.
type Server struct {
	edgev1.UnimplementedEdgeServiceServer
	cfg      Config
	times    Times
	enrol    *rate.Limiter
	renew    *rate.Limiter // by certificate
	prove    *rate.Limiter // by proof
	refresh  *rate.Limiter // of issuers' keys
	grpc     *grpc.Server
	stopping chan struct{} // closed when streams are to end
}

// New returns a server; Serve makes it serve.
func New(cfg Config) *Server {
	s := &Server{
		cfg:      cfg,
		times:    cfg.Times.orDefault(),
		enrol:    rate.NewLimiter(enrolRate, enrolBurst),
		renew:    rate.NewLimiter(renewRate, renewBurst),
		prove:    rate.NewLimiter(renewRate, renewBurst),
		refresh:  rate.NewLimiter(refreshRate, refreshBurst),
		stopping: make(chan struct{}),
	}
	s.grpc = grpc.NewServer(
		grpc.Creds(endingCredentials{credentials.NewTLS(cfg.TLS), s.times.Grace, cfg.Logger}),
		grpc.UnaryInterceptor(identifyUnary),
		grpc.StreamInterceptor(identifyStream),
		grpc.MaxRecvMsgSize(maxReceive),
		grpc.MaxSendMsgSize(maxSend),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(16<<10),
		grpc.ConnectionTimeout(10*time.Second),
		// A node that is gone without a word is noticed within 20 s.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	)
	edgev1.RegisterEdgeServiceServer(s.grpc, s)
	return s
}

// Serve accepts nodes on listener until ctx ends, then ends all streams, lets calls finish for a
// while, and returns when nothing of the server is left.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.grpc.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve nodes on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	close(s.stopping)
	force := time.AfterFunc(drainTimeout, s.grpc.Stop)
	s.grpc.GracefulStop()
	force.Stop()
	if err := <-failed; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
		return fmt.Errorf("serve nodes on %s: %w", listener.Addr(), err)
	}
	return nil
}

// Enroll gives a node an identity.
func (s *Server) Enroll(ctx context.Context, request *edgev1.EnrollRequest) (*edgev1.EnrollResponse, error) {
	if !s.enrol.Allow() {
		return nil, errBusy
	}
	ctx = audit.WithDraft(ctx, audit.NewDraft(audit.Origin{Actor: audit.System, Address: addressOf(ctx), Operation: "enrollNode"}))
	response, err := s.cfg.Enroller.Enroll(ctx, request)
	if err != nil {
		return nil, s.failed(ctx, "enrol", err)
	}
	return response, nil
}

// SyncConfiguration keeps a node's configuration current.
func (s *Server) SyncConfiguration(stream edgev1.EdgeService_SyncConfigurationServer) error {
	return s.sync(stream.Context(), configurationWire{stream})
}

// SyncDirectory keeps a node's directory current.
func (s *Server) SyncDirectory(stream edgev1.EdgeService_SyncDirectoryServer) error {
	return s.sync(stream.Context(), directoryWire{stream})
}

// failed turns an error into a status, and logs what the node isn't told.
func (s *Server) failed(ctx context.Context, doing string, err error) error {
	shown := statusOf(err)
	if ctx.Err() == nil && shown != errStopping { //nolint:errorlint // statusOf returns that very value
		s.cfg.Logger.Warn("a node's call failed", "doing", doing, "status", shown, "error", err)
	}
	return shown
}
