package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/api"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/callers"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/console"
	"github.com/sallyport/sallyport/controlplane/internal/denials"
	"github.com/sallyport/sallyport/controlplane/internal/descriptions"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/events"
	"github.com/sallyport/sallyport/controlplane/internal/exclusions"
	"github.com/sallyport/sallyport/controlplane/internal/explain"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/idempotency"
	"github.com/sallyport/sallyport/controlplane/internal/issuers"
	"github.com/sallyport/sallyport/controlplane/internal/keylife"
	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/controlplane/internal/outbound"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/controlplane/internal/signin"
	"github.com/sallyport/sallyport/controlplane/internal/telemetry"
	"github.com/sallyport/sallyport/controlplane/internal/usage"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/web"
)

// Run is a control plane's life: it brings the database up to date, serves until ctx ends, lets what
// is under way end, and returns when nothing of it is left.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("configuration of the control plane: %w", err)
	}
	c, err := openCore(ctx, &cfg)
	if err != nil {
		return err
	}
	defer c.close()
	certificate, err := fleet.NewServerCertificate(c.authority)
	if err != nil {
		return err
	}
	link, err := openBus(ctx, &cfg, c, certificate)
	if err != nil {
		return err
	}
	defer link.close()
	conn, err := link.client.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	p, err := newPlane(ctx, &cfg, c, link, conn, certificate)
	if err != nil {
		return err
	}
	defer p.closeListeners()
	if err := p.announce(); err != nil {
		return err
	}
	return p.run(ctx)
}

// plane is the parts of a running control plane.
type plane struct {
	cfg *Config
	log *slog.Logger

	// Ground: what faces stand on. It stops last.
	commits   *postgres.Listener
	lanes     *fleet.Lanes
	trust     *fleet.Trust
	roster    *fleet.Roster
	limits    *limits.Limits
	sweeper   *denials.Sweeper
	retirer   *keylife.Retirer
	members   *fleet.Members
	tickets   *publish.KeyKeeper
	identity  *publish.KeyKeeper
	issuers   *issuers.Keeper
	asking    *fleet.Inquiries
	keys      *idempotency.Keeper
	proposals *proposals.Proposals
	sessions  *signin.Keeper
	consumer  *bus.Consumer
	upkeep    *usage.Upkeep
	warden    *bus.Warden
	heads     *audit.Heads
	denied    *audit.Denied
	watcher   *events.Watcher
	courier   *events.Courier
	bus       *busLink

	// Faces.
	edge    *edgeapi.Server
	admin   *api.Server
	console *console.Server
	metrics *telemetry.Metrics

	edgeListener, adminListener, consoleListener, metricsListener net.Listener
	adminTLS                                                      *tls.Config
}

