package dataplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/sallyport/sallyport/dataplane/internal/admin"
	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/certificates"
	"github.com/sallyport/sallyport/dataplane/internal/configsync"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/dataplane/internal/enroll"
	"github.com/sallyport/sallyport/dataplane/internal/explain"
	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	"github.com/sallyport/sallyport/dataplane/internal/inquiry"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/listener"
	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/dataplane/internal/proxy"
	"github.com/sallyport/sallyport/dataplane/internal/proxyprotocol"
	"github.com/sallyport/sallyport/dataplane/internal/rates"
	"github.com/sallyport/sallyport/dataplane/internal/shares"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	"github.com/sallyport/sallyport/dataplane/internal/streams"
	"github.com/sallyport/sallyport/dataplane/internal/sweeper"
	"github.com/sallyport/sallyport/dataplane/internal/tracing"
	"github.com/sallyport/sallyport/dataplane/internal/upstream"
	"github.com/sallyport/sallyport/dataplane/internal/usage"
)

// Run is a node's life: it enrols if it must, begins with what it kept, serves until ctx ends, lets requests under way end, and sends the usage that
// is left.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("configuration of the node: %w", err)
	}
	at, err := takeGround(ctx, cfg)
	if err != nil {
		return err
	}
	defer at.close()
	if err := live(ctx, cfg, at); err != nil {
		return at.judge(err)
	}
	return nil
}

// live is a node's life on its ground.
func live(ctx context.Context, cfg Config, at *ground) error {
	file, err := openSnapshotFile(cfg)
	if err != nil {
		return err
	}
	defer file.close()
	identity, err := identify(ctx, cfg, file, at)
	if err != nil {
		return err
	}
	own, err := ownAddresses(at.listeners()...)
	if err != nil {
		return err
	}
	n, err := newNode(cfg, at, identity, file, own)
	defer n.close()
	if err == nil {
		err = n.begin(file)
	}
	if err == nil {
		err = n.run(ctx)
	}
	// Not deferred: a panic on its way is no stop in good order. A start that fails is one: no revision is to be blamed for it.
	return errors.Join(err, n.closeState())
}

// begin puts in force what the node has kept, and what it was given in a file. One that takes over has the one before it to thank for both.
func (n *node) begin(file *snapshotFile) error {
	n.restore()
	if n.ground.taking == nil {
		return n.take(file)
	}
	if file != nil {
		n.cfg.Logger.Info("the snapshot file isn't taken: the node goes on with what the process before it holds")
	}
	return n.checkRestored()
}

// node is the parts of a running node.
type node struct {
	cfg    Config
	ground *ground
	boot   string
	home   home
	// What follows is the member's: it is there once the node has joined.
	joined     atomic.Bool
	identity   *enroll.Identity
	renewer    *enroll.Renewer
	connection *grpc.ClientConn
	bus        *usage.Bus
	answerer   *inquiry.Answerer

	directory *directory.Directory
	state     *state.Store
	snapshots snapshot.Holder
	env       *snapshot.Env
	metrics   *pipeline.Metrics
	rates     *rates.Table
	failures  *backoff.Table
	effort    *effort.Meter
	freshness *freshness.Freshness
	streams   *streams.Registry
	sweeper   *sweeper.Sweeper
	upstreams *upstream.Registry
	syncer    *configsync.Syncer
	usage     *usage.Ledger
	sender    *usage.Sender
	shares    *shares.Even
	proxy     *proxy.Proxy
	explain   *explain.Explainer
	issuers   *issuers.Registry
	gate      *proxyprotocol.Gate

	certificates *certificates.Keeper

	clients   atomic.Int64 // connections that are open
	wire      listener.Counters
	limits    limits
	started   time.Time
	troubles  inquiry.Troubles
	bodies    *payload.Memory
	accessLog *proxy.AccessLog
	tracer    *tracing.Tracer // nil: nobody collects spans
	draining  atomic.Bool
	handing   handing
}

// newNode makes a node's parts. With an error it returns those that there are, to be closed.
func newNode(cfg Config, at *ground, identity *enroll.Identity, file *snapshotFile, own []netip.AddrPort) (*node, error) {
	kinds := policies.All()
	n := &node{
		cfg: cfg, ground: at, home: homeOf(identity, file), boot: strings.ToLower(rand.Text()), started: time.Now(),
		sweeper:   sweeper.New(),
		directory: directory.New(), metrics: pipeline.NewMetrics(kinds), rates: rates.NewTable(),
		failures: backoff.New(backoff.DefaultKeys), effort: newMeter(cfg),
	}
	n.limits.snapshots = &n.snapshots
	n.handing.turn = make(chan struct{})
	n.cfg.Logger = n.troubles.Logger(cfg.Logger)
	n.freshness = freshness.New(n.started)
	n.streams = streams.NewRegistry(admission{n.directory, n.stale, n.vouches})
	n.shares = shares.NewEven(n.directory)
	n.openTLS()
	n.openIssuers(own)
	n.upstreams = upstream.NewRegistry(upstream.Config{
		Sweeper: n.sweeper, Own: own, Certificate: n.certificates.ClientCertificate, Logger: n.cfg.Logger,
	})
	room, err := cfg.bodyMemory()
	if err != nil {
		return n, err
	}
	n.bodies = payload.NewMemory(room)
	n.env = snapshot.NewEnv(snapshot.Config{
		Memory: n.bodies, Directory: n.directory, Shares: n.shares, Failures: n.failures, Issuers: n.issuers, Kinds: kinds, Logger: n.cfg.Logger, Metrics: n.metrics, Rates: n.rates,
		Effort:    n.effort,
		NewSender: func(spec snapshot.Spec) snapshot.Sender { return n.upstreams.Pool(spec) },
	})
	if cfg.AccessLog != nil {
		n.accessLog = proxy.NewAccessLog(cfg.AccessLog)
	}
	if err := errors.Join(n.openTracing(), n.openState(), n.openLanes()); err != nil {
		return n, err
	}
	n.openUsage()
	n.proxy = proxy.New(proxy.Config{
		Snapshots: &n.snapshots, Directory: n.directory, Freshness: n.freshness, Streams: n.streams, Usage: n.usage.Recorder(), Rates: n.rates,
		Tracer: n.tracer, AccessLog: n.accessLog,
	})
	n.explain = explain.New(explain.Config{Gateway: n.proxy, Snapshots: &n.snapshots, Directory: n.directory, Logger: n.cfg.Logger})
	if identity == nil {
		return n, nil
	}
	return n, n.join(identity)
}

