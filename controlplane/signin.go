package controlplane

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/api"
	"github.com/sallyport/sallyport/controlplane/internal/outbound"
	"github.com/sallyport/sallyport/controlplane/internal/signin"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// recoveryMaterial is what digests of recovery codes are keyed with.
const (
	recoveryMaterial = "recovery-codes"
	recoveryKeySize  = 32
)

// newSignIn returns how people are let in.
func newSignIn(ctx context.Context, cfg *Config, c *core) (ways api.SignIn, err error) {
	store := c.db.SignIn()
	guard := outbound.NewGuard(cfg.OutboundAllow)
	if ways.Accounts, err = newAccounts(ctx, c); err != nil {
		return ways, err
	}
	ways.Sessions, ways.Settings = signin.NewSessions(store, store, c.db), signin.NewSettings(store)
	ways.Providers = signin.NewProviders(store, c.db, c.vault, guard.CheckURL)
	ways.Federation = signin.NewFederation(signin.FederationConfig{
		Store: store, Settings: store, Sealer: c.vault, HTTP: outbound.NewClient(guard).HTTP(signin.MostFetched), CheckURL: guard.CheckURL,
		Logger: cfg.Logger, Now: time.Now,
	})
	return ways, nil
}

func newAccounts(ctx context.Context, c *core) (*signin.Accounts, error) {
	key, err := c.vault.Material(ctx, recoveryMaterial, func() ([]byte, error) {
		made := make([]byte, recoveryKeySize)
		rand.Read(made) // never fails: the runtime ends the process instead
		return made, nil
	})
	if err != nil {
		return nil, fmt.Errorf("load what recovery codes are kept under: %w", err)
	}
	store := c.db.SignIn()
	return signin.NewAccounts(signin.AccountsConfig{
		Accounts: store, Factors: store, Sessions: store, Settings: store, Grants: c.db, Sealer: c.vault, Key: key, Now: time.Now,
	}), nil
}

// InviteUser makes an invitation for a user (by name) to set a password, and returns the path of the console that takes it; the user too, if
// there is none. role is bound to them everywhere, unless it is "". With forget their second factor is removed.
func (c *Commands) InviteUser(ctx context.Context, name, role string, forget bool) (string, error) {
	ctx = access.WithActor(ctx, systemActor())
	books := access.NewBooks(c.core.db, c.core.db.Shelf())
	user, err := books.Users.Get(ctx, "", name)
	if problem.CodeOf(err) == problem.NotFound {
		user, err = books.Users.Create(command(ctx, "createUser"), "", []byte(fmt.Sprintf(`{"name":%q}`, name)))
	}
	if err != nil {
		return "", err
	}
	if role != "" {
		if err := c.bindOnce(ctx, books, user.(*adminv1.User).GetId(), role); err != nil {
			return "", err
		}
	}
	accounts, err := newAccounts(ctx, c.core)
	if err != nil {
		return "", err
	}
	if forget {
		err := accounts.ResetFactor(command(ctx, "resetUserSecondFactor"), name)
		if err != nil && problem.CodeOf(err) != problem.NotFound {
			return "", err
		}
	}
	invitation, err := accounts.Invite(command(ctx, "inviteUser"), name)
	if err != nil {
		return "", err
	}
	return invitation.GetPath(), nil
}

// bindOnce gives a user a role everywhere, unless they have it.
func (c *Commands) bindOnce(ctx context.Context, books *access.Books, user, role string) error {
	grants, err := c.core.db.GrantsOf(ctx, user)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(grants, func(g access.Grant) bool { return g.Role == role && g.Environment == "" }) {
		return nil
	}
	_, err = books.RoleBindings.Create(command(ctx, "createRoleBinding"), "", []byte(fmt.Sprintf(`{"user":%q,"role":%q}`, user, role)))
	return err
}