func newPlane(ctx context.Context, cfg *Config, c *core, link *busLink, conn *nats.Conn, certificate *fleet.ServerCertificate) (_ *plane, err error) {
	log, db := cfg.Logger, c.db
	stats := telemetry.NewSources()
	guard := outbound.NewGuard(cfg.OutboundAllow)
	configuration, entries := catalog.New(db, log), directory.New(db)
	publisher := publish.New(db, configuration, c.vault, log)
	histories := epochs.New(db.Epochs(), publisher, c.signer, log, stats.Epochs)
	p := &plane{cfg: cfg, log: log, bus: link, trust: c.trust, commits: postgres.NewListener(db, log)}
	p.lanes = fleet.NewLanes(db.Lanes(c.vault), c.signer, fleet.Histories{Epochs: histories}, p.commits, log, stats.Fleet)
	p.heads, p.denied = audit.NewHeads(db.Audit(), c.signer, log, stats.Audit), audit.NewDenied(db.Audit(), log, stats.Audit)
	p.limits = limits.New(db, log, stats.Limits)
	p.watcher = events.NewWatcher(db.Events(), db, log)
	p.courier = events.NewCourier(db.Events(), outbound.NewClient(guard), c.vault, log, stats.Events)
	p.proposals = newProposals(db, publisher, c.vault, log)
	p.roster = fleet.NewRoster(db.Fleet(), log, stats.Fleet)
	p.members = fleet.NewMembers(publisher, log)
	p.tickets = publish.NewTicketKeeper(publisher, cfg.TicketKeyLife, log)
	p.issuers = issuers.New(db.Issuers(), configuration, publisher, outbound.NewErrands(guard, jwk.MaxSet), log, stats.Issuers)
	p.identity = publish.NewIdentityKeeper(publisher, cfg.IdentityKeyLife, log)
	nodes := fleet.NewNodes(db.Fleet(), p.roster).Telling(p.members)
	p.asking = fleet.NewInquiries(nodes, db.Fleet(), p.commits, log).Sealing(c.vault)
	enroller := fleet.NewEnroller(db.Fleet(), c.authority.WithNodeLife(cfg.NodeCertificateLife), c.trust, link.client, log, stats.Fleet).Telling(p.members)
	joinTokens := fleet.NewJoinTokens(db.Fleet(), c.authority)
	p.sweeper = denials.NewSweeper(db, entries, publisher, systemActor(), log)
	reports := usage.NewReports(db.Usage())
	p.retirer = keylife.NewRetirer(db, entries, publisher, reports, systemActor(), log)
	p.upkeep = usage.NewUpkeep(db.Usage(), log, stats.Upkeep)

	ways, err := newSignIn(ctx, cfg, c)
	if err != nil {
		return nil, err
	}
	p.sessions = signin.NewKeeper(db.SignIn(), log)
	var errs [5]error
	p.keys, errs[4] = idempotency.Load(ctx, db.IdempotencyKeys(), c.vault, log)
	p.consumer, errs[0] = bus.NewConsumer(conn, usage.NewReceiver(db.Usage(), log, stats.Usage), log, stats.Bus)
	p.metrics, errs[1] = telemetry.NewMetrics(stats)
	p.warden, errs[3] = bus.NewWarden(db.Fleet(), link.client, log)
	p.heed(c.root, db)
	p.edge = edgeapi.New(edgeapi.Config{
		TLS:      certificate.TLS(tls.VerifyClientCertIfGiven, "h2"),
		Enroller: enroller, Renewer: fleet.NewRenewer(db.Fleet(), enroller, c.nonces),
		Lanes: p.lanes, Nodes: nodes, Roster: p.roster, Trust: c.trust, Inquiries: p.asking, Issuers: p.issuers, Audit: p.heads, Logger: log,
	})
	p.admin, errs[2] = api.New(api.Config{
		Environments: environments.New(db, c.vault),
		Publisher:    publisher,
		Catalog:      configuration,
		Directory:    entries,
		JoinTokens:   joinTokens,
		Nodes:        nodes,
		Denials:      denials.New(db, db.Fleet(), entries, configuration),
		NodeGroups:   fleet.NewGroups(db.Fleet()),
		Inquiries:    p.asking,
		Explainer:    explain.New(p.asking, db),
		Callers:      callers.New(configuration, db),
		Exclusions:   exclusions.New(reports, configuration, p.asking, time.Now),
		Descriptions: descriptions.NewReports(configuration, reports),
		Usage:        reports,
		Keys:         keylife.New(db, entries, publisher, reports, c.vault),
		Limits:       p.limits,
		Issuers:      p.issuers,
		Tokens:       access.NewTokens(db),
		Access:       access.NewBooks(db, db.Shelf()),
		SignIn:       ways,
		Epochs:       histories,
		IdentitySets: directory.NewIdentitySets(db, time.Now),
		Proposals:    p.proposals,
		Idempotency:  p.keys,
		Audit:        audit.NewLog(db.Audit(), p.heads),
		Denied:       p.denied,
		Events:       events.NewFeed(db.Events()),
		Webhooks:     events.NewWebhooks(db.Events(), c.vault, guard.CheckURL),
		Ready:        db.Ping,
		Logger:       log,
	})
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if p.console, err = newConsole(p.admin); err != nil {
		return nil, err
	}
	if err := p.listen(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// heed has the plane follow what the database tells of: a root key that is asked for, a node that is disabled.
func (p *plane) heed(root secrets.RootKey, db *postgres.DB) {
	p.commits.OnShown(func(ctx context.Context) error {
		_, err := secrets.Open(ctx, root, db)
		return err
	})
	p.commits.OnDisabled(func(node string) {
		p.roster.EndNode(node)
		p.warden.Wake()
	})
}

// newConsole returns the console as it was built into this program, with the admin API beside it.
func newConsole(admin *api.Server) (*console.Server, error) {
	built, _ := web.Console() // nil: it says so in its place
	return console.New(console.Config{Files: built, API: admin})
}

// listen opens all listeners but the bus's, or none.
func (p *plane) listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			p.closeListeners()
		}
	}()
	if p.adminTLS, err = p.cfg.adminTLS(); err != nil {
		return err
	}
	open := func(what, address string) net.Listener {
		if err != nil || address == "" {
			return nil
		}
		var listener net.Listener
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err != nil {
			err = fmt.Errorf("listen for %s: %w", what, err)
			return nil
		}
		return listener
	}
	p.edgeListener = open("nodes", p.cfg.EdgeListen)
	p.adminListener = open("the admin API", p.cfg.AdminListen)
	p.consoleListener = open("the console", p.cfg.ConsoleListen)
	p.metricsListener = open("metrics", p.cfg.MetricsListen)
	return err
}

