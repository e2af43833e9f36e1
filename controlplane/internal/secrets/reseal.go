package secrets

import (
	"context"
	"errors"
	"fmt"
)

// Errors of a change of the root key.
var (
	ErrSameRootKey = errors.New("the new root key is the one in use: make another with: openssl rand -base64 32")
	ErrInUse       = errors.New("a control plane runs on this database: it would seal under the old root key; stop every replica first (edges serve on meanwhile)")
)

// SealedStore holds everything that lies sealed.
type SealedStore interface {
	// Reseal calls reseal with each thing and its purpose, and keeps what it returns: all of it, or nothing. It returns how
	// many things there are; ErrInUse, wrapped, when somebody may seal meanwhile.
	Reseal(ctx context.Context, reseal func(purpose string, sealed []byte) ([]byte, error)) (things int, err error)
}

// Rotate seals everything under another root key. What fails to open stops it, and nothing is changed.
func Rotate(ctx context.Context, old, next RootKey, store SealedStore) (things int, err error) {
	if old == next {
		return 0, ErrSameRootKey
	}
	from, to := New(old), New(next)
	things, err = store.Reseal(ctx, func(purpose string, sealed []byte) ([]byte, error) {
		plain, err := from.Open(purpose, sealed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", purpose, err)
		}
		return to.Seal(purpose, plain)
	})
	if err != nil {
		return 0, fmt.Errorf("change the root key: %w", err)
	}
	return things, nil
}

// MaterialPurpose is what a material is sealed for.
func MaterialPurpose(name string) string { return "material/" + name }
