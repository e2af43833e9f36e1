package access

import (
	"context"
	"time"
)

// Actor is who does something: a person or a script, as the face that let them in knows them.
type Actor struct {
	// ID is the user's id; that of the access token if it belongs to no user; "system" for what the control plane does by itself.
	// So two tokens of one person are one actor.
	ID string
	// Name is for people; it is what revisions record as their author.
	Name string
	// Role names the roles that it acts in, comma-separated.
	Role string
	// Address is where it came from, without a port; empty for the system.
	Address string

	// User tells that a user stands behind it.
	User bool
	// Token is the id of the access token that it came with; empty for the system, and for who has signed in.
	Token string
	// Session is the id of the session that it came with; empty: with none.
	Session string
	// SecondFactorNeeded tells that it has no grants only until it has set a second factor up.
	SecondFactorNeeded bool
	// Expires is when that token stops working; zero: never.
	Expires time.Time
	// Scope is what that token is narrowed to. Grants are narrowed already.
	Scope Scope
	// Grants are what it may do. Without any it may do nothing.
	Grants Grants
	// Held are the grants before the scope narrowed them.
	Held Grants
}

// System returns the actor of what the control plane does by itself. It may do everything.
func System() Actor {
	all := Grants{{Role: string(RoleOwner), Permissions: everything}}
	return Actor{ID: "system", Name: "system", Role: string(RoleOwner), Grants: all, Held: all}
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
