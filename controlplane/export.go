package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/proto/snapshotfile"
)

// Export writes an environment (by id or name) to a snapshot file, for its owner alone: whole, or not at all. keyText seals it; when empty
// a key is made. It returns the text of a key that was made, which is kept nowhere.
func (c *Commands) Export(ctx context.Context, environment, path, keyText string) (made string, err error) {
	key := snapshotfile.NewKey()
	if keyText == "" {
		made = key.Reveal()
	} else if key, err = snapshotfile.ParseKey(keyText); err != nil {
		return "", fmt.Errorf("SALLYPORT_SNAPSHOT_KEY: %w", err)
	}
	found, err := c.environments.Get(ctx, environment)
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	export := fleet.Export{
		Environment: found.GetId(), Name: found.GetName(), Store: c.core.db.Lanes(c.core.vault), Signer: c.core.signer, Key: key,
	}
	if err := errors.Join(export.Write(ctx, file), file.Sync(), file.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return "", fmt.Errorf("export: %w", err)
	}
	return made, nil
}
