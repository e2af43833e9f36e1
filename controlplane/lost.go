package controlplane

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
)

// errNotLost keeps a working installation from being emptied by a slip.
var errNotLost = errors.New("this is the root key that the database was sealed under: nothing is lost, start the control plane with it")

// ReplaceLostRoot lets a database go on whose root key is lost, under cfg's root key, a new one. What was sealed is
// forgotten: authority, signing key, bus keys, peppers, values of secrets. What wasn't stays.
func ReplaceLostRoot(ctx context.Context, cfg Config) (string, error) {
	if err := cfg.checkStore(); err != nil {
		return "", err
	}
	root, err := cfg.rootKey()
	if err != nil {
		return "", err
	}
	if err := Migrate(ctx, cfg); err != nil {
		return "", err
	}
	db, err := postgres.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return "", err
	}
	defer db.Close()
	switch _, err := secrets.Open(ctx, root, db); {
	case err == nil:
		return "", errNotLost
	case !errors.Is(err, secrets.ErrWrongRootKey):
		return "", err
	}
	// A replica that runs has a root key that opens all of this: then nothing is lost, and nothing may be touched.
	err = db.WhileAlone(ctx, func(ctx context.Context) error { return forgetSealed(ctx, cfg, root, db) })
	if err != nil {
		return "", err
	}
	return "start the control plane with the new root key; then give every edge an empty data folder and a new join token, one after the other, " +
		"rotate every API key, and put every secret's value again", nil
}

func forgetSealed(ctx context.Context, cfg Config, root secrets.RootKey, db *postgres.DB) error {
	ids, err := db.EnvironmentIDs(ctx)
	if err != nil {
		return fmt.Errorf("list environments: %w", err)
	}
	// The materials go last: until then the command can be given again.
	publisher := publish.New(db, catalog.New(db, cfg.Logger), secrets.New(root), cfg.Logger)
	for _, id := range ids {
		if err := publisher.ForgetSealed(ctx, id); err != nil {
			return err
		}
	}
	if err := db.ForgetSealed(ctx); err != nil {
		return err
	}
	cfg.Logger.Warn("what was sealed under the lost root key is forgotten", "environments", len(ids))
	return nil
}
