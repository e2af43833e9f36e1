package access

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// Me says who an actor is, and what they may do.
func (a Actor) Me() *adminv1.Me {
	me := &adminv1.Me{Id: a.ID, Name: a.Name, IsUser: a.User, AccessToken: a.Token, Scope: a.Scope.message(), Session: a.Session, SecondFactorNeeded: a.SecondFactorNeeded}
	if !a.Expires.IsZero() {
		me.ExpiresAt = timestamppb.New(a.Expires)
	}
	for _, g := range a.Held {
		me.RoleBindings = append(me.RoleBindings, &adminv1.HeldRole{Id: g.Binding, Role: g.Role, Environment: g.Environment, Team: g.Team})
	}
	type place struct{ environment, team string }
	held := make(map[place]Set)
	for _, g := range a.Grants {
		at := place{g.Environment, g.Team}
		held[at] = held[at].Or(g.Permissions)
	}
	for at, permissions := range held {
		me.Permissions = append(me.Permissions, &adminv1.HeldPermissions{
			Environment: at.environment, Team: at.team, Permissions: texts(permissions.List()),
		})
	}
	slices.SortFunc(me.Permissions, func(x, y *adminv1.HeldPermissions) int {
		return cmp.Or(cmp.Compare(x.GetEnvironment(), y.GetEnvironment()), cmp.Compare(x.GetTeam(), y.GetTeam()))
	})
	return me
}
