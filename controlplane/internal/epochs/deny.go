package epochs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// denyAttempts bounds how often denials are drawn up anew because somebody wrote in between.
	denyAttempts = 5
	// denyAtOnce is how many denials are written together.
	denyAtOnce = 1000
	// lookAtOnce is how many rows are looked up together.
	lookAtOnce = 10_000
)

// denial is one thing that may no longer be used.
type denial struct {
	operation publish.Operation
	words     string
}

// takeBack writes what a node denies and the database doesn't, until there is nothing more of it, and returns how much it was.
func (e *Epochs) takeBack(ctx context.Context, said Evidence, found *findings) (taken int, err error) {
	if taken, err = e.retire(ctx, said, found); err != nil {
		return taken, err
	}
	now, _, err := e.store.Current(ctx, said.Environment)
	if err != nil {
		return 0, fmt.Errorf("read the epoch: %w", err)
	}
	for attempt := 1; ; attempt++ {
		denials, err := e.denials(ctx, said, now.Number, found)
		if err != nil {
			return taken, err
		}
		if len(denials) == 0 {
			return taken, nil
		}
		n, err := e.deny(ctx, said, denials)
		taken += n
		switch code := problem.CodeOf(err); {
		case err == nil:
		case attempt < denyAttempts && (code == problem.NotFound || code == problem.Conflict):
		default:
			return taken, err
		}
	}
}

// retire takes keys of token issuers for dead that the node knows to be: an issuer that is down can't say so, and of keys that the
// configuration gives nobody else knows. One that an issuer shows is good again when it is asked next.
func (e *Epochs) retire(ctx context.Context, said Evidence, found *findings) (taken int, err error) {
	for _, issuer := range slices.Sorted(maps.Keys(found.retired)) {
		n, err := e.publisher.RetireKeys(ctx, said.Environment, issuer, found.retired[issuer])
		if err != nil {
			return taken, fmt.Errorf("retire keys of the issuer %s: %w", issuer, err)
		}
		if n > 0 {
			taken += n
			e.stats.Taken.Add(uint64(n))
			e.log.WarnContext(ctx, "retired keys of an issuer are taken back from a node", "environment", said.Environment, "node", said.Node, "issuer", issuer, "keys", n)
		}
	}
	return taken, nil
}

func (e *Epochs) deny(ctx context.Context, said Evidence, denials []denial) (taken int, err error) {
	for some := range slices.Chunk(denials, denyAtOnce) {
		batch := publish.Batch{
			Environment: said.Environment, Author: access.System(),
			Recall: true, Force: true, // the lost history had it; refused, it would keep the node that shows it from being served
			Message: fmt.Sprintf("Taken back from node %s, which held sequence %d of epoch %d", said.Node, said.Number, said.Epoch),
		}
		for _, d := range some {
			batch.Operations = append(batch.Operations, d.operation)
		}
		result, err := e.publisher.Apply(ctx, batch)
		if err != nil {
			return taken, err
		}
		taken += len(some)
		e.stats.Taken.Add(uint64(len(some)))
		for _, d := range some {
			e.log.WarnContext(ctx, "a denial is taken back from a node", "environment", said.Environment, "node", said.Node,
				"collection", d.operation.Collection, "id", d.operation.Key, "denial", d.words, "sequence", result.Sequence)
		}
	}
	return taken, nil
}

// denials draws up what must be written for the database to deny what the node does.
func (e *Epochs) denials(ctx context.Context, said Evidence, epoch uint64, found *findings) ([]denial, error) {
	environment := said.Environment
	denials, err := e.blocks(ctx, said, epoch, found)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(slices.SortedFunc(maps.Keys(found.missing), digest.Key.Compare), lookAtOnce) {
		keys, err := e.store.Keys(ctx, environment, some)
		if err != nil {
			return nil, fmt.Errorf("look up API keys: %w", err)
		}
		for _, key := range keys {
			d, ok, err := found.judge(key)
			if err != nil {
				return nil, err
			}
			if ok {
				denials = append(denials, d)
			}
		}
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(found.suspended)), lookAtOnce) {
		consumers, err := e.store.Unsuspended(ctx, environment, some)
		if err != nil {
			return nil, fmt.Errorf("look up consumers: %w", err)
		}
		for _, consumer := range consumers {
			denials = append(denials, denial{words: "it was suspended", operation: publish.Operation{
				Verb: publish.Patch, Collection: directory.Consumers, Key: consumer, Body: []byte(`{"suspended":true}`),
			}})
		}
	}
	slices.SortFunc(denials, func(a, b denial) int { return cmp.Compare(a.operation.Key, b.operation.Key) })
	return denials, nil
}

// judge decides about an API key that the node doesn't hold as the database does. What the node doesn't show to be alive is dead.
func (f *findings) judge(key Key) (denial, bool, error) {
	ends, alive := f.alive[key.Entry]
	if !alive {
		if key.CreatedAt.After(f.since) {
			return denial{}, false, nil
		}
		return denial{words: "it was revoked", operation: publish.Operation{Verb: publish.Delete, Collection: directory.APIKeys, Key: key.ID}}, true, nil
	}
	end := time.UnixMilli(ends).UTC()
	if ends == 0 || !key.ExpiresAt.IsZero() && key.ExpiresAt.UnixMilli() <= ends {
		return denial{}, false, nil
	}
	patch, err := json.Marshal(map[string]time.Time{"expires_at": end})
	return denial{words: "it ended at " + end.Format(time.RFC3339), operation: publish.Operation{
		Verb: publish.Patch, Collection: directory.APIKeys, Key: key.ID, Body: patch,
	}}, true, err
}
