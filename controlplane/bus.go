package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
)

// busLink is the bus as a process knows it: one that runs in it, or one elsewhere.
type busLink struct {
	client *bus.Client
	server *bus.Server        // nil: it runs elsewhere
	claim  *postgres.BusClaim // of the server
}

// openBus starts the embedded bus, or makes ready to connect to the one that NATS_URL names.
func openBus(ctx context.Context, cfg *Config, c *core, certificate *fleet.ServerCertificate) (*busLink, error) {
	log := cfg.Logger.With("part", "bus")
	if len(cfg.NATSURLs) > 0 {
		return &busLink{client: bus.NewClient(cfg.NATSURLs, cfg.BusURLs, c.authority.BusClientTLS(), c.bus, log)}, nil
	}
	return embedBus(ctx, cfg, c, certificate, log)
}

// embedBus starts the bus in this process, unless another one has it.
func embedBus(ctx context.Context, cfg *Config, c *core, certificate *fleet.ServerCertificate, log *slog.Logger) (_ *busLink, err error) {
	link := &busLink{}
	if link.claim, err = c.db.ClaimBus(ctx, log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			link.close()
		}
	}()
	// The newest first, as the warden asks for them: it takes it from there.
	revoked, err := c.db.Fleet().BusRevocations(ctx, time.Now().Add(-fleet.RevocationLife), bus.MaxRevocations)
	if err != nil {
		return nil, err
	}
	link.server, err = bus.Start(ctx, bus.Config{
		Listen: cfg.BusListen, StoreDir: filepath.Join(cfg.DataDir, "bus"), TLS: certificate.TLS(tls.NoClientCert),
		Announce: cfg.BusURLs, Revoked: revoked, Logger: log,
	}, c.bus)
	if err != nil {
		return nil, err
	}
	link.client = link.server.Client
	return link, nil
}

// hold keeps the claim of an embedded bus until ctx ends.
func (l *busLink) hold(ctx context.Context) error {
	if l.claim == nil {
		return nil
	}
	return l.claim.Run(ctx)
}

// close ends an embedded bus, and gives its claim back behind it.
func (l *busLink) close() {
	if l.server != nil {
		l.server.Stop()
	}
	if l.claim != nil {
		l.claim.Drop()
	}
}

// address returns where an embedded bus listens; empty: it runs elsewhere.
func (l *busLink) address() string {
	if l.server == nil {
		return ""
	}
	return l.server.Addr()
}

// checkBus returns what is wrong with the bus's part of the configuration.
func (c *Config) checkBus() error {
	if len(c.NATSURLs) == 0 {
		return c.checkEmbedded()
	}
	var wrong []error
	for _, text := range c.NATSURLs {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.User != nil || (u.Scheme != "tls" && u.Scheme != "nats") {
			wrong = append(wrong, errors.New("NATS_URL must be a comma-separated list of tls://host:port, without user or password: the control plane has keys of its own"))
		}
	}
	return errors.Join(wrong...)
}

func (c *Config) checkEmbedded() error {
	var wrong []error
	if c.BusListen == "" {
		wrong = append(wrong, errors.New("the address of the bus is not set"))
	}
	if c.DataDir == "" {
		wrong = append(wrong, errors.New("the data folder is not set"))
	}
	return errors.Join(wrong...)
}

// RunBus runs the embedded bus as a process of its own, which several control planes share by its URL, until ctx
// ends. Of the configuration it needs the database, the root key, BusListen, DataDir and the Logger.
func RunBus(ctx context.Context, cfg Config) error {
	if err := errors.Join(cfg.checkStore(), cfg.checkEmbedded()); err != nil {
		return fmt.Errorf("configuration of the bus: %w", err)
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
	cfg.NATSURLs = nil
	link, err := openBus(ctx, &cfg, c, certificate)
	if err != nil {
		return err
	}
	defer link.close()
	cfg.Logger.Info("the bus listens", "bus", link.address())
	if cfg.Ready != nil {
		if err := cfg.Ready(Addresses{Bus: link.address()}); err != nil {
			return fmt.Errorf("tell where the bus listens: %w", err)
		}
	}
	commits := postgres.NewListener(c.db, cfg.Logger)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return link.hold(ctx) })
	group.Go(func() error { return commits.Run(ctx) })
	group.Go(func() error { return c.trust.Run(ctx, commits) }) // its certificate is the authority's in use
	if err := group.Wait(); err != nil {
		return err
	}
	cfg.Logger.Info("the bus has stopped")
	return nil
}
