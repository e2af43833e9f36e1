package issuers

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// demand is how often an issuer is asked on demand: tokens of strangers with made-up key ids make the gateway nobody's hammer. However many
// come within a minute, it is asked five times at most; each time puts its next turn off.
var demand = Demand{Every: 30 * time.Second, Burst: 3}

// poll is how often is looked whether another replica, that asks an issuer now, has an answer.
const poll = 100 * time.Millisecond

// flight is an issuer's being asked on demand: whoever wants to know meanwhile waits for it too.
type flight struct {
	done    chan struct{}
	fetched bool
	err     error
}

// Refresh asks an issuer, by id, for its keys now, unless that was done just before, or a key of the name is known already, and returns once
// it is known what came of it. fetched tells whether it was asked for this call; sequence is that of the directory which holds what is known.
// What an issuer itself does wrong is no error: it is part of what is known. problem.NotFound: there is no such issuer.
func (k *Keeper) Refresh(ctx context.Context, environment, issuer, keyID string) (sequence uint64, fetched bool, err error) {
	at := place{environment, issuer}
	if keyID != "" {
		// After a rotation each node of a fleet asks for the same key: the first one's question is all of theirs.
		state, err := k.store.State(ctx, environment, issuer, demand)
		if err != nil || state.Set.Has(keyID) {
			return state.Sequence, false, err
		}
	}
	if !k.isQuiet(at) {
		if fetched, err = k.fly(ctx, at); err != nil {
			return 0, false, err
		}
	} else {
		k.stats.Bounded.Add(1)
	}
	state, err := k.store.State(ctx, environment, issuer, demand)
	return state.Sequence, fetched, err
}

// fly joins the flight of an issuer, or begins one.
func (k *Keeper) fly(ctx context.Context, at place) (fetched bool, err error) {
	k.lock.Lock()
	f, under := k.flights[at]
	if !under {
		f = &flight{done: make(chan struct{})}
		k.flights[at] = f
	}
	k.lock.Unlock()
	if under {
		select {
		case <-f.done:
			return false, f.err
		case <-ctx.Done():
			return false, problem.Wrap(ctx.Err(), problem.Unavailable, "the issuer is being asked and hasn't answered yet")
		}
	}
	defer func() {
		k.lock.Lock()
		delete(k.flights, at)
		k.lock.Unlock()
		f.fetched, f.err = fetched, err
		close(f.done)
	}()
	// Others may wait for it: that who began it goes doesn't end it.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout+lookTimeout)
	defer cancel()
	return k.askNow(asking, at)
}

// askNow asks an issuer under a lease, or waits for who has it.
func (k *Keeper) askNow(ctx context.Context, at place) (fetched bool, err error) {
	claim, claimed, err := k.store.ClaimIssuer(ctx, at.environment, at.issuer, rand.Text(), lease, demand)
	switch {
	case err != nil:
		return false, err
	case claimed:
		k.look(ctx, claim)
		return true, nil
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		state, err := k.store.State(ctx, at.environment, at.issuer, demand)
		switch {
		case ctx.Err() != nil:
			return false, problem.Wrap(ctx.Err(), problem.Unavailable, "another replica asks the issuer, and has no answer yet")
		case err != nil:
			return false, err
		case !state.Leased:
			k.hush(at, state)
			return false, nil
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// hush remembers until when an issuer isn't asked on demand, so that the database isn't either.
func (k *Keeper) hush(at place, state State) {
	k.stats.Bounded.Add(1)
	for_ := state.Bounded
	if state.NextAt.IsZero() {
		for_ = tick // it isn't asked from here at all; that may change
	}
	if for_ > 0 {
		k.lock.Lock()
		k.quiet[at] = time.Now().Add(for_)
		k.lock.Unlock()
	}
}

func (k *Keeper) isQuiet(at place) bool {
	k.lock.Lock()
	defer k.lock.Unlock()
	return time.Now().Before(k.quiet[at])
}

// tidy forgets issuers that may be asked again. Only such as there are come in: no stranger fills the map.
func (k *Keeper) tidy() {
	k.lock.Lock()
	defer k.lock.Unlock()
	now := time.Now()
	for at, until := range k.quiet {
		if !now.Before(until) {
			delete(k.quiet, at)
		}
	}
}

// trustInline makes all keys good that the configuration gives.
func (k *Keeper) trustInline(ctx context.Context, environment, issuer string) error {
	_, err := k.publisher.TrustInlineKeys(ctx, environment, issuer)
	return err
}

// isInline tells whether an issuer's keys are given by the configuration.
func isInline(m *configv1.Issuer) bool { return m.GetJwks() != "" }

// fetches tells whether the control plane asks an issuer.
func fetches(m *configv1.Issuer) bool { return publish.Fetches(m) }
