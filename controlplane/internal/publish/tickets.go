package publish

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/problem"
)

// TicketTx is what a rotation of ticket keys needs of a transaction.
type TicketTx interface {
	// LockTickets locks the environment's ticket keys until the end and returns them, with the present epoch; false: it has none.
	LockTickets(ctx context.Context, environment string) (keys directory.Tickets, epoch uint64, known bool, err error)
	// HasTickets tells, without a lock, whether the environment has ticket keys.
	HasTickets(ctx context.Context, environment string) (bool, error)
	// WriteTickets writes down which ticket keys there are. Their entry is written by WriteEntries.
	WriteTickets(ctx context.Context, environment string, keys directory.Tickets) error
	// StaleTickets returns the environments whose newest key was made before a time, or in an epoch that has ended.
	StaleTickets(ctx context.Context, madeBefore time.Time) ([]string, error)
}

// speaksTLS tells whether the batch writes a certificate.
func (w *writing) speaksTLS() bool {
	if w.candidate == nil {
		return false
	}
	for _, e := range w.candidate.Edits() {
		if e.After != nil && e.After.Collection == catalog.Certificates {
			return true
		}
	}
	return false
}

// firstEntries returns the entries about the environment itself that the batch is the first to need. What no object of the
// configuration asks for is in no directory: older nodes would refuse it, and with it every entry behind it.
func (w *writing) firstEntries(ctx context.Context) ([]directory.Entry, error) {
	var entries []directory.Entry
	for _, first := range []func(context.Context) ([]directory.Entry, error){w.missingFleet, w.firstTickets, w.firstIdentity} {
		found, err := first(ctx)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// firstTickets returns the entry of the environment's first ticket key, if the batch is the first to need one.
func (w *writing) firstTickets(ctx context.Context) ([]directory.Entry, error) {
	if !w.speaksTLS() {
		return nil, nil
	}
	known, err := w.tx.HasTickets(ctx, w.batch.Environment)
	if err != nil || known {
		return nil, err
	}
	keys, err := directory.NextTickets(w.sealer, w.batch.Environment, directory.Tickets{}, w.environment.Configuration.Epoch, w.now)
	if err != nil {
		return nil, err
	}
	if !w.batch.DryRun {
		// Nobody waits for this row while it isn't there: two who begin wait for each other at the environment's.
		if err := w.tx.WriteTickets(ctx, w.batch.Environment, keys); err != nil {
			return nil, fmt.Errorf("write the ticket keys: %w", err)
		}
	}
	return []directory.Entry{keys.Entry}, nil
}

// RotateTickets makes a new key that session tickets are sealed with. Those of the two keys before it are still taken;
// problem.NotFound: the environment has none, since no certificate was ever written.
func (p *Publisher) RotateTickets(ctx context.Context, environment string) (directory.Tickets, error) {
	return p.renewTickets(ctx, environment, func(directory.Tickets, uint64) bool { return true })
}

// SettleTickets renews an environment's ticket keys if they are of an epoch that has ended, or if the newest is older than life.
func (p *Publisher) SettleTickets(ctx context.Context, environment string, life time.Duration) error {
	_, err := p.renewTickets(ctx, environment, func(now directory.Tickets, epoch uint64) bool {
		return now.Epoch != epoch || !p.now().Before(now.RotatedAt.Add(life))
	})
	var known *problem.Error
	if errors.As(err, &known) && known.Code == problem.NotFound {
		return nil // it has none
	}
	return err
}

// SettleAllTickets settles the ticket keys of every environment.
func (p *Publisher) SettleAllTickets(ctx context.Context, life time.Duration) error {
	var stale []string
	err := p.store.Write(ctx, func(tx Tx) (err error) {
		stale, err = tx.StaleTickets(ctx, p.now().Add(-life))
		return err
	})
	if err != nil {
		return public(err)
	}
	var failed []error
	for _, environment := range stale {
		failed = append(failed, p.SettleTickets(ctx, environment, life))
	}
	return errors.Join(failed...)
}

// renewTickets makes a new key, if the caller finds, behind the lock, that there is to be one.
func (p *Publisher) renewTickets(ctx context.Context, environment string, due func(now directory.Tickets, epoch uint64) bool) (directory.Tickets, error) {
	ctx, cancel := context.WithTimeout(recorded(ctx, environment, access.Actor{}, operationTickets), writeTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		var made directory.Tickets
		var step *directory.Step
		err := p.store.Write(ctx, func(tx Tx) (err error) {
			made, step, err = p.rotateTickets(ctx, tx, environment, due)
			return err
		})
		if errors.Is(err, ErrRetry) && attempt < maxAttempts {
			continue
		}
		if err != nil {
			return directory.Tickets{}, public(err)
		}
		if step != nil {
			p.digests.Commit(*step)
			p.log.Info("a ticket key was made", "environment", environment, "version", made.Version, "sequence", step.Head.Sequence)
		}
		return made, nil
	}
}

func (p *Publisher) rotateTickets(
	ctx context.Context, tx Tx, environment string, due func(now directory.Tickets, epoch uint64) bool,
) (directory.Tickets, *directory.Step, error) {
	now, epoch, known, err := tx.LockTickets(ctx, environment)
	switch {
	case err != nil:
		return now, nil, fmt.Errorf("lock the ticket keys: %w", err)
	case !known:
		return now, nil, problem.Errorf(problem.NotFound, "the environment %q has no ticket keys: they begin with its first certificate", environment)
	case !due(now, epoch):
		return now, nil, nil
	}
	next, err := directory.NextTickets(p.sealer, environment, now, epoch, p.now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return now, nil, err
	}
	if err := tx.WriteTickets(ctx, environment, next); err != nil {
		return now, nil, fmt.Errorf("write the ticket keys: %w", err)
	}
	step, err := p.writeEntries(ctx, tx, environment, []directory.Entry{next.Entry})
	if err != nil {
		return now, nil, err
	}
	noteEntries(ctx, &step, audit.Change{Action: "create", Collection: directory.TicketKeys, ID: strconv.FormatUint(uint64(next.Version), 10)})
	return next, &step, nil
}

// lostTickets returns ticket keys in the place of those that were sealed under a root key that is lost; false: there were none.
func (p *Publisher) lostTickets(ctx context.Context, tx Tx, environment string) (directory.Entry, bool, error) {
	now, epoch, known, err := tx.LockTickets(ctx, environment)
	if err != nil || !known {
		return directory.Entry{}, false, err
	}
	now.Entry = directory.Tombstone(now.Entry.Key) // nobody can open it
	next, err := directory.NextTickets(p.sealer, environment, now, epoch, p.now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return directory.Entry{}, false, err
	}
	return next.Entry, true, tx.WriteTickets(ctx, environment, next)
}
