package access

import "context"

// Actor is who does something: a person or a script, as the face that let them in knows them.
type Actor struct {
	// ID is the access token's id, or "system" for what the control plane does by itself.
	ID string
	// Name is for people; it is what revisions record as their author.
	Name string
	// Role is the role it acts in.
	Role string
	// Address is where it came from, without a port; empty for the system.
	Address string
}

type actorKey struct{}

// WithActor returns a context in which actor acts.
func WithActor(ctx context.Context, actor Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf returns who acts in ctx; false if nobody was let in.
func ActorOf(ctx context.Context) (Actor, bool) {
	actor, ok := ctx.Value(actorKey{}).(Actor)
	return actor, ok
}
