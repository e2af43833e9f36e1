package publish

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Cause is how somebody came to be let in no more.
type Cause string

// The causes.
const (
	CauseDeleted   Cause = "deleted"   // an API key, a password or a consumer
	CauseRotated   Cause = "rotated"   // an API key, which ends with its overlap, or a password, which ends at once
	CauseExpiry    Cause = "expiry"    // an API key or a password, which was given an earlier one
	CauseSuspended Cause = "suspended" // a consumer
	CauseBlocked   Cause = "blocked"   // by a block that was made or made to last longer
	CauseRecalled  Cause = "recalled"  // whatever it was: the database lost it, and a node held it
	CauseRevoked   Cause = "revoked"   // an API key, among many at once
	CauseLeaked    Cause = "leaked"    // an API key that was found where none should be
	CauseSilent    Cause = "silent"    // an API key that nobody had used for as long as it says
)

// Denial is one object through which somebody is let in no more.
type Denial struct {
	Sequence       uint64 // of its entry
	Collection, ID string
	Name           string
	Cause          Cause
	TakesEffectAt  time.Time
}

// Lifting takes an object's denials back.
type Lifting struct {
	Sequence       uint64
	Collection, ID string
}

// Denials are what the entries of one commit deny, and what they take back.
type Denials struct {
	Sequence uint64 // the commit's last: a node that holds it holds all of these
	Author   access.Actor
	Denied   []Denial
	Lifted   []Lifting
}

// writeDenials records the denials among the entries, in their transaction, so that none is in force without its proof.
func (w *writing) writeDenials(ctx context.Context) error {
	denials := Denials{Sequence: w.result.Sequence, Author: w.batch.Author}
	for _, s := range w.rows.order {
		if s.entry == nil {
			continue
		}
		cause, at, lifted := s.denies(w.now)
		if cause != "" {
			switch {
			case w.batch.Recall:
				cause = CauseRecalled
			case cause == CauseDeleted && w.batch.Cause != "" && s.t.Collection == directory.APIKeys:
				cause = w.batch.Cause
			}
			denials.Denied = append(denials.Denied, Denial{
				Sequence: s.sequence, Collection: s.t.Collection, ID: s.id, Name: s.lastName(), Cause: cause, TakesEffectAt: at,
			})
		}
		if lifted {
			denials.Lifted = append(denials.Lifted, Lifting{Sequence: s.sequence, Collection: s.t.Collection, ID: s.id})
		}
	}
	if len(denials.Denied) == 0 && len(denials.Lifted) == 0 {
		return nil
	}
	if err := w.tx.WriteDenials(ctx, w.batch.Environment, denials); err != nil {
		return fmt.Errorf("write denials: %w", err)
	}
	return nil
}

func (s *row) lastName() string {
	if s.message == nil {
		return s.before.Message.GetName()
	}
	return s.message.GetName()
}

// denies says how and from when a row's change keeps somebody out ("": it doesn't), and whether it lets in again whom an
// earlier change kept out.
func (s *row) denies(now time.Time) (cause Cause, at time.Time, lifts bool) {
	switch m := s.message.(type) {
	case *adminv1.ApiKey:
		return s.keyDenies(m, now)
	case *adminv1.Password:
		return s.passwordDenies(m, now)
	case *adminv1.Consumer:
		if s.before == nil {
			return "", now, false // nobody was let in
		}
		suspended := s.before.Message.(*adminv1.Consumer).GetSuspended()
		if m.GetSuspended() && !suspended {
			return CauseSuspended, now, false
		}
		return "", now, suspended && !m.GetSuspended()
	case *adminv1.Block:
		return s.blockDenies(m, now)
	case nil:
		switch s.before.Message.(type) {
		case *adminv1.ApiKey, *adminv1.Password, *adminv1.Consumer:
			return CauseDeleted, now, false
		case *adminv1.Block:
			return "", now, true
		}
	}
	return "", now, false
}

func (s *row) keyDenies(m *adminv1.ApiKey, now time.Time) (cause Cause, at time.Time, lifts bool) {
	if s.before == nil {
		return "", now, false
	}
	before := s.before.Message.(*adminv1.ApiKey)
	switch {
	case !earlier(m.GetExpiresAt(), before.GetExpiresAt()):
		return "", now, earlier(before.GetExpiresAt(), m.GetExpiresAt())
	case !after(before.GetExpiresAt(), now):
		return "", now, false // it was dead already
	}
	cause = CauseExpiry
	if m.GetRotatedTo() != before.GetRotatedTo() {
		cause = CauseRotated
	}
	return cause, latest(now, m.GetExpiresAt()), false
}

func (s *row) blockDenies(m *adminv1.Block, now time.Time) (cause Cause, at time.Time, lifts bool) {
	if s.before == nil {
		return CauseBlocked, now, false
	}
	if earlier(s.before.Message.(*adminv1.Block).GetExpiresAt(), m.GetExpiresAt()) {
		return CauseBlocked, now, false
	}
	return "", now, !after(m.GetExpiresAt(), now)
}

// earlier tells whether one expiry is before another; an absent one is after all.
func earlier(one, than *timestamppb.Timestamp) bool {
	switch {
	case one == nil:
		return false
	case than == nil:
		return true
	}
	return one.AsTime().Before(than.AsTime())
}

func latest(now time.Time, expiry *timestamppb.Timestamp) time.Time {
	if at := expiry.AsTime(); at.After(now) {
		return at
	}
	return now
}
