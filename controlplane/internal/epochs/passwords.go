package epochs

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
)

// passwords draws up the deletion of passwords that the node doesn't hold as the database does: they were revoked, or replaced by others. A
// node shows no digest of a password, so that neither can be told from the other: one that was changed after the dump is dead, as a key that a
// changed entry hides is.
func (e *Epochs) passwords(ctx context.Context, environment string, found *findings) ([]denial, error) {
	var denials []denial
	for some := range slices.Chunk(slices.SortedFunc(maps.Keys(found.missing), digest.Key.Compare), lookAtOnce) {
		passwords, err := e.store.Passwords(ctx, environment, some)
		if err != nil {
			return nil, fmt.Errorf("look up passwords: %w", err)
		}
		for _, p := range passwords {
			if p.CreatedAt.After(found.since) {
				continue
			}
			denials = append(denials, denial{words: "it was revoked or replaced", operation: publish.Operation{
				Verb: publish.Delete, Collection: directory.Passwords, Key: p.ID,
			}})
		}
	}
	return denials, nil
}
