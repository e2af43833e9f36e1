package publish

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxPeppers is how many peppers nodes try a key with. One more would make the keys of the oldest strangers.
const maxPeppers = 3

// namedKeys is how many keys a refusal names.
const namedKeys = 10

// PepperUse is one pepper of an environment, and how many API keys were made with it.
type PepperUse struct {
	Version  uint32
	EntryKey digest.Key
	Keys     int
	Expired  int // of these
}

// PepperTx is what a rotation of a pepper needs of a transaction.
type PepperTx interface {
	// LockPeppers returns the environment's peppers, oldest first. Until the end no key is made with any of them.
	LockPeppers(ctx context.Context, environment string) ([]PepperUse, error)
	// KeysOfPepper returns names of keys that were made with a pepper.
	KeysOfPepper(ctx context.Context, environment string, version uint32, limit int) ([]string, error)
	// Sealed returns the keys of the entries that lie sealed, and the ids of the secrets among them.
	Sealed(ctx context.Context, environment string) (keys []digest.Key, secrets []string, err error)
	// WritePeppers adds a pepper and removes others, and writes down that it took the newest one's place.
	WritePeppers(ctx context.Context, environment string, before uint32, added directory.Pepper, removed []uint32) error
}

// PepperRotation is what a rotation came to.
type PepperRotation struct {
	Version  uint32   // of the pepper that new keys are made with
	Retired  []uint32 // peppers that no key was left of
	Sequence uint64
}

// RotatePepper makes a new pepper, which new API keys of the environment are made with. Those that there are work on
// under theirs; peppers that no key is left of are retired. problem.Conflict: more peppers have keys than nodes try.
func (p *Publisher) RotatePepper(ctx context.Context, environment string) (PepperRotation, error) {
	ctx, cancel := context.WithTimeout(recorded(ctx, environment, access.Actor{}, operationPepper), writeTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		var made PepperRotation
		var step directory.Step
		err := p.store.Write(ctx, func(tx Tx) (err error) {
			made, step, err = p.rotatePepper(ctx, tx, environment)
			return err
		})
		if errors.Is(err, ErrRetry) && attempt < maxAttempts {
			continue
		}
		if err != nil {
			return PepperRotation{}, public(err)
		}
		p.digests.Commit(step)
		p.log.Info("a pepper was rotated", "environment", environment, "version", made.Version, "retired", made.Retired, "sequence", made.Sequence)
		return made, nil
	}
}

func (p *Publisher) rotatePepper(ctx context.Context, tx Tx, environment string) (PepperRotation, directory.Step, error) {
	var none PepperRotation
	peppers, err := tx.LockPeppers(ctx, environment)
	if err != nil {
		return none, directory.Step{}, fmt.Errorf("lock the peppers: %w", err)
	}
	if len(peppers) == 0 {
		return none, directory.Step{}, problem.Errorf(problem.NotFound, "there is no environment %q", environment)
	}
	unused, used := split(peppers)
	if len(used) >= maxPeppers {
		return none, directory.Step{}, p.refusePepper(ctx, tx, environment, used[0])
	}
	newest := peppers[len(peppers)-1]
	now := p.now().UTC().Truncate(time.Microsecond)
	added, err := directory.NewPepper(p.sealer, environment, newest.Version+1, now)
	if err != nil {
		return none, directory.Step{}, err
	}
	made := PepperRotation{Version: added.Version}
	entries := []directory.Entry{added.Entry}
	for _, pepper := range unused {
		made.Retired = append(made.Retired, pepper.Version)
		entries = append(entries, directory.Tombstone(pepper.EntryKey))
	}
	if err := tx.WritePeppers(ctx, environment, newest.Version, added, made.Retired); err != nil {
		return none, directory.Step{}, fmt.Errorf("write the peppers: %w", err)
	}
	step, err := p.writeEntries(ctx, tx, environment, entries)
	made.Sequence = step.Head.Sequence
	noteEntries(ctx, &step, pepperChange("create", added.Version))
	return made, step, err
}

// split tells the peppers that no key was made with from those that one was. The newest may be among the unused.
func split(peppers []PepperUse) (unused, used []PepperUse) {
	for _, pepper := range peppers {
		if pepper.Keys == 0 {
			unused = append(unused, pepper)
		} else {
			used = append(used, pepper)
		}
	}
	return unused, used
}

// refusePepper says how many keys keep the oldest pepper, and how to find them.
func (p *Publisher) refusePepper(ctx context.Context, tx Tx, environment string, oldest PepperUse) error {
	names, err := tx.KeysOfPepper(ctx, environment, oldest.Version, namedKeys)
	if err != nil {
		return fmt.Errorf("list the keys of a pepper: %w", err)
	}
	for i := range names {
		names[i] = strconv.Quote(names[i])
	}
	more := ""
	if oldest.Keys > len(names) {
		more = fmt.Sprintf(" and %d more", oldest.Keys-len(names))
	}
	return problem.Errorf(problem.Conflict,
		"nodes try a key with %d peppers, and keys of %d are there: rotate or delete the %d keys (%d of them expired) of the oldest one, version %d, first: %s%s",
		maxPeppers, maxPeppers, oldest.Keys, oldest.Expired, oldest.Version, strings.Join(names, ", "), more)
}

// writeEntries writes entries behind the directory's counter, which is locked last.
func (p *Publisher) writeEntries(ctx context.Context, tx Tx, environment string, entries []directory.Entry) (directory.Step, error) {
	head, err := tx.LockDirectory(ctx, environment)
	if err != nil {
		return directory.Step{}, fmt.Errorf("lock directory: %w", err)
	}
	return p.appendEntries(ctx, tx, environment, head, entries)
}

// appendEntries writes entries behind a head, of which the caller holds the counter's lock.
func (p *Publisher) appendEntries(ctx context.Context, tx Tx, environment string, head directory.Head, entries []directory.Entry) (directory.Step, error) {
	step, err := p.digests.Prepare(ctx, tx, environment, head, entries)
	if err != nil {
		return directory.Step{}, err
	}
	if err := tx.WriteEntries(ctx, environment, entries, step.Head); err != nil {
		return directory.Step{}, fmt.Errorf("write entries: %w", err)
	}
	return step, nil
}
