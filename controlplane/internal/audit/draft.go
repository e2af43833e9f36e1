package audit

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
)

// Change is what an operation did to one object.
type Change struct {
	Action     string // "create", "update", "delete"; or the verb of an operation that changes no field: "disable"
	Collection string // "routes", "access-tokens"
	ID, Name   string
	// Before and After are the object without secret material; nil when made, or deleted.
	Before, After proto.Message
}

// Draft is the event of one operation as far as it is known. It is safe for concurrent use.
type Draft struct {
	mu      sync.Mutex
	changes []Change
}

type draftKey struct{}

// WithDraft returns a context whose operation is recorded in d.
func WithDraft(ctx context.Context, d *Draft) context.Context {
	return context.WithValue(ctx, draftKey{}, d)
}

// DraftOf returns the draft of the operation under way; nil when nothing records it.
func DraftOf(ctx context.Context) *Draft {
	d, _ := ctx.Value(draftKey{}).(*Draft)
	return d
}

// Note tells the draft in ctx, if there is one, what the operation does to an object. It is called before the store's call that
// commits; noted again, as an attempt that is repeated does, a change of the same object takes the place of the one before.
func Note(ctx context.Context, c Change) {
	d := DraftOf(ctx)
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := slices.IndexFunc(d.changes, func(o Change) bool {
		return o.Collection == c.Collection && o.ID == c.ID && o.Action == c.Action
	})
	if at >= 0 {
		d.changes[at] = c
		return
	}
	d.changes = append(d.changes, c)
}

// Changes returns what was noted, in the order in which it was first.
func (d *Draft) Changes() []Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.changes)
}