// stateDir and usageDir are where state and usage lie, in the data directory.
const (
	stateDir = "state"
	usageDir = "usage"
)

func (n *node) openState() (err error) {
	open := state.Open
	if n.ground.taking != nil {
		open = state.OpenFrozen
	}
	n.state, err = open(state.Config{
		Dir: filepath.Join(n.cfg.DataDir, stateDir), Key: n.cfg.StateKey, Environment: n.home.environment, Logger: n.cfg.Logger,
	})
	return err //nolint:wrapcheck // says what
}

func (n *node) openLanes() (err error) {
	n.syncer, err = configsync.New(configsync.Config{
		Environment: n.home.environment, Trust: n.home.trust, SigningKeys: n.home.keys,
		Directory: n.directory, Freshness: n.freshness, Compiler: compiler{env: n.env, holder: &n.snapshots, changed: n.issuers.Changed},
		State: n.state, Build: n.cfg.Build, Boot: n.boot, Started: n.started, Logger: n.cfg.Logger,
	})
	return err //nolint:wrapcheck // says what
}

func (n *node) openUsage() {
	origin := usage.Origin{Node: n.home.node, Environment: n.home.environment, Boot: n.boot}
	n.usage = usage.Open(usage.Config{Dir: filepath.Join(n.cfg.DataDir, usageDir), Origin: origin, Log: n.cfg.Logger})
	n.sender = usage.NewSender(n.usage, nil, n.cfg.Logger)
}

func (n *node) close() {
	n.closeTracing()
	if n.bus != nil {
		n.bus.Close()
	}
	if n.connection != nil {
		_ = n.connection.Close() // the process ends, or never began
	}
}

// closeState takes note that the process stops in good order.
func (n *node) closeState() error {
	if n.state == nil {
		return nil
	}
	return n.state.Close() //nolint:wrapcheck // says what
}

// operatorHandler answers the operator.
func (n *node) operatorHandler() http.Handler {
	if n.cfg.Profiles {
		return admin.Profiled(admin.Handler(n))
	}
	return admin.Handler(n)
}

// run serves. What requests need goes on until the last of them has ended; usage goes last.
func (n *node) run(ctx context.Context) error {
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	group, background := errgroup.WithContext(background)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	context.AfterFunc(background, stop) // what fails in the background ends the serving
	n.handing.leave = stop

	group.Go(func() error { return n.belong(background) })
	group.Go(func() error { return n.state.Run(background) })
	group.Go(func() error { return n.streams.Run(background) })
	group.Go(func() error { return n.sweeper.Run(background) })
	group.Go(func() error { return n.upstreams.Run(background) })
	group.Go(func() error { return n.issuers.Run(background) })
	group.Go(func() error { return n.freshness.Keep(background, n.state, n.maxStaleness, n.cfg.Logger) })
	if n.accessLog != nil {
		group.Go(func() error { return n.accessLog.Run(background) })
	}
	group.Go(func() error { return n.sender.Run(background, usageDrain) })
	group.Go(func() error {
		defer end()
		if err := n.takeTurn(serving); err != nil {
			return err
		}
		group.Go(func() error { return n.operate(background, serving) })
		group.Go(func() error { n.beAsked(serving); return nil })
		return n.serve(ctx, serving)
	})
	err := group.Wait()
	if err != nil && n.handing.left.Load() {
		// No failure of the node's, which the next process is: a service manager must not start this one again.
		n.cfg.Logger.Error("the process that was taken over from didn't end in good order", "error", err)
		return nil
	}
	return err //nolint:wrapcheck // says what
}

// serve answers clients until serving ends, and then those that it has accepted.
func (n *node) serve(ctx, serving context.Context) error {
	stopDraining := context.AfterFunc(serving, func() { n.draining.Store(true) })
	defer stopDraining()
	n.cfg.Logger.Info("node serves", "clients", n.ground.clients.Addr().String(), "operator", n.ground.operator.Addr().String(),
		"node", n.nodeID(), "environment", n.home.name, "build", n.cfg.Build)
	n.notify("READY=1")
	defer n.sayGoodbye(ctx) // after the last request
	return listener.Run(serving, listener.Config{
		Plain: n.ground.clients, Secure: n.ground.overTLS(), TLS: n.certificates.TLS(), Introduce: n.gate.Introduce, Limits: n.limits.inForce,
		Handler: n.proxy, Sweeper: n.sweeper, Open: &n.clients, Counters: &n.wire,
		Logger: n.cfg.Logger, DrainTimeout: n.cfg.DrainTimeout,
	})
}
