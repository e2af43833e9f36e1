package publish

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/identitykey"
	"github.com/sallyport/sallyport/proto/policy/kinds"
	"github.com/sallyport/sallyport/proto/problem"
)

// IdentityTx is what a rotation of identity keys needs of a transaction.
type IdentityTx interface {
	// LockIdentityKeys locks the environment's identity keys until the end and returns them, with the present epoch; false: it has none.
	LockIdentityKeys(ctx context.Context, environment string) (keys directory.Identity, epoch uint64, known bool, err error)
	// HasIdentityKeys tells, without a lock, whether the environment has identity keys.
	HasIdentityKeys(ctx context.Context, environment string) (bool, error)
	// WriteIdentityKeys writes down which identity keys there are. Their entry is written by WriteEntries.
	WriteIdentityKeys(ctx context.Context, environment string, keys directory.Identity) error
	// StaleIdentityKeys returns the environments whose newest key was made before a time or in an epoch that has ended, or that have one which is
	// needed no more.
	StaleIdentityKeys(ctx context.Context, madeBefore, now time.Time) ([]string, error)
}

// signsIdentities tells whether the batch writes a policy that signs.
func (w *writing) signsIdentities() bool {
	if w.candidate == nil {
		return false
	}
	for _, e := range w.candidate.Edits() {
		if e.After == nil {
			continue
		}
		policy, ok := e.After.Message.(*configv1.Policy)
		if !ok || policy.GetConfig() == nil {
			continue
		}
		if kind, config, err := kinds.Unpack(policy.GetConfig()); err == nil && kind.Signs(config) {
			return true
		}
	}
	return false
}

// firstIdentity returns the entry of the environment's first identity key, if the batch is the first to need one.
func (w *writing) firstIdentity(ctx context.Context) ([]directory.Entry, error) {
	if !w.signsIdentities() {
		return nil, nil
	}
	known, err := w.tx.HasIdentityKeys(ctx, w.batch.Environment)
	if err != nil || known {
		return nil, err
	}
	keys, err := directory.NextIdentity(w.sealer, w.batch.Environment, directory.Identity{}, w.environment.Configuration.Epoch, w.now, directory.Succession{})
	if err != nil {
		return nil, err
	}
	if !w.batch.DryRun {
		// As with ticket keys: who begins is behind the environment's lock.
		if err := w.tx.WriteIdentityKeys(ctx, w.batch.Environment, keys); err != nil {
			return nil, fmt.Errorf("write the identity keys: %w", err)
		}
	}
	return []directory.Entry{keys.Entry}, nil
}

// change is what becomes of an environment's identity keys behind their lock; the zero Identity: nothing.
type change func(now directory.Identity, epoch uint64) (directory.Identity, audit.Change, error)

// RotateIdentityKeys makes a new key that identity tokens are signed with. problem.NotFound: the environment has none, since no policy ever signed;
// problem.Conflict: too many are still needed.
func (p *Publisher) RotateIdentityKeys(ctx context.Context, environment string, how directory.Succession) (directory.Identity, error) {
	return p.changeIdentity(ctx, environment, operationIdentity, func(last directory.Identity, epoch uint64) (directory.Identity, audit.Change, error) {
		return p.nextIdentity(environment, last, epoch, how)
	})
}

// SettleIdentityKeys renews an environment's identity keys if they are of an epoch that has ended or the newest is older than life, and takes back those
// that are needed no more.
func (p *Publisher) SettleIdentityKeys(ctx context.Context, environment string, life time.Duration) error {
	_, err := p.changeIdentity(ctx, environment, operationIdentity, func(last directory.Identity, epoch uint64) (directory.Identity, audit.Change, error) {
		if last.Epoch != epoch || !p.now().Before(last.RotatedAt.Add(life)) {
			return p.nextIdentity(environment, last, epoch, directory.Succession{After: identitykey.Lead})
		}
		next, trimmed, err := directory.TrimIdentity(p.sealer, environment, last, p.now())
		if err != nil || trimmed == 0 {
			return directory.Identity{}, audit.Change{}, err
		}
		return next, audit.Change{Action: "retire", Collection: directory.IdentityKeys, ID: strconv.Itoa(trimmed)}, nil
	})
	var known *problem.Error
	if errors.As(err, &known) && known.Code == problem.NotFound {
		return nil // it has none
	}
	return err
}