// closeListeners closes what nobody serves on; closing twice does no harm.
func (p *plane) closeListeners() {
	for _, listener := range []net.Listener{p.edgeListener, p.adminListener, p.consoleListener, p.metricsListener} {
		if listener != nil {
			_ = listener.Close() // whoever served on it has closed it already
		}
	}
}

// announce says where the control plane listens.
func (p *plane) announce() error {
	at := Addresses{
		Admin: p.adminListener.Addr().String(), AdminTLS: p.adminTLS != nil,
		Edge: p.edgeListener.Addr().String(),
		Bus:  p.bus.address(),
	}
	if p.metricsListener != nil {
		at.Metrics = p.metricsListener.Addr().String()
	}
	if p.consoleListener != nil {
		at.Console = p.consoleListener.Addr().String()
	}
	p.log.Info("the control plane listens", "admin", at.Admin, "admin_tls", at.AdminTLS, "console", at.Console, "edge", at.Edge, "bus", at.Bus, "metrics", at.Metrics)
	if p.cfg.Ready == nil {
		return nil
	}
	if err := p.cfg.Ready(at); err != nil {
		return fmt.Errorf("tell where the control plane listens: %w", err)
	}
	return nil
}

// run serves until ctx ends. The ground goes on until the last face has ended, so that what nodes
// answered last is still written.
func (p *plane) run(ctx context.Context) error {
	standing, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ground, standing := errgroup.WithContext(standing)
	ground.Go(func() error { return p.commits.Run(standing) })
	ground.Go(func() error { return p.lanes.Run(standing) })
	ground.Go(func() error { return p.trust.Run(standing, p.commits) })
	ground.Go(func() error { return p.roster.Run(standing) })
	ground.Go(func() error { return p.limits.Run(standing) })
	ground.Go(func() error { return p.sweeper.Run(standing) })
	ground.Go(func() error { return p.retirer.Run(standing) })
	ground.Go(func() error { return p.upkeep.Run(standing) })
	ground.Go(func() error { return p.keys.Run(standing) })
	ground.Go(func() error { return p.proposals.Run(standing) })
	ground.Go(func() error { return p.sessions.Run(standing) })
	ground.Go(func() error { return p.members.Run(standing) })
	ground.Go(func() error { return p.tickets.Run(standing) })
	ground.Go(func() error { return p.issuers.Run(standing) })
	ground.Go(func() error { return p.identity.Run(standing) })
	ground.Go(func() error { return p.asking.Run(standing) })
	ground.Go(func() error { return p.warden.Run(standing) })
	ground.Go(func() error { return p.bus.hold(standing) })
	ground.Go(func() error { return p.heads.Run(standing) })
	ground.Go(func() error { return p.denied.Run(standing) })
	ground.Go(func() error { return p.watcher.Run(standing) })
	ground.Go(func() error { return p.courier.Run(standing) })

	faces, serving := errgroup.WithContext(ctx)
	serving, stop := context.WithCancel(serving)
	defer stop()
	context.AfterFunc(standing, stop) // without ground no face stands
	faces.Go(func() error { return p.consumer.Run(serving) })
	faces.Go(func() error { return p.edge.Serve(serving, p.edgeListener) })
	faces.Go(func() error {
		return serveHTTP(serving, p.adminListener, p.adminTLS, p.admin, p.log)
	})
	if p.consoleListener != nil {
		faces.Go(func() error { return serveHTTP(serving, p.consoleListener, p.adminTLS, p.console, p.log) })
	}
	if p.metricsListener != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", p.metrics.Handler())
		faces.Go(func() error { return serveHTTP(serving, p.metricsListener, nil, mux, p.log) })
	}
	err := faces.Wait()
	end()
	if err := errors.Join(err, ground.Wait()); err != nil {
		return err
	}
	p.log.Info("the control plane has stopped")
	return nil
}
