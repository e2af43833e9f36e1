package keylife

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// retireEvery is how often silent keys are looked for, retirePage how many are looked at then, at most retirePages times. What is left
	// is looked at the next time.
	retireEvery = time.Minute
	retirePage  = 500
	retirePages = 10
	// retireTimeout bounds one look.
	retireTimeout = 50 * time.Second
	// retireLag is how much longer than it says a key is silent before it goes: nodes report within seconds, and may have been held up.
	retireLag = time.Hour
)

// Retirer revokes keys that nobody has used for as long as they say. It does nothing in an environment of which it isn't known that all
// that was used in that time was reported: a node that can't be heard, or a report that is missing, may be the one that tells of a use.
// Every replica has one; they don't mind each other.
type Retirer struct {
	store     Store
	directory Directory
	publisher Publisher
	usage     Usage
	author    access.Actor
	log       *slog.Logger
	lag       time.Duration

	after Place           // where the next look begins
	held  map[string]bool // environments that were told of as not known
}

// NewRetirer returns a retirer that writes as author. It works while Run does.
func NewRetirer(store Store, directory Directory, publisher Publisher, usage Usage, author access.Actor, log *slog.Logger) *Retirer {
	return &Retirer{store: store, directory: directory, publisher: publisher, usage: usage, author: author, log: log, lag: retireLag, held: make(map[string]bool)}
}

// Run retires keys until ctx ends. What fails is tried again at the next look.
func (r *Retirer) Run(ctx context.Context) error {
	tick := time.NewTicker(retireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("can't retire silent API keys; trying again", "error", err)
		}
	}
}

// look looks at some pages of keys, from where the look before ended.
func (r *Retirer) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, retireTimeout)
	defer cancel()
	for range retirePages {
		page, err := r.store.RetiringKeys(ctx, r.after, retirePage)
		if err != nil {
			return err
		}
		if err := r.retire(ctx, page); err != nil {
			return err
		}
		if len(page) < retirePage {
			r.after = Place{}
			return nil
		}
		last := page[len(page)-1]
		r.after = Place{Environment: last.Environment, ID: last.ID}
	}
	return nil
}

// retire revokes those of a page that are silent, those of each environment in one batch.
func (r *Retirer) retire(ctx context.Context, page []Retiring) error {
	silent := make(map[string][]Retiring)
	for _, key := range page {
		if key.Now.Sub(key.SilentSince) > key.After+r.lag {
			silent[key.Environment] = append(silent[key.Environment], key)
		}
	}
	var failed error
	for environment, keys := range silent {
		failed = errors.Join(failed, r.retireIn(ctx, environment, keys))
	}
	return failed
}

func (r *Retirer) retireIn(ctx context.Context, environment string, keys []Retiring) error {
	whole := make(map[time.Duration]bool)
	var ops []publish.Operation
	for _, key := range keys {
		known, asked := whole[key.After]
		if !asked {
			coverage, err := r.usage.Coverage(ctx, environment, key.Now.Add(-key.After-r.lag), key.Now)
			if err != nil {
				return err
			}
			known = coverage.GetComplete()
			whole[key.After] = known
		}
		if !known {
			r.hold(environment)
			continue
		}
		op, due, err := r.removal(ctx, key)
		if err != nil {
			return err
		}
		if due {
			ops = append(ops, op)
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return r.remove(ctx, environment, ops)
}

// hold tells, once, that keys aren't retired though they seem to be silent.
func (r *Retirer) hold(environment string) {
	if !r.held[environment] {
		r.held[environment] = true
		r.log.Warn("silent API keys aren't retired: not all that was used is known to be reported; see the coverage of the environment's usage", "environment", environment)
	}
}

// removal is the operation that revokes a key as it is: not when it was used, or may be silent for longer, by now.
func (r *Retirer) removal(ctx context.Context, key Retiring) (op publish.Operation, due bool, err error) {
	object, err := r.directory.Get(ctx, key.Environment, directory.APIKeys, key.ID)
	if problem.CodeOf(err) == problem.NotFound {
		return op, false, nil
	}
	if err != nil {
		return op, false, err
	}
	if m, ok := object.Message.(*adminv1.ApiKey); !ok || m.GetRetireAfterSilence().AsDuration() != key.After || m.GetLastUsedAt().AsTime().After(key.SilentSince) {
		return op, false, nil
	}
	return publish.Operation{Verb: publish.Delete, Collection: directory.APIKeys, Key: key.ID, IfMatch: object.ETag}, true, nil
}

func (r *Retirer) remove(ctx context.Context, environment string, ops []publish.Operation) error {
	_, err := r.publisher.Apply(ctx, publish.Batch{
		Environment: environment, Author: r.author, Message: "silent for longer than they may be", Operations: ops, Cause: publish.CauseSilent,
	})
	if code := problem.CodeOf(err); code == problem.NotFound || code == problem.PreconditionFailed || code == problem.Conflict {
		return nil // somebody else came first; what is left is found by the next look
	}
	if err != nil {
		return err
	}
	delete(r.held, environment)
	r.log.Info("retired silent API keys", "environment", environment, "keys", len(ops))
	return nil
}