// SettleAllIdentityKeys settles the identity keys of every environment.
func (p *Publisher) SettleAllIdentityKeys(ctx context.Context, life time.Duration) error {
	var stale []string
	err := p.store.Write(ctx, func(tx Tx) (err error) {
		stale, err = tx.StaleIdentityKeys(ctx, p.now().Add(-life), p.now())
		return err
	})
	if err != nil {
		return public(err)
	}
	var failed []error
	for _, environment := range stale {
		failed = append(failed, p.SettleIdentityKeys(ctx, environment, life))
	}
	return errors.Join(failed...)
}

func (p *Publisher) nextIdentity(environment string, last directory.Identity, epoch uint64, how directory.Succession) (directory.Identity, audit.Change, error) {
	next, err := directory.NextIdentity(p.sealer, environment, last, epoch, p.now().UTC().Truncate(time.Microsecond), how)
	action := "create"
	if how.Leaked {
		action = "replace-leaked"
	}
	return next, audit.Change{Action: action, Collection: directory.IdentityKeys, ID: strconv.FormatUint(uint64(next.Version), 10)}, err
}

// changeIdentity changes an environment's identity keys as is found right behind their lock.
func (p *Publisher) changeIdentity(ctx context.Context, environment, operation string, to change) (directory.Identity, error) {
	ctx, cancel := context.WithTimeout(recorded(ctx, environment, access.Actor{}, operation), writeTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		var made directory.Identity
		var step *directory.Step
		err := p.store.Write(ctx, func(tx Tx) (err error) {
			made, step, err = p.writeIdentity(ctx, tx, environment, to)
			return err
		})
		if errors.Is(err, ErrRetry) && attempt < maxAttempts {
			continue
		}
		if err != nil {
			return directory.Identity{}, public(err)
		}
		if step != nil {
			p.digests.Commit(*step)
			p.log.Info("identity keys have changed", "environment", environment, "version", made.Version, "sequence", step.Head.Sequence)
		}
		return made, nil
	}
}

func (p *Publisher) writeIdentity(ctx context.Context, tx Tx, environment string, to change) (directory.Identity, *directory.Step, error) {
	last, epoch, known, err := tx.LockIdentityKeys(ctx, environment)
	switch {
	case err != nil:
		return last, nil, fmt.Errorf("lock the identity keys: %w", err)
	case !known:
		return last, nil, problem.Errorf(problem.NotFound, "the environment %q has no identity keys: they begin with its first policy that signs identity tokens", environment)
	}
	next, changed, err := to(last, epoch)
	if err != nil || next.Version == 0 {
		return last, nil, err
	}
	if err := tx.WriteIdentityKeys(ctx, environment, next); err != nil {
		return last, nil, fmt.Errorf("write the identity keys: %w", err)
	}
	step, err := p.writeEntries(ctx, tx, environment, []directory.Entry{next.Entry})
	if err != nil {
		return last, nil, err
	}
	noteEntries(ctx, &step, changed)
	return next, &step, nil
}

// lostIdentity returns identity keys in the place of those that were sealed under a root key that is lost; false: there were none.
func (p *Publisher) lostIdentity(ctx context.Context, tx Tx, environment string) (directory.Entry, bool, error) {
	last, epoch, known, err := tx.LockIdentityKeys(ctx, environment)
	if err != nil || !known {
		return directory.Entry{}, false, err
	}
	last.Entry = directory.Tombstone(last.Entry.Key) // nobody can open it
	next, err := directory.NextIdentity(p.sealer, environment, last, epoch, p.now().UTC().Truncate(time.Microsecond), directory.Succession{})
	if err != nil {
		return directory.Entry{}, false, err
	}
	return next.Entry, true, tx.WriteIdentityKeys(ctx, environment, next)
}
