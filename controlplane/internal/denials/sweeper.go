package denials

import (
	"context"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// sweepEvery is how often expired blocks are looked for, and sweepLimit how many are removed at a time.
	sweepEvery = 10 * time.Second
	sweepLimit = 500
	// sweepGrace is how long they stay: so much may a node's clock be behind the database's without a block ending early there.
	sweepGrace = time.Minute
	// pruneEvery is how often old records are forgotten, pruneLimit how many commits at a time.
	pruneEvery = time.Hour
	pruneLimit = 1000
	// sweepTimeout bounds one look, prunings included.
	sweepTimeout = 30 * time.Second
)

// Sweeper ends what has had its time. Every replica has one; they don't mind each other.
type Sweeper struct {
	store     Store
	directory Directory
	publisher Publisher
	author    access.Actor
	log       *slog.Logger
	grace     time.Duration
	pruned    time.Time
}

// NewSweeper returns a sweeper that writes as author. It works while Run does.
func NewSweeper(store Store, directory Directory, publisher Publisher, author access.Actor, log *slog.Logger) *Sweeper {
	return &Sweeper{store: store, directory: directory, publisher: publisher, author: author, log: log, grace: sweepGrace}
}

// Run sweeps until ctx ends. What fails is tried again at the next look.
func (s *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("can't remove expired blocks or old denials; trying again", "error", err)
		}
	}
}

func (s *Sweeper) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	if err := s.sweep(ctx); err != nil {
		return err
	}
	if time.Since(s.pruned) < pruneEvery {
		return nil
	}
	for {
		n, err := s.store.PruneDenials(ctx, Retention, pruneLimit)
		if err != nil {
			return err
		}
		if n < pruneLimit {
			s.pruned = time.Now()
			return nil
		}
	}
}

// sweep removes expired blocks, those of each environment in one batch.
func (s *Sweeper) sweep(ctx context.Context) error {
	expired, err := s.store.ExpiredBlocks(ctx, s.grace, sweepLimit)
	if err != nil {
		return err
	}
	batches := make(map[string][]publish.Operation)
	for _, e := range expired {
		op, due, err := s.removal(ctx, e)
		if err != nil {
			return err
		}
		if due {
			batches[e.Environment] = append(batches[e.Environment], op)
		}
	}
	for environment, ops := range batches {
		if err := s.remove(ctx, environment, ops); err != nil {
			return err
		}
	}
	return nil
}

// removal is the operation that removes a block as it is: not when it was given a later expiry meanwhile.
func (s *Sweeper) removal(ctx context.Context, e Expired) (op publish.Operation, due bool, err error) {
	object, err := s.directory.Get(ctx, e.Environment, directory.Blocks, e.ID)
	if problem.CodeOf(err) == problem.NotFound {
		return op, false, nil
	}
	if err != nil {
		return op, false, err
	}
	block, ok := object.Message.(*adminv1.Block)
	if !ok || block.GetExpiresAt() == nil || !block.GetExpiresAt().AsTime().Equal(e.ExpiresAt) {
		return op, false, nil
	}
	return publish.Operation{Verb: publish.Delete, Collection: directory.Blocks, Key: e.ID, IfMatch: object.ETag}, true, nil
}

func (s *Sweeper) remove(ctx context.Context, environment string, ops []publish.Operation) error {
	_, err := s.publisher.Apply(ctx, publish.Batch{Environment: environment, Author: s.author, Message: "expired", Operations: ops})
	if code := problem.CodeOf(err); code == problem.NotFound || code == problem.PreconditionFailed || code == problem.Conflict {
		return nil // somebody else came first; what is left is found by the next look
	}
	if err != nil {
		return err
	}
	s.log.Info("removed expired blocks", "environment", environment, "blocks", len(ops))
	return nil
}
