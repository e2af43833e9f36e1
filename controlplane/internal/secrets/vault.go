package secrets

import (
	"context"
	"errors"
	"fmt"
)

// ErrWrongRootKey says that the database was sealed under another root key.
var ErrWrongRootKey = errors.New("this is not the root key that the database was sealed under: set SALLYPORT_ROOT_KEY (or its file) to the one it was first started with")

// Store keeps sealed material by name.
type Store interface {
	// Material returns the sealed material of a name; nil when there is none.
	Material(ctx context.Context, name string) ([]byte, error)
	// AddMaterial keeps sealed material unless the name has some, and returns what the name has now.
	AddMaterial(ctx context.Context, name string, sealed []byte) ([]byte, error)
}

// Vault is a Sealer with the control plane's own material.
type Vault struct {
	*Sealer
	store Store
}

const (
	canaryName = "canary"
	canaryText = "sallyport"
)

// Open returns the vault of a store, or ErrWrongRootKey, wrapped, when what is in there was sealed
// under another root key.
func Open(ctx context.Context, root RootKey, store Store) (*Vault, error) {
	v := &Vault{Sealer: New(root), store: store}
	text, err := v.Material(ctx, canaryName, func() ([]byte, error) { return []byte(canaryText), nil })
	if errors.Is(err, ErrSealed) {
		return nil, ErrWrongRootKey
	}
	if err != nil {
		return nil, fmt.Errorf("check root key: %w", err)
	}
	if string(text) != canaryText {
		return nil, ErrWrongRootKey
	}
	return v, nil
}

// Material returns the material of a name, which generate makes the first time. Of replicas that ask
// at the same time all get the same.
func (v *Vault) Material(ctx context.Context, name string, generate func() ([]byte, error)) ([]byte, error) {
	sealed, err := v.store.Material(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("material %s: %w", name, err)
	}
	if sealed == nil {
		if sealed, err = v.add(ctx, name, generate); err != nil {
			return nil, fmt.Errorf("material %s: %w", name, err)
		}
	}
	plain, err := v.Open(MaterialPurpose(name), sealed)
	if err != nil {
		return nil, fmt.Errorf("material %s: %w", name, err)
	}
	return plain, nil
}

func (v *Vault) add(ctx context.Context, name string, generate func() ([]byte, error)) ([]byte, error) {
	plain, err := generate()
	if err != nil {
		return nil, err
	}
	sealed, err := v.Seal(MaterialPurpose(name), plain)
	if err != nil {
		return nil, err
	}
	return v.store.AddMaterial(ctx, name, sealed)
}
