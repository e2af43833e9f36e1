package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/jwk"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// KeySetTx is what a change of issuers' keys needs of a transaction. Rows of key sets are locked behind the directory's, in the order of
// issuers, and before its counter.
type KeySetTx interface {
	// LockKeySets locks the key sets of issuers, of deleted ones too, and returns those that there are.
	LockKeySets(ctx context.Context, environment string, issuers []string) (map[string]directory.KeySet, error)
	// LockLeasedKeySet is LockKeySets for who asked an issuer under a lease; false: the lease is lost.
	LockLeasedKeySet(ctx context.Context, environment, issuer, lease string) (directory.KeySet, bool, error)
	// PlanKeySet writes what a change of an issuer makes of its key set, and of how it is asked. Leases that are out end.
	PlanKeySet(ctx context.Context, environment string, set directory.KeySet, plan KeyPlan) error
	// ReportKeySet writes what came of asking, and gives the lease back.
	ReportKeySet(ctx context.Context, environment string, set directory.KeySet, report KeyReport) error
	// KeepKeySet writes a key set, and nothing of how it is asked for.
	KeepKeySet(ctx context.Context, environment string, set directory.KeySet) error
}

// KeyPlan is how an issuer is asked from now on.
type KeyPlan struct {
	Fetches bool // the control plane asks, at once the first time
	Moved   bool // elsewhere than before
	Deleted bool
}

// KeyReport is what came of asking an issuer for its keys.
type KeyReport struct {
	Environment, Issuer, Name string
	Lease                     string
	Believed                  bool // Keys are those that it has; else nothing is known of them
	Keys                      []jwk.Key
	Unusable                  []directory.UnusableKey
	Fetched                   bool // it answered with a key set
	Empty                     bool // which has no key, and isn't believed yet
	Failures                  int
	Error                     string
	Next                      time.Duration // until it is asked again
}

// ErrSuperseded says that the issuer changed while it was asked, or that it took longer than anybody waits.
var ErrSuperseded = errors.New("the issuer was changed meanwhile, or is being asked by somebody else")

// ReportKeys keeps what came of asking an issuer, and makes the directory say so where its keys changed.
func (p *Publisher) ReportKeys(ctx context.Context, report KeyReport) ([]directory.KeyChange, error) {
	return p.changeKeys(ctx, report.Environment, operationReportKeys, report.Name, func(ctx context.Context, tx Tx) (*keyStep, error) {
		before, leased, err := tx.LockLeasedKeySet(ctx, report.Environment, report.Issuer, report.Lease)
		switch {
		case err != nil:
			return nil, fmt.Errorf("lock the key set: %w", err)
		case !leased:
			return nil, ErrSuperseded
		}
		step := &keyStep{before: before, after: before}
		if report.Believed {
			step.after, step.changes = before.Shown(report.Keys, p.keyTime())
		}
		if report.Fetched {
			step.after.Unusable = report.Unusable
		}
		return step, tx.ReportKeySet(ctx, report.Environment, step.after, report)
	})
}

// RetireKeys takes keys, by thumbprint, for good no more because somebody who must know says so: a node that kept what the database lost.
// An issuer that isn't there has none. It returns how many were news.
func (p *Publisher) RetireKeys(ctx context.Context, environment, issuer string, thumbprints []string) (int, error) {
	changes, err := p.changeKeys(ctx, environment, operationRecall, "", func(ctx context.Context, tx Tx) (*keyStep, error) {
		before, err := tx.LockKeySets(ctx, environment, []string{issuer})
		if err != nil {
			return nil, fmt.Errorf("lock the key set: %w", err)
		}
		set, known := before[issuer]
		if !known {
			return nil, nil
		}
		step := &keyStep{before: set}
		step.after, step.changes = step.before.Retire(thumbprints, p.keyTime())
		step.after.Deleted = step.before.Deleted
		return step, tx.KeepKeySet(ctx, environment, step.after)
	})
	return len(changes), err
}

// TrustInlineKeys makes all keys good that the configuration of an issuer gives, those too that a rollback left dead.
func (p *Publisher) TrustInlineKeys(ctx context.Context, environment, issuer string) ([]directory.KeyChange, error) {
	return p.changeKeys(ctx, environment, operationTrustKeys, "", func(ctx context.Context, tx Tx) (*keyStep, error) {
		locked, err := tx.LockEnvironment(ctx, environment)
		if err != nil {
			return nil, err
		}
		head, err := p.catalog.Locked(ctx, tx, environment, locked.Configuration)
		if err != nil {
			return nil, err
		}
		object, ok := head.Object(catalog.Issuers, issuer)
		if !ok {
			return nil, problem.Errorf(problem.NotFound, "there is no issuer %q in this environment", issuer)
		}
		keys, err := inlineKeys(object)
		if err != nil {
			return nil, err
		}
		before, err := tx.LockKeySets(ctx, environment, []string{issuer})
		if err != nil {
			return nil, fmt.Errorf("lock the key set: %w", err)
		}
		step := &keyStep{before: before[issuer]}
		step.before.Issuer = issuer
		step.after, step.changes = step.before.Shown(keys, p.keyTime())
		return step, tx.KeepKeySet(ctx, environment, step.after)
	})
}

