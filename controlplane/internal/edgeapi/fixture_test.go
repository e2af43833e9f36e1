package edgeapi_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	configuration = edgev1.Lane_LANE_CONFIGURATION
	directory     = edgev1.Lane_LANE_DIRECTORY
)

// quick are phases that a test needn't wait for.
var quick = fleet.TrustTimes{Settle: time.Millisecond, Linger: time.Millisecond}

// noBus stands where nothing of the bus is asked for.
type noBus struct{}

func (noBus) NodeJWT(_ fleet.Identity, key string) (string, error) {
	if key == "" {
		return "", errors.New("no key")
	}
	return "jwt", nil
}

func (noBus) URLs() []string { return []string{"tls://127.0.0.1:1"} }

// control is the part of a control plane that nodes talk to: nodes and join tokens in a real
// Postgres, lanes in memory, so that a test can make them go back.
type control struct {
	t           *testing.T
	address     string
	environment string
	authority   *fleet.Authority
	trust       *fleet.Trust
	watch       *watched
	vault       *secrets.Vault
	store       *edgetest.Store
	db          *postgres.DB
	tokens      *fleet.JoinTokens
	nodes       *fleet.Nodes
	inquiries   *fleet.Inquiries
	stats       *fleet.Stats
	life        time.Duration // of nodes' certificates
	real        bool          // lanes out of the database
	issuers     edgeapi.Issuers
	stop        func()
}

func newControl(t *testing.T, times edgeapi.Times) *control {
	t.Helper()
	return newControlFor(t, times, fleet.NodeLife)
}

// newControlFor is newControl whose nodes' certificates live for so long.
func newControlFor(t *testing.T, times edgeapi.Times, life time.Duration) *control {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgrestest.Database(t, postgres.Migrate))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatal(err)
	}
	environment, err := environments.New(db, vault).Create(t.Context(), &adminv1.Environment{Name: "production"}, access.Actor{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	c := &control{t: t, db: db, environment: environment.GetId(), store: edgetest.NewStore(environment.GetId()), stats: new(fleet.Stats), life: life, vault: vault}
	c.watch = &watched{TrustStore: db.Trust(), looked: make(chan fleet.TrustLag, 1)}
	c.serve(vault, times)
	return c
}

// another starts a second replica on the same database.
func (c *control) another() *control {
	c.t.Helper()
	other := *c
	other.serve(c.vault, edgeapi.Times{})
	return &other
}

func (c *control) serve(vault *secrets.Vault, times edgeapi.Times) {
	c.t.Helper()
	c.vault = vault
	c.serveLanes(c.store, nil, c.store, times)
}

// serveLanes serves lanes out of a store; more are what else runs below it.
func (c *control) serveLanes(store fleet.LaneStore, histories fleet.Epochs, wakes fleet.Wakes, times edgeapi.Times, more ...func(context.Context) error) {
	c.t.Helper()
	vault := c.vault
	log := slog.New(slog.DiscardHandler)
	trust, err := fleet.LoadTrust(c.t.Context(), fleet.TrustConfig{Store: c.watch, Materials: vault, Logger: log, Times: quick})
	if err != nil {
		c.t.Fatal(err)
	}
	c.trust = trust
	authority, signer := trust.Authority(), trust.Signer()
	certificate, err := fleet.NewServerCertificate(authority)
	if err != nil {
		c.t.Fatal(err)
	}
	commits := postgres.NewListener(c.db, log)
	if c.real {
		store, wakes = c.db.Lanes(vault), commits
	}
	lanes := fleet.NewLanes(store, signer, histories, wakes, log, c.stats)
	roster := fleet.NewRoster(c.db.Fleet(), log, c.stats)
	c.authority, c.nodes, c.tokens = authority, fleet.NewNodes(c.db.Fleet(), roster), fleet.NewJoinTokens(c.db.Fleet(), authority)
	c.inquiries = fleet.NewInquiries(c.nodes, c.db.Fleet(), commits, log).Sealing(vault)
	nonces, err := fleet.LoadNonces(c.t.Context(), vault)
	if err != nil {
		c.t.Fatal(err)
	}
	enroller := fleet.NewEnroller(c.db.Fleet(), authority.WithNodeLife(c.life), trust, noBus{}, log, c.stats)
	server := edgeapi.New(edgeapi.Config{
		TLS:      certificate.TLS(tls.VerifyClientCertIfGiven, "h2"),
		Enroller: enroller, Renewer: fleet.NewRenewer(c.db.Fleet(), enroller, nonces),
		Lanes: lanes, Nodes: c.nodes, Roster: roster, Trust: trust, Inquiries: c.inquiries, Issuers: c.issuers, Logger: log, Times: times,
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.address = listener.Addr().String()
	c.run(func(ctx context.Context) error { return server.Serve(ctx, listener) }, append(more, lanes.Run, roster.Run, commits.Run, c.inquiries.Run,
		func(ctx context.Context) error { return trust.Run(ctx, wakes) })...)
}

// run runs the server, and what it stands on until the server has ended.
func (c *control) run(serve func(context.Context) error, ground ...func(context.Context) error) {
	serving, stopServing := context.WithCancel(context.Background())
	standing, stopStanding := context.WithCancel(context.Background())
	var served, stood sync.WaitGroup
	check := func(err error) {
		if err != nil {
			c.t.Error(err)
		}
	}
	served.Go(func() { check(serve(serving)) })
	for _, stands := range ground {
		stood.Go(func() { check(stands(standing)) })
	}
	c.stop = sync.OnceFunc(func() {
		stopServing()
		served.Wait()
		stopStanding()
		stood.Wait()
	})
	c.t.Cleanup(c.stop)
}

func (c *control) token(uses uint32, expires time.Duration) string {
	c.t.Helper()
	made, err := c.tokens.Create(c.t.Context(), c.environment, &adminv1.JoinToken{
		MaxUses: &uses, ExpiresAt: timestamppb.New(time.Now().Add(expires)),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return made.GetToken()
}

func (c *control) enrol(name string) *edgetest.Node {
	c.t.Helper()
	node, err := edgetest.Enroll(c.t.Context(), c.address, c.token(1, time.Hour), name)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(node.Close)
	return node
}

// open opens a stream that ends with the test.
func (c *control) open(node *edgetest.Node, r *edgetest.Replica, lane edgev1.Lane) *edgetest.Stream {
	c.t.Helper()
	stream, err := node.Open(c.t.Context(), lane, r.Hello())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(stream.Close)
	return stream
}

// take applies the next state that comes, and acks it.
func (c *control) take(stream *edgetest.Stream, r *edgetest.Replica) *edgetest.Event {
	c.t.Helper()
	event, err := stream.NextState()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := stream.Apply(r, event); err != nil {
		c.t.Fatal(err)
	}
	if err := stream.Ack(r); err != nil {
		c.t.Fatal(err)
	}
	return event
}

// settle waits until every live node has answered, and returns how many hold it, of how many.
func (c *control) settle(live int, revision, sequence uint64) (applied int) {
	c.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		applied, seen, err := c.nodes.Wait(ctx, c.environment, revision, sequence)
		expired := ctx.Err() != nil
		cancel()
		if err != nil || expired {
			c.t.Fatalf("%d of %d nodes hold revision %d and sequence %d: %v", applied, seen, revision, sequence, err)
		}
		if seen == live {
			return applied
		}
	}
}

func codeOf(err error) codes.Code { return status.Code(err) }
