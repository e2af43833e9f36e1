package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/guardrails"
	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
)

// ErrRetry says that another writer came between: a name was taken, or locks crossed.
var ErrRetry = errors.New("another writer came between")

// Publisher writes. It is safe for concurrent use, and any number of replicas may write at the same time.
type Publisher struct {
	store   Store
	catalog *catalog.Catalog
	digests *directory.Digests
	sealer  directory.Sealer
	log     *slog.Logger
	now     func() time.Time
	random  io.Reader
	peppers sync.Map // pepperKey → *apikey.Pepper
	gates   sync.Map // environment → *gate
	guard   *guardrails.Guard
	hashing chan struct{} // a turn to compute digests of passwords
}

type pepperKey struct {
	environment string
	hash        digest.Hash // a version may come twice, in two epochs
}

// New returns a publisher that writes into a store, and keeps the catalog's heads current.
func New(store Store, c *catalog.Catalog, sealer directory.Sealer, log *slog.Logger) *Publisher {
	return &Publisher{
		store: store, catalog: c, digests: directory.NewDigests(), sealer: sealer, log: log, now: time.Now, random: rand.Reader, guard: guardrails.New(), hashing: make(chan struct{}, hashingAtOnce),
	}
}

// pepper returns the pepper that new keys are digested with, and its version.
func (p *Publisher) pepper(ctx context.Context, tx DirectoryTx, environment string) (uint32, *apikey.Pepper, error) {
	newest, err := tx.NewestPepper(ctx, environment)
	if err != nil {
		return 0, nil, err
	}
	key := pepperKey{environment, newest.Entry.Hash}
	if prepared, ok := p.peppers.Load(key); ok {
		return newest.Version, prepared.(*apikey.Pepper), nil
	}
	prepared, err := newest.Prepare(p.sealer, environment)
	if err != nil {
		return 0, nil, err
	}
	p.peppers.Store(key, prepared)
	return newest.Version, prepared, nil
}

// Rollback makes a revision that brings the configuration of an earlier one back, after the same checks
// as any other: batch.RollbackTo says which. The directory stays: a revoked key stays revoked.
func (p *Publisher) Rollback(ctx context.Context, batch Batch) (Result, error) {
	batch.Operations = nil
	return p.write(ctx, batch, true)
}

// Apply writes a batch. Its errors are *problem.Error: InvalidRequest with every violation, NotFound,
// PreconditionFailed, NameTaken, Referenced, TooLarge, or Unavailable.
func (p *Publisher) Apply(ctx context.Context, batch Batch) (Result, error) {
	batch.RollbackTo = 0
	return p.write(ctx, batch, false)
}
