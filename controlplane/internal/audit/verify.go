package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// BrokenError is the first thing that doesn't hold.
type BrokenError struct {
	Chain  string
	Number uint64 // of the event
	Why    string
}

func (b *BrokenError) Error() string {
	return fmt.Sprintf("event %d of %s: %s", b.Number, chainName(b.Chain), b.Why)
}

// Verification says what to verify.
type Verification struct {
	Environment string // its chain alone; "": all chains
	From        uint64 // the number to begin with, whatever is before; 0: the first
	// Heads are signed heads that were kept outside.
	Heads []*edgev1.SignedAuditHead
}

// Verified is what was found to hold.
type Verified struct {
	Chains, Events, Heads uint64
	Notes                 []string // what speaks neither for nor against
}

// Verify goes through the whole record: each event's hash, that it stands behind the one before, that no number is left out, that its
// columns are its record's, that the chain ends where its head is, and that it leads through each signed head that is kept. Its
// error is a *BrokenError where the record doesn't hold.
func Verify(ctx context.Context, store Store, signer Signer, what Verification) (Verified, error) {
	v := &verifier{store: store, signer: signer, what: what, hashes: make(map[string]map[uint64][]byte)}
	if err := v.collect(ctx); err != nil {
		return v.done, err
	}
	for _, chain := range v.chains {
		if err := v.walk(ctx, chain); err != nil {
			return v.done, err
		}
	}
	return v.done, v.compare(ctx)
}

// witnessed is a claim and who made it.
type witnessed struct {
	claim
	by string
}

// opening is that an event opened an epoch.
type opening struct {
	chain, environment string
	epoch, number      uint64
}

type verifier struct {
	store  Store
	signer Signer
	what   Verification
	done   Verified

	chains   []string
	epochs   map[string]uint64 // by environment
	claims   []witnessed
	hashes   map[string]map[uint64][]byte // by chain and number: those that claims are about; nil until it was met
	openings []opening
}

// collect reads which chains there are and what is claimed of them.
func (v *verifier) collect(ctx context.Context) (err error) {
	if v.chains, err = v.store.Chains(ctx); err != nil {
		return err
	}
	heads, err := v.store.Heads(ctx)
	if err != nil {
		return err
	}
	v.epochs = make(map[string]uint64)
	for _, h := range heads {
		v.epochs[h.Chain] = h.Epoch
		// Whatever is written meanwhile lies behind the head as it is now.
		v.claim(witnessed{claim{h.Chain, h.Chain, h.Epoch, h.Number, h.Hash}, "the head of the chain"})
		if h.Epoch > 0 {
			if err := v.witnesses(ctx, h.Chain); err != nil {
				return err
			}
		}
	}
	for _, signed := range v.what.Heads {
		head, err := v.signer.VerifyAudit(signed)
		if errors.Is(err, ErrUnknownKey) {
			v.note("the head that was given is signed with key %q, which is retired: it is taken for what it says", signed.GetKeyId())
			head, err = unverified(signed)
		}
		if err != nil {
			return fmt.Errorf("the head that was given: %w", err)
		}
		v.claimHead(head, "the head that was given")
	}
	if v.what.Environment != "" {
		v.chains = []string{v.what.Environment}
	}
	return nil
}

func (v *verifier) witnesses(ctx context.Context, environment string) error {
	kept, err := v.store.Witnesses(ctx, environment)
	if err != nil {
		return err
	}
	for _, w := range kept {
		by := "the head that the control plane signed last"
		if w.Node != "" {
			by = "the head that node " + w.Node + " has kept"
		}
		signed, err := signedHead(w.Signed)
		if err != nil {
			return &BrokenError{Chain: environment, Why: by + " was changed: " + err.Error()}
		}
		head, err := v.signer.VerifyAudit(signed)
		if errors.Is(err, ErrUnknownKey) {
			v.note("%s is signed with key %q, which is retired: it is taken for what it says", by, signed.GetKeyId())
			head, err = unverified(signed)
		}
		if err != nil || head.GetEnvironment() != environment {
			return &BrokenError{Chain: environment, Why: by + " was changed: its signature doesn't verify"}
		}
		v.claimHead(head, by)
	}
	return nil
}

