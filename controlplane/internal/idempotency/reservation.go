package idempotency

import (
	"context"
	"slices"
	"sync"
)

// Scope is where a key counts: a digest of actor, operation, path and key.
type Scope [32]byte

// Holder is one attempt to carry out a request.
type Holder [16]byte

// maxObjects is how many objects a reservation remembers: they lead to what was made when its answer is lost.
const maxObjects = 16

// Made is what an operation committed, as far as it is remembered without its answer.
type Made struct {
	Revision, Sequence uint64   // 0: none
	Objects            []string // ids, the first of them
}

// Reservation is a key that this attempt holds. It is safe for concurrent use.
type Reservation struct {
	Scope  Scope
	Holder Holder

	mu   sync.Mutex
	made Made
}

type reservationKey struct{}

// With returns a context whose operation is carried out under a reservation.
func With(ctx context.Context, r *Reservation) context.Context {
	return context.WithValue(ctx, reservationKey{}, r)
}

// Without returns a context whose writes aren't the operation's own: they don't count as carrying it out.
func Without(ctx context.Context) context.Context {
	return context.WithValue(ctx, reservationKey{}, (*Reservation)(nil))
}

// Of returns the reservation of the operation under way; nil when it has none.
func Of(ctx context.Context) *Reservation {
	r, _ := ctx.Value(reservationKey{}).(*Reservation)
	return r
}

// Restart forgets what was noted: a transaction begins, or begins again.
func (r *Reservation) Restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = Made{}
}

// Note remembers what the transaction under way makes.
func (r *Reservation) Note(m Made) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made.Revision, r.made.Sequence = max(r.made.Revision, m.Revision), max(r.made.Sequence, m.Sequence)
	for _, id := range m.Objects {
		if len(r.made.Objects) < maxObjects && !slices.Contains(r.made.Objects, id) {
			r.made.Objects = append(r.made.Objects, id)
		}
	}
}

// Made returns what was noted.
func (r *Reservation) Made() Made {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Made{Revision: r.made.Revision, Sequence: r.made.Sequence, Objects: slices.Clone(r.made.Objects)}
}
