package controlplane

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	"github.com/sallyport/sallyport/proto/identitykey"
)

// RotateKey announces a new signing, authority or bus key. The replicas that run do the rest.
func (c *Commands) RotateKey(ctx context.Context, kind string) (string, error) {
	made, err := c.core.trust.Rotate(command(ctx, "rotateKey"), fleet.RotationKind(kind))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s is announced in version %d; the replicas put it in the place of %s when the nodes have it (see: sallyport-control rotate status)",
		made.Kind, made.New, made.Version, made.Old), nil
}

// RotatePepper makes a new pepper for an environment (by id or name).
func (c *Commands) RotatePepper(ctx context.Context, environment string) (string, error) {
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	publisher := publish.New(c.core.db, catalog.New(c.core.db, c.core.log), c.core.vault, c.core.log)
	made, err := publisher.RotatePepper(command(ctx, "rotatePepper"), found.GetId())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("new keys of %s are made with pepper %d from sequence %d on; retired: %v", found.GetName(), made.Version, made.Sequence, made.Retired), nil
}

// RotateIdentityKeys makes a new key that an environment's (by id or name) identity tokens are signed with, after it has been published for a while. Of
// a leaked one nothing is kept.
func (c *Commands) RotateIdentityKeys(ctx context.Context, environment string, after time.Duration, leaked bool) (string, error) {
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	publisher := publish.New(c.core.db, catalog.New(c.core.db, c.core.log), c.core.vault, c.core.log)
	made, err := publisher.RotateIdentityKeys(command(ctx, "rotateIdentityKeys"), found.GetId(), directory.Succession{After: after, Leaked: leaked})
	switch {
	case err != nil:
		return "", err
	case leaked:
		return fmt.Sprintf("identity tokens of %s are signed with key %d; the keys before are gone, and services that keep the set of keys believe them for up to %v",
			found.GetName(), made.Version, identitykey.SetAge), nil
	}
	return fmt.Sprintf("identity tokens of %s are signed with key %d in %v; the one before stays published for %v behind that", found.GetName(), made.Version, after, identitykey.Overlap), nil
}

// RotateTicketKeys makes a new key that an environment's (by id or name) session tickets are sealed with.
func (c *Commands) RotateTicketKeys(ctx context.Context, environment string) (string, error) {
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	publisher := publish.New(c.core.db, catalog.New(c.core.db, c.core.log), c.core.vault, c.core.log)
	made, err := publisher.RotateTickets(command(ctx, "rotateTicketKeys"), found.GetId())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("session tickets of %s are sealed with key %d; those of the two before it are still taken", found.GetName(), made.Version), nil
}

// RotateRoot seals everything in the database under another root key: a text, or else a file that holds it.
func (c *Commands) RotateRoot(ctx context.Context, text, file string) (string, error) {
	next := Config{RootKey: text, RootKeyFile: file}
	root, err := next.rootKey()
	if err != nil {
		return "", fmt.Errorf("the new root key: %w", err)
	}
	things, err := secrets.Rotate(command(ctx, "rotateRoot"), c.core.root, root, c.core.db)
	if err != nil {
		return "", err
	}
	c.core.log.Info("the root key was changed", "things", things)
	return fmt.Sprintf("%d things are sealed under the new root key: start every replica with it, make a new dump, and keep the old key for as long as dumps from before are kept", things), nil
}

// RotationStatus writes how far rotations are, and which nodes they wait for.
func (c *Commands) RotationStatus(ctx context.Context) (string, error) {
	status, err := c.core.trust.Status(ctx)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&text, format+"\n", args...) } // a Builder takes everything
	line("trust version %d: signing %s, authority %s, bus %s", status.Version, status.Signing, status.Authority, status.Bus)
	for i := range status.Rotations {
		r := &status.Rotations[i]
		what := string(r.Kind)
		if r.Environment != "" {
			what += " of " + r.Environment
		}
		line("%s: %s, %s -> %s, announced %s, in use %s, old one retired %s", what, r.Phase(), r.Old, r.New, when(r.AnnouncedAt), when(r.ActiveAt), when(r.RetiredAt))
	}
	for _, n := range status.Laggards {
		version := strconv.FormatUint(n.Version, 10)
		if n.Strays {
			version += " of a history that the database lost"
		}
		line("node %s (%s, %s) believes in version %s: connected %v, old certificate %v, old bus JWT %v",
			n.Node, n.Name, n.Environment, version, n.Connected, n.OldCertificate, n.OldJWT)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}

func when(t time.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return t.UTC().Format(time.RFC3339)
}
