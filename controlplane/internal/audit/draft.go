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
	// Fields are pointers of what differs, where the writer knows better than a comparison of Before and After tells.
	Fields []string
	// Before and After are the object without secret material; nil when made, or deleted.
	Before, After proto.Message
}

// Actor is who does something.
type Actor struct{ ID, Name, Role string }

// Who acts where no face let anybody in.
var (
	System  = Actor{ID: "system", Name: "system", Role: "owner"}
	Command = Actor{ID: "command", Name: "command", Role: "owner"}
)

// Origin is who asked for what, from where.
type Origin struct {
	Actor     Actor
	Address   string
	Operation string // "putRoute"
	Route     string // "PUT /api/v1/environments/{environment}/routes/{key}"
	RequestID string
}

// Draft is the event of one operation as far as it is known. It is safe for concurrent use.
type Draft struct {
	mu          sync.Mutex
	origin      Origin
	chain       string
	environment string
	outcome     string // "": done
	code        string
	message     string
	attempts    uint64
	revision    uint64
	sequence    uint64
	opened      uint64
	changes     []Change
	quiet       bool // written only if it has a change
	written     bool
}

// NewDraft returns the draft of an operation.
func NewDraft(origin Origin) *Draft { return &Draft{origin: origin} }

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

// Ensure returns a context with a draft that is yet to be written: that of ctx, or a quiet one of the actor. An operation that writes
// twice has two events, the second one of the same actor and request.
func Ensure(ctx context.Context, actor Actor, operation string) context.Context {
	origin := Origin{Actor: actor, Operation: operation}
	if d := DraftOf(ctx); d != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.written {
			return ctx
		}
		origin = d.origin
		origin.Operation = operation
	}
	return WithDraft(ctx, &Draft{origin: origin, quiet: true})
}

// BySystem returns a context in which the control plane acts by itself, whoever gave it the occasion.
func BySystem(ctx context.Context, operation string) context.Context {
	return WithDraft(ctx, &Draft{origin: Origin{Actor: System, Operation: operation}, quiet: true})
}

// Note tells the draft in ctx, if there is one, what the operation does to an object. It is called before the store's call that
// commits; noted again, as an attempt that is repeated does, a change of the same object takes the place of the one before.
func Note(ctx context.Context, c Change) {
	DraftOf(ctx).Note(c)
}

// Note is the function's, where the draft is at hand.
func (d *Draft) Note(c Change) {
	d.edit(func() { d.note(c) })
}

func (d *Draft) note(c Change) {
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

// Replace makes these all the changes of the operation: what an attempt noted that another writer came between is forgotten.
func (d *Draft) Replace(changes []Change) { d.edit(func() { d.changes = changes }) }

// In puts the event into the chain of an environment.
func (d *Draft) In(environment string) {
	d.edit(func() { d.chain, d.environment = environment, environment })
}

// About says which environment an event of the global chain is about.
func (d *Draft) About(environment string) {
	d.edit(func() { d.chain, d.environment = "", environment })
}

// Because says why, in the author's words.
func (d *Draft) Because(message string) { d.edit(func() { d.message = message }) }

// Made says what the operation made: a revision, or a sequence of the directory; 0: none.
func (d *Draft) Made(revision, sequence uint64) {
	d.edit(func() { d.revision, d.sequence = revision, sequence })
}

// Opened says that the operation opened an epoch. Its event goes into the environment's chain and into the global one.
func (d *Draft) Opened(epoch uint64) { d.edit(func() { d.opened = epoch }) }

// ActAs says who acts, once that is known.
func (d *Draft) ActAs(actor Actor) { d.edit(func() { d.origin.Actor = actor }) }

// Written says that the event is committed.
func (d *Draft) Written() { d.edit(func() { d.written = true }) }

// edit is of a draft that may be nil: nobody records then.
func (d *Draft) edit(f func()) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// Recorded returns a context with a draft that the ground writes with a change in the chain of an environment, "" being the
// global one: that of the operation under way, or one of its own. It is written although nothing may have been noted in it.
func Recorded(ctx context.Context, environment, operation string) context.Context {
	ctx = Ensure(ctx, System, operation)
	d := DraftOf(ctx)
	d.edit(func() {
		d.quiet = false
		if environment != "" {
			d.chain, d.environment = environment, environment
		}
	})
	return ctx
}
