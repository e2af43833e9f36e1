package publish

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
)

// ForgetSealed takes out of an environment's directory what was sealed under a root key that is lost, and gives it a
// new pepper, new ticket keys and new identity keys. API keys and secrets stay by name: a key is good for being rotated only, and a secret has a value that
// nobody knows until it is given another.
func (p *Publisher) ForgetSealed(ctx context.Context, environment string) error {
	ctx, cancel := context.WithTimeout(recorded(audit.WithDraft(ctx, audit.NewDraft(audit.Origin{Actor: audit.Command, Operation: operationLoseRootKey})), environment, access.Actor{}, operationLoseRootKey), writeTimeout)
	defer cancel()
	var step directory.Step
	err := p.store.Write(ctx, func(tx Tx) (err error) {
		step, err = p.forgetSealed(ctx, tx, environment)
		return err
	})
	if err != nil {
		return public(err)
	}
	p.digests.Commit(step)
	return nil
}

func (p *Publisher) forgetSealed(ctx context.Context, tx Tx, environment string) (directory.Step, error) {
	peppers, err := tx.LockPeppers(ctx, environment)
	if err != nil || len(peppers) == 0 {
		return directory.Step{}, fmt.Errorf("lock the peppers of %s: %w", environment, err)
	}
	keys, secrets, err := tx.Sealed(ctx, environment)
	if err != nil {
		return directory.Step{}, fmt.Errorf("list what is sealed: %w", err)
	}
	newest := peppers[len(peppers)-1].Version
	added, err := directory.NewPepper(p.sealer, environment, newest+1, p.now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return directory.Step{}, err
	}
	entries := []directory.Entry{added.Entry}
	replaced := make(map[digest.Key]bool)
	for _, secret := range secrets {
		entry, err := directory.Secret(p.sealer, environment, secret, []byte(rand.Text()))
		if err != nil {
			return directory.Step{}, err
		}
		entries, replaced[entry.Key] = append(entries, entry), true
	}
	tickets, known, err := p.lostTickets(ctx, tx, environment)
	if err != nil {
		return directory.Step{}, err
	}
	if known {
		entries, replaced[tickets.Key] = append(entries, tickets), true
	}
	identity, known, err := p.lostIdentity(ctx, tx, environment)
	if err != nil {
		return directory.Step{}, err
	}
	if known {
		entries, replaced[identity.Key] = append(entries, identity), true
	}
	for _, key := range keys {
		if !replaced[key] {
			entries = append(entries, directory.Tombstone(key))
		}
	}
	var removed []uint32
	unused, _ := split(peppers)
	for _, pepper := range unused {
		removed = append(removed, pepper.Version)
	}
	if err := tx.WritePeppers(ctx, environment, newest, added, removed); err != nil {
		return directory.Step{}, fmt.Errorf("write the peppers: %w", err)
	}
	step, err := p.writeEntries(ctx, tx, environment, entries)
	noteEntries(ctx, &step, pepperChange("lose", newest))
	return step, err
}