// keyStep is one key set's change.
type keyStep struct {
	before, after directory.KeySet
	changes       []directory.KeyChange
}

func (p *Publisher) keyTime() time.Time { return p.now().UTC().Truncate(time.Millisecond) }

// changeKeys changes one issuer's keys until no other writer comes between, and tells the record what changed.
func (p *Publisher) changeKeys(
	ctx context.Context, environment, operation, name string, change func(context.Context, Tx) (*keyStep, error),
) ([]directory.KeyChange, error) {
	ctx, cancel := context.WithTimeout(recorded(ctx, environment, access.Actor{}, operation), writeTimeout)
	defer cancel()
	noted := audit.DraftOf(ctx).Changes()
	for attempt := 1; ; attempt++ {
		var done *keyStep
		var step *directory.Step
		err := p.store.Write(ctx, func(tx Tx) (err error) {
			if done, err = change(ctx, tx); err != nil || done == nil {
				return err
			}
			step, err = p.sendKeys(ctx, tx, environment, done.after)
			if err == nil && step != nil {
				d := audit.DraftOf(ctx)
				d.Replace(append(slices.Clone(noted), keyChanges(done.after.Issuer, name, done.changes)...))
				d.Made(0, step.Head.Sequence)
			}
			return err
		})
		switch {
		case errors.Is(err, ErrRetry) && attempt < maxAttempts:
			continue
		case errors.Is(err, ErrSuperseded):
			return nil, err
		case err != nil:
			return nil, public(err)
		case done == nil:
			return nil, nil
		}
		if step != nil {
			p.digests.Commit(*step)
		}
		return done.changes, nil
	}
}

// sendKeys writes a key set's entry, if it isn't there as it is.
func (p *Publisher) sendKeys(ctx context.Context, tx Tx, environment string, set directory.KeySet) (*directory.Step, error) {
	if set.Deleted {
		return nil, nil
	}
	entry, changed, err := keySetEntry(ctx, tx, environment, set)
	if err != nil || !changed {
		return nil, err
	}
	step, err := p.writeEntries(ctx, tx, environment, []directory.Entry{entry})
	return &step, err
}

// keySetEntry returns a key set's entry; false: the directory has it as it is, or it says nothing and was never there.
func keySetEntry(ctx context.Context, tx Tx, environment string, set directory.KeySet) (directory.Entry, bool, error) {
	entry, err := set.Entry()
	if err != nil {
		return entry, false, err
	}
	now, known, err := tx.Entry(ctx, environment, entry.Key)
	if err != nil {
		return entry, false, err
	}
	return entry, known && now.Hash != entry.Hash || !known && !set.Silent(), nil
}

// keyChanges are changes of keys as the record tells them.
func keyChanges(issuer, name string, changes []directory.KeyChange) []audit.Change {
	all := make([]audit.Change, 0, len(changes))
	for _, c := range changes {
		shown := ShownKey(c.Key)
		change := audit.Change{Action: c.Action, Collection: "issuer-keys", ID: issuer + "/" + c.Key.Thumbprint, Name: name}
		if c.Action == directory.KeyRetired {
			change.Before = shown
		} else {
			change.After = shown
		}
		all = append(all, change)
	}
	return all
}

// ShownKey is a key as people see it.
func ShownKey(k directory.IssuerKey) *adminv1.IssuerKey {
	return &adminv1.IssuerKey{Kid: k.KeyID, Algorithm: k.Algorithm, Thumbprint: k.Thumbprint, Jwk: k.JWK, Since: timestamppb.New(k.Since)}
}

// issuerEdits are the batch's changes of issuers, in the order in which their key sets are locked.
func (w *writing) issuerEdits() []catalog.Edit {
	if w.candidate == nil {
		return nil
	}
	var edits []catalog.Edit
	for _, e := range w.candidate.Edits() {
		if e.Object().Collection == catalog.Issuers {
			edits = append(edits, e)
		}
	}
	slices.SortFunc(edits, func(a, b catalog.Edit) int { return strings.Compare(a.Object().ID, b.Object().ID) })
	return edits
}

