package access

import (
	"context"

	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// binder checks role bindings.
type binder struct {
	store Store
	roles Records[*adminv1.Role]
}

// settle resolves a binding's references, and refuses whoever gives or takes what they may not do themselves.
func (b *binder) settle(ctx context.Context, _ string, before, after *adminv1.RoleBinding) error {
	if there(after) {
		if err := b.resolve(ctx, after); err != nil {
			return err
		}
		if err := b.checkSubject(ctx, before, after); err != nil {
			return err
		}
	}
	for _, m := range []*adminv1.RoleBinding{before, after} {
		if !there(m) {
			continue
		}
		if err := b.mayBind(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// mayBind tells whether the actor may give, or take, what a binding gives.
func (b *binder) mayBind(ctx context.Context, m *adminv1.RoleBinding) error {
	actor, _ := ActorOf(ctx)
	permissions, ok := BuiltIn(Role(m.GetRole()))
	if !ok {
		role, err := b.roles.Find(ctx, "", m.GetRole())
		if err != nil {
			return err
		}
		permissions = permissionsOf(role)
	}
	place := Grant{Environment: m.GetEnvironment(), Team: m.GetTeam()}
	place.Permissions = SetOf(WriteRoleBindings)
	if !actor.Grants.Cover(place) {
		return problem.Errorf(problem.Forbidden, "to bind roles there needs %s there", WriteRoleBindings)
	}
	place.Permissions = permissions
	if !actor.Grants.Cover(place) {
		return problem.Errorf(problem.Forbidden, "the role allows more there than you may yourself")
	}
	return nil
}

// resolve turns names into ids.
func (b *binder) resolve(ctx context.Context, m *adminv1.RoleBinding) error {
	var violations []problem.Violation
	find := func(pointer, collection, environment, key string) (string, error) {
		if key == "" {
			return "", nil
		}
		found, err := b.store.Resolve(ctx, collection, environment, key)
		if problem.CodeOf(err) == problem.NotFound {
			violations = append(violations, unknownReference(pointer, collection, key))
			return key, nil
		}
		return found, err
	}
	var err error
	switch subject := m.GetSubject().(type) {
	case *adminv1.RoleBinding_User:
		subject.User, err = find("/user", Users, "", subject.User)
	case *adminv1.RoleBinding_AccessToken:
		subject.AccessToken, err = find("/access_token", AccessTokens, "", subject.AccessToken)
	}
	if err != nil {
		return err
	}
	if _, ok := BuiltIn(Role(m.GetRole())); !ok {
		if m.Role, err = find("/role", Roles, "", m.GetRole()); err != nil {
			return err
		}
	}
	if m.Environment, err = b.environment(ctx, m, find); err != nil {
		return err
	}
	if m.GetTeam() != "" && m.GetEnvironment() == "" {
		violations = append(violations, problem.Violation{
			Pointer: "/environment", Code: problem.ViolationRequired, Detail: "must be given: a team is one of an environment",
		})
	} else if m.Team, err = find("/team", Teams, m.GetEnvironment(), m.GetTeam()); err != nil {
		return err
	}
	return problem.Invalid(violations...)
}

// environment returns the id of a binding's environment. One that the actor may do nothing in isn't there for them.
func (b *binder) environment(ctx context.Context, m *adminv1.RoleBinding, find func(pointer, collection, environment, key string) (string, error)) (string, error) {
	found, err := find("/environment", "environments", "", m.GetEnvironment())
	if err != nil || found == "" {
		return "", err
	}
	if actor, _ := ActorOf(ctx); !actor.Grants.Reach(found) {
		return "", problem.Invalid(unknownReference("/environment", "environments", m.GetEnvironment()))
	}
	return found, nil
}

// checkSubject refuses a subject that can't have roles, or has too many, and a change of who a binding is for.
func (b *binder) checkSubject(ctx context.Context, before, after *adminv1.RoleBinding) error {
	subject := after.GetUser() + after.GetAccessToken()
	if there(before) {
		if was := before.GetUser() + before.GetAccessToken(); was != subject {
			return problem.Invalid(problem.Violation{
				Pointer: "/user", Code: problem.ViolationImmutable, Detail: "whom a binding is for can't be changed; make a new binding and delete this one",
				Given: subject, Allowed: was,
			})
		}
		return nil
	}
	if after.GetAccessToken() != "" {
		token, err := b.store.AccessToken(ctx, after.GetAccessToken())
		if err != nil {
			return err
		}
		if token.User != "" {
			return problem.Invalid(problem.Violation{
				Pointer: "/access_token", Code: problem.ViolationInvalidValue, Given: token.ID,
				Detail: "this access token belongs to a user, and has that user's roles; bind the role to the user", Allowed: "a token without a user",
			})
		}
	}
	grants, err := b.store.GrantsOf(ctx, subject)
	if err != nil {
		return err
	}
	if len(grants) >= maxBindings {
		return problem.Errorf(problem.LimitReached, "a user or token has at most %d role bindings; bind a wider role, or more widely", maxBindings)
	}
	return nil
}

// seesBinding tells whether the actor reads the bindings of the place that this one is for.
func seesBinding(ctx context.Context, _ string, m *adminv1.RoleBinding) bool {
	actor, _ := ActorOf(ctx)
	return actor.Grants.Cover(Grant{Environment: m.GetEnvironment(), Team: m.GetTeam(), Permissions: SetOf(ReadRoleBindings)})
}

// bindingsSeen are the environments whose bindings the actor reads. Those for a team alone are listed to whom reads all of the environment.
func bindingsSeen(ctx context.Context, _ string) []string {
	actor, _ := ActorOf(ctx)
	if actor.Grants.Globally(ReadRoleBindings) {
		return nil
	}
	environments := []string{}
	for _, g := range actor.Grants {
		if g.Team == "" && g.Environment != "" && g.Permissions.Has(ReadRoleBindings) {
			environments = append(environments, g.Environment)
		}
	}
	return environments
}
