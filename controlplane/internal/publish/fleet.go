package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/policy/kinds"
)

// sharesAmongFleet tells whether the batch changes a policy that shares something among the nodes of the fleet.
func (w *writing) sharesAmongFleet() bool {
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
		if kind, config, err := kinds.Unpack(policy.GetConfig()); err == nil && kind.Fleet(config) {
			return true
		}
	}
	return false
}

// missingFleet returns the entry that says who is in the fleet, if the batch is the first to need it. An environment that
// shares nothing among its nodes has none: older nodes would refuse it, and with it every entry behind it.
func (w *writing) missingFleet(ctx context.Context) ([]directory.Entry, error) {
	if !w.sharesAmongFleet() {
		return nil, nil
	}
	if _, known, err := w.tx.FleetEntry(ctx, w.batch.Environment); err != nil || known {
		return nil, err
	}
	entry, err := fleetEntry(ctx, w.tx, w.batch.Environment)
	return []directory.Entry{entry}, err
}

func fleetEntry(ctx context.Context, tx NodesTx, environment string) (directory.Entry, error) {
	nodes, err := tx.Fleet(ctx, environment)
	if err != nil {
		return directory.Entry{}, fmt.Errorf("list the fleet: %w", err)
	}
	return directory.Fleet(nodes)
}

// SettleFleet makes the directory say who is in the environment's fleet, if it says anything about it. Who is, is read behind
// the lock of the directory's counter: of several that settle at once the last one sees all of what they settle.
func (p *Publisher) SettleFleet(ctx context.Context, environment string) error {
	ctx, cancel := context.WithTimeout(recorded(audit.BySystem(ctx, operationSettle), environment, access.Actor{}, operationSettle), writeTimeout)
	defer cancel()
	leave, err := p.enter(ctx, environment, false)
	if err != nil {
		return public(err)
	}
	defer leave()
	for attempt := 1; ; attempt++ {
		var step *directory.Step
		err := p.store.Write(ctx, func(tx Tx) (err error) {
			step, err = p.settleFleet(ctx, tx, environment)
			return err
		})
		switch {
		case err == nil && step != nil:
			p.digests.Commit(*step)
			return nil
		case err == nil:
			return nil
		case errors.Is(err, ErrRetry) && attempt < maxAttempts:
		default:
			return public(err)
		}
	}
}

func (p *Publisher) settleFleet(ctx context.Context, tx Tx, environment string) (*directory.Step, error) {
	if _, known, err := tx.FleetEntry(ctx, environment); err != nil || !known {
		return nil, err // nothing to settle, and nobody to wait for
	}
	head, err := tx.LockDirectory(ctx, environment)
	if err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	now, _, err := tx.FleetEntry(ctx, environment)
	if err != nil {
		return nil, err
	}
	entry, err := fleetEntry(ctx, tx, environment)
	if err != nil || entry.Hash == now {
		return nil, err
	}
	entries := []directory.Entry{entry}
	step, err := p.digests.Prepare(ctx, tx, environment, head, entries)
	if err != nil {
		return nil, err
	}
	if err := tx.WriteEntries(ctx, environment, entries, step.Head); err != nil {
		return nil, fmt.Errorf("write entries: %w", err)
	}
	noteEntries(ctx, &step, audit.Change{Action: "update", Collection: "fleet", ID: environment})
	return &step, nil
}

// SettleFleets settles every environment's fleet.
func (p *Publisher) SettleFleets(ctx context.Context) error {
	var environments []string
	err := p.store.Write(ctx, func(tx Tx) (err error) {
		environments, err = tx.FleetEnvironments(ctx)
		return err
	})
	if err != nil {
		return public(err)
	}
	var failed []error
	for _, environment := range environments {
		failed = append(failed, p.SettleFleet(ctx, environment))
	}
	return errors.Join(failed...)
}