func (v *verifier) claimHead(head *edgev1.AuditHead, by string) {
	v.done.Heads++
	for _, c := range claimsOf(head) {
		v.claim(witnessed{c, by})
	}
}

func (v *verifier) claim(w witnessed) {
	if v.what.Environment != "" && w.chain != v.what.Environment {
		return
	}
	v.claims = append(v.claims, w)
	if v.hashes[w.chain] == nil {
		v.hashes[w.chain] = make(map[uint64][]byte)
	}
	v.hashes[w.chain][w.number] = nil
}

func (v *verifier) note(format string, args ...any) {
	v.done.Notes = append(v.done.Notes, fmt.Sprintf(format, args...))
}

// walk goes through one chain as it lies in the table.
func (v *verifier) walk(ctx context.Context, chain string) error {
	v.done.Chains++
	number, previous := uint64(0), make([]byte, len(Hash{}))
	if v.what.From > 1 {
		before, ok, err := v.store.HashAt(ctx, chain, v.what.From-1)
		if err != nil {
			return err
		}
		if !ok {
			return &BrokenError{chain, v.what.From - 1, "it isn't there, and the next is to stand behind it"}
		}
		number, previous = v.what.From-1, before
	}
	err := v.store.Walk(ctx, chain, number, time.Time{}, time.Time{}, func(s Stored) error {
		switch err := s.check(); {
		case s.Number != number+1:
			return &BrokenError{chain, number + 1, fmt.Sprintf("it is missing: the next one is %d", s.Number)}
		case err != nil:
			return &BrokenError{chain, s.Number, err.Error()}
		case !bytes.Equal(s.Previous, previous):
			return &BrokenError{chain, s.Number, "it doesn't stand behind the event before: that one, or its place, was changed"}
		}
		number, previous = s.Number, s.Hash
		v.done.Events++
		if s.Columns.OpenedEpoch > 0 {
			v.openings = append(v.openings, opening{chain, s.Columns.Environment, s.Columns.OpenedEpoch, s.Number})
		}
		if _, wanted := v.hashes[chain][s.Number]; wanted {
			v.hashes[chain][s.Number] = s.Hash
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.end(ctx, chain, number)
}

// end finds events behind a chain's head: the head is behind none.
func (v *verifier) end(ctx context.Context, chain string, last uint64) error {
	heads, err := v.store.Heads(ctx)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if h.Chain == chain && h.Number >= last {
			return nil
		}
	}
	if last == 0 {
		return nil
	}
	return &BrokenError{chain, last, "the head of the chain says that it ends before"}
}

// compare holds what is claimed against what was met.
func (v *verifier) compare(ctx context.Context) error {
	for _, w := range v.claims {
		if w.number < v.what.From {
			continue
		}
		epoch := v.epochs[w.environment]
		against, err := w.against(ctx, v, epoch)
		if err != nil {
			return err
		}
		if against != "" {
			return &BrokenError{w.chain, w.number, against + ", says " + w.by}
		}
		if w.epoch < epoch {
			v.note("%s is of epoch %d, which ended: what %s had behind the opening of the next went with the database's past", w.by, w.epoch, chainName(w.chain))
		}
	}
	return nil
}

// HashAt implements known, by what was met.
func (v *verifier) HashAt(_ context.Context, chain string, number uint64) ([]byte, bool, error) {
	hash := v.hashes[chain][number]
	return hash, hash != nil, nil
}

// Opened implements known, by what was met; of what lies before the beginning, by what the table says.
func (v *verifier) Opened(ctx context.Context, chain, environment string, epoch uint64) (uint64, bool, error) {
	for _, o := range v.openings {
		if o.chain == chain && o.environment == environment && o.epoch > epoch {
			return o.number, true, nil
		}
	}
	if v.what.From > 1 {
		return v.store.Opened(ctx, chain, environment, epoch)
	}
	return 0, false, nil
}
