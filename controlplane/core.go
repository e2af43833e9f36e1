package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/bus"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/epochs"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// openTimeout bounds what a control plane does with its database before it serves, migrations apart.
const openTimeout = 30 * time.Second

// core is the part of a control plane that listens nowhere.
type core struct {
	db        *postgres.DB
	vault     *secrets.Vault
	bus       *bus.Keys
	trust     *fleet.Trust
	authority *fleet.Authority // the trust's
	signer    *fleet.Signer    // the trust's
	nonces    *fleet.Nonces
	log       *slog.Logger
	root      secrets.RootKey
}

// Migrate brings the database's schema to this build's.
func Migrate(ctx context.Context, cfg Config) error {
	if cfg.DatabaseURL == "" {
		return errors.New("DATABASE_URL is not set")
	}
	return postgres.Migrate(ctx, cfg.DatabaseURL)
}

// openCore migrates and opens the database, and loads what lies sealed in it.
func openCore(ctx context.Context, cfg *Config) (_ *core, err error) {
	root, err := cfg.rootKey()
	if err != nil {
		return nil, err
	}
	if err := Migrate(ctx, *cfg); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	c := &core{log: cfg.Logger, root: root}
	if c.db, err = postgres.Open(ctx, cfg.DatabaseURL); err != nil {
		return nil, err
	}
	if err := c.load(ctx, root); err != nil {
		c.db.Close()
		return nil, err
	}
	return c, nil
}

func (c *core) load(ctx context.Context, root secrets.RootKey) (err error) {
	if c.vault, err = secrets.Open(ctx, root, c.db); err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	if c.bus, err = bus.LoadKeys(ctx, c.vault); err != nil {
		return err
	}
	c.trust, err = fleet.LoadTrust(ctx, fleet.TrustConfig{Store: c.db.Trust(), Materials: c.vault, Bus: c.bus, Logger: c.log})
	if err != nil {
		return err
	}
	c.authority, c.signer = c.trust.Authority(), c.trust.Signer()
	c.nonces, err = fleet.LoadNonces(ctx, c.vault)
	return err
}

func (c *core) close() { c.db.Close() }

// Commands does what an operator does at the machine itself, without the API.
type Commands struct {
	core         *core
	environments *environments.Environments
}

// Open opens the database for commands. It needs cfg's database, root key and logger only.
func Open(ctx context.Context, cfg Config) (*Commands, error) {
	if err := cfg.checkStore(); err != nil {
		return nil, err
	}
	c, err := openCore(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	return &Commands{core: c, environments: environments.New(c.db, c.vault)}, nil
}

// Close closes the database.
func (c *Commands) Close() { c.core.close() }

// CreateToken makes an owner's access token and returns its text, which is kept nowhere.
func (c *Commands) CreateToken(ctx context.Context, name string) (string, error) {
	made, err := access.NewTokens(c.core.db).CreateOwner(command(ctx, "createAccessToken"), name)
	if err != nil {
		return "", err
	}
	return made.GetToken(), nil
}

// CreateEnvironment makes an environment and returns its id.
func (c *Commands) CreateEnvironment(ctx context.Context, name, description string) (string, error) {
	made, err := c.environments.Create(command(ctx, "createEnvironment"), &adminv1.Environment{Name: name, Description: description}, systemActor())
	if err != nil {
		return "", err
	}
	return made.GetId(), nil
}

// CreateJoinToken makes a join token for an environment (by id or name) and returns its text, which
// is kept nowhere.
func (c *Commands) CreateJoinToken(ctx context.Context, environment, name string, uses uint32, expires time.Duration) (string, error) {
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	tokens := fleet.NewJoinTokens(c.core.db.Fleet(), c.core.authority)
	made, err := tokens.Create(command(ctx, "createJoinToken"), found.GetId(), &adminv1.JoinToken{
		Name: name, MaxUses: &uses, ExpiresAt: timestamppb.New(time.Now().Add(expires)),
	})
	if err != nil {
		return "", err
	}
	return made.GetToken(), nil
}

// OpenEpoch begins the next epoch of an environment (by id or name), and returns what to say about it.
func (c *Commands) OpenEpoch(ctx context.Context, environment, reason string) (string, error) {
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	log := slog.New(slog.DiscardHandler) // what it would say is returned
	publisher := publish.New(c.core.db, catalog.New(c.core.db, log), c.core.vault, log)
	made, err := epochs.New(c.core.db.Epochs(), publisher, c.core.signer, log, new(epochs.Stats)).OpenByHand(command(ctx, "openEpoch"), found.GetId(), reason, systemActor())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("epoch %d of %s began at revision %d and sequence %d; nodes are asked for what they hold, then they resync",
		made.Number, found.GetName(), made.Ended.Revision, made.Ended.Sequence), nil
}

// systemActor is who acts when nobody was let in by a face.
func systemActor() access.Actor { return access.System() }