// keySets makes what the batch's changes of issuers make of their key sets, and returns their entries. The revision waits for these.
func (w *writing) keySets(ctx context.Context) ([]directory.Entry, error) {
	edits := w.issuerEdits()
	if len(edits) == 0 {
		return nil, nil
	}
	issuers := make([]string, len(edits))
	for i, e := range edits {
		issuers[i] = e.Object().ID
	}
	known, err := w.tx.LockKeySets(ctx, w.batch.Environment, issuers)
	if err != nil {
		return nil, fmt.Errorf("lock key sets: %w", err)
	}
	var entries []directory.Entry
	for _, e := range edits {
		before := known[e.Object().ID]
		before.Issuer = e.Object().ID
		after, plan, err := w.planKeys(e, before)
		if err != nil {
			return nil, err
		}
		if !w.batch.DryRun {
			if err := w.tx.PlanKeySet(ctx, w.batch.Environment, after, plan); err != nil {
				return nil, fmt.Errorf("write the key set of %s: %w", after.Issuer, err)
			}
		}
		entry, changed, err := keySetEntry(ctx, w.tx, w.batch.Environment, after)
		if err != nil {
			return nil, err
		}
		if plan.Deleted {
			_, changed, err = w.tx.Entry(ctx, w.batch.Environment, entry.Key)
			entry = directory.Tombstone(entry.Key)
		}
		if err != nil {
			return nil, err
		}
		if changed {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// planKeys says what a change of an issuer makes of its keys.
func (w *writing) planKeys(e catalog.Edit, before directory.KeySet) (directory.KeySet, KeyPlan, error) {
	if e.After == nil {
		return before.Forgotten(), KeyPlan{Deleted: true}, nil
	}
	m := e.After.Message.(*configv1.Issuer)
	fetches := Fetches(m)
	switch {
	case m.GetJwks() != "":
		after, err := w.planInline(e, before)
		return after, KeyPlan{}, err
	case !fetches:
		return before.Forgotten(), KeyPlan{}, nil
	}
	return before, KeyPlan{Fetches: true, Moved: moved(e)}, nil
}

// planInline says which of the keys that the configuration gives are good: those that are already and, unless the batch is a rollback, those
// that it adds. So no rollback makes one good again that was taken away since.
func (w *writing) planInline(e catalog.Edit, before directory.KeySet) (directory.KeySet, error) {
	given, err := inlineKeys(e.After)
	if err != nil {
		return before, err
	}
	was, err := inlineKeys(e.Before)
	if err != nil {
		return before, err
	}
	var good []jwk.Key
	var dead []string
	for _, k := range given {
		added := !slices.ContainsFunc(was, func(o jwk.Key) bool { return o.Thumbprint == k.Thumbprint })
		thumbprint := directory.Thumbprint(k.Thumbprint[:])
		if before.Good(thumbprint) || added && !w.rollback {
			good = append(good, k)
			continue
		}
		dead = append(dead, fmt.Sprintf("%s (kid %q)", thumbprint, k.ID))
	}
	if len(dead) > 0 {
		w.notes = append(w.notes, fmt.Sprintf("Keys of the issuer %q stay dead, since a rollback brings none back: %s. To trust them again, refresh the issuer's keys.",
			e.After.Name, strings.Join(dead, ", ")))
	}
	after, changes := before.Shown(good, w.now.Truncate(time.Millisecond))
	w.keys = append(w.keys, keyChanges(after.Issuer, e.After.Name, changes)...)
	return after, nil
}

// inlineKeys returns the keys that an issuer's configuration gives; nil: it gives none, or there is no issuer.
func inlineKeys(o *catalog.Object) ([]jwk.Key, error) {
	if o == nil {
		return nil, nil
	}
	text := o.Message.(*configv1.Issuer).GetJwks()
	if text == "" {
		return nil, nil
	}
	keys, _, err := jwk.ParseSet([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("keys of the issuer %s: %w", o.ID, err)
	}
	return keys, nil
}

// Fetches tells whether the control plane asks an issuer for its keys.
func Fetches(m *configv1.Issuer) bool {
	return m.GetJwks() == "" && resource.Defaulted(m).GetFetchFrom() != configv1.FetchFrom_FETCH_FROM_EDGE
}

// moved tells whether an issuer's keys are elsewhere than they were.
func moved(e catalog.Edit) bool {
	if e.Before == nil {
		return true
	}
	source := func(o *catalog.Object) *configv1.Issuer {
		m := o.Message.(*configv1.Issuer)
		return &configv1.Issuer{Issuer: m.GetIssuer(), Keys: m.GetKeys()}
	}
	return !proto.Equal(source(e.Before), source(e.After))
}
