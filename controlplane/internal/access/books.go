package access

import (
	"context"
	"time"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Collections of the books.
const (
	Users        = "users"
	Teams        = "teams"
	Roles        = "roles"
	RoleBindings = "role-bindings"
)

// maxBindings bounds how many role bindings one user or token has: each request reads them all.
const maxBindings = 256

// Shelf keeps what the books hold.
type Shelf interface {
	Users() Records[*adminv1.User]
	Teams() Records[*adminv1.Team]
	Roles() Records[*adminv1.Role]
	RoleBindings() Records[*adminv1.RoleBinding]
}

// Books are all that access is decided by, tokens left out.
type Books struct {
	Users        *Book[*adminv1.User]
	Teams        *Book[*adminv1.Team]
	Roles        *Book[*adminv1.Role]
	RoleBindings *Book[*adminv1.RoleBinding]
}

// NewBooks returns the books of a store.
func NewBooks(store Store, shelf Shelf) *Books {
	return &Books{
		Users: &Book[*adminv1.User]{
			collection: Users, singular: "user", prefix: id.User, filters: []string{"email", "name"}, records: shelf.Users(), now: time.Now,
			empty: func() *adminv1.User { return new(adminv1.User) }, visible: everybody[*adminv1.User], bound: unbound, fixed: noneFixed[*adminv1.User],
			settle: func(ctx context.Context, _ string, before, _ *adminv1.User) error {
				return mayChangeUser(ctx, store, before)
			},
		},
		Teams: &Book[*adminv1.Team]{
			collection: Teams, singular: "team", prefix: id.Team, filters: []string{"name"}, records: shelf.Teams(), now: time.Now,
			empty: func() *adminv1.Team { return new(adminv1.Team) }, visible: seesTeam, bound: teamsSeen, fixed: noneFixed[*adminv1.Team],
			settle: func(context.Context, string, *adminv1.Team, *adminv1.Team) error { return nil },
		},
		Roles: &Book[*adminv1.Role]{
			collection: Roles, singular: "role", prefix: id.Role, filters: []string{"name"}, records: shelf.Roles(), now: time.Now,
			empty: func() *adminv1.Role { return new(adminv1.Role) }, visible: everybody[*adminv1.Role], bound: unbound, fixed: builtInMessages, settle: settleRole,
		},
		RoleBindings: &Book[*adminv1.RoleBinding]{
			collection: RoleBindings, singular: "role-binding", prefix: id.RoleBinding, nameless: true,
			filters: []string{"access_token", "environment", "name", "role", "team", "user"}, records: shelf.RoleBindings(), now: time.Now,
			empty: func() *adminv1.RoleBinding { return new(adminv1.RoleBinding) }, visible: seesBinding, bound: bindingsSeen, fixed: noneFixed[*adminv1.RoleBinding],
			settle: (&binder{store: store, roles: shelf.Roles()}).settle,
		},
	}
}

func everybody[M Message](context.Context, string, M) bool { return true }

func unbound(context.Context, string) []string { return nil }

func noneFixed[M Message]() []M { return nil }

// mayChangeUser refuses to change, disable or delete somebody who may do more than the actor: who signs in by an address that
// somebody else can change can be pushed aside by them.
func mayChangeUser(ctx context.Context, store Store, before *adminv1.User) error {
	if !there(before) {
		return nil
	}
	grants, err := store.GrantsOf(ctx, before.GetId())
	if err != nil {
		return err
	}
	if actor, _ := ActorOf(ctx); !actor.Grants.CoverAll(grants) {
		return problem.Errorf(problem.Forbidden, "this user may do more than you may yourself")
	}
	return nil
}

func seesTeam(ctx context.Context, environment string, m *adminv1.Team) bool {
	actor, _ := ActorOf(ctx)
	return actor.Grants.Within(environment, "teams.read").Sees(m.GetId())
}

func teamsSeen(ctx context.Context, environment string) []string {
	actor, _ := ActorOf(ctx)
	bounds := actor.Grants.Within(environment, "teams.read")
	if bounds.Whole {
		return nil
	}
	return append([]string{}, bounds.Teams...)
}

// builtInMessages are the built-in roles as they are shown.
func builtInMessages() []*adminv1.Role {
	all := make([]*adminv1.Role, len(builtIns))
	for i, b := range builtIns {
		all[i] = &adminv1.Role{
			Id: string(b.role), Name: string(b.role), Description: b.description, Permissions: texts(b.permissions.List()), BuiltIn: true,
		}
	}
	return all
}

// settleRole refuses a role that allows what its maker may not, everywhere: whoever has it somewhere gets that with it.
func settleRole(ctx context.Context, _ string, before, after *adminv1.Role) error {
	actor, _ := ActorOf(ctx)
	for _, m := range []*adminv1.Role{before, after} {
		if err := problem.Invalid(checkPermissions("permissions", m.GetPermissions())...); err != nil && m == after {
			return err
		}
		if !actor.Grants.Cover(Grant{Permissions: permissionsOf(m)}) {
			return problem.Errorf(problem.Forbidden, "the role allows more than you may yourself everywhere")
		}
	}
	return nil
}

func permissionsOf(m *adminv1.Role) Set {
	var s Set
	for _, p := range m.GetPermissions() {
		s = s.Or(SetOf(Permission(p)))
	}
	return s
}
