package access_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/environments"
	"github.com/sallyport/sallyport/controlplane/internal/postgres"
	"github.com/sallyport/sallyport/controlplane/internal/secrets"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// place is where something may be done.
type place struct{ environment, team string }

// office is a database with two environments, a team in each, and one user.
type office struct {
	t      *testing.T
	db     *postgres.DB
	tokens *access.Tokens
	books  *access.Books
	system context.Context
	places []place // where a role can be bound
	user   string
	other  string // another user
}

func newOffice(t *testing.T) *office {
	t.Helper()
	tokens, db := newTokens(t)
	root, err := secrets.ParseRootKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	vault, err := secrets.Open(t.Context(), root, db)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, db: db, tokens: tokens, books: access.NewBooks(db, db.Shelf()), system: access.WithActor(t.Context(), access.System())}
	o.places = append(o.places, place{})
	for _, name := range []string{"production", "staging"} {
		environment, err := environments.New(db, vault).Create(t.Context(), &adminv1.Environment{Name: name}, access.System())
		if err != nil {
			t.Fatal(err)
		}
		team := o.must(o.books.Teams.Create(o.system, environment.GetId(), []byte(`{"name":"web"}`))).(*adminv1.Team)
		o.places = append(o.places, place{environment.GetId(), ""}, place{environment.GetId(), team.GetId()})
	}
	o.user = o.must(o.books.Users.Create(o.system, "", []byte(`{"name":"ada"}`))).(*adminv1.User).GetId()
	o.other = o.must(o.books.Users.Create(o.system, "", []byte(`{"name":"bob"}`))).(*adminv1.User).GetId()
	return o
}

func (o *office) must(m any, err error) any {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
	return m
}

func bindingJSON(subject, role string, at place) []byte {
	text := fmt.Sprintf(`{%s,"role":%q`, subject, role)
	if at.environment != "" {
		text += fmt.Sprintf(`,"environment":%q`, at.environment)
	}
	if at.team != "" {
		text += fmt.Sprintf(`,"team":%q`, at.team)
	}
	return []byte(text + "}")
}

// acting is a context in which somebody has a role somewhere.
func (o *office) acting(role access.Role, at place, scope access.Scope) (context.Context, access.Actor) {
	permissions, _ := access.BuiltIn(role)
	held := access.Grants{{Role: string(role), Environment: at.environment, Team: at.team, Permissions: permissions}}
	actor := access.Actor{ID: o.user, Name: "ada", User: true, Token: "tok_x", Scope: scope, Grants: held, Held: held}
	if len(scope.Permissions) > 0 {
		actor.Grants = slices.Clone(held)
		actor.Grants[0].Permissions = permissions.And(access.SetOf(scope.Permissions...))
	}
	return access.WithActor(o.t.Context(), actor), actor
}

// may tells, permission by permission, what grants allow at a place; it knows nothing of how Grants does it.
func may(grants access.Grants, p access.Permission, at place) bool {
	for _, g := range grants {
		everywhere := g.Environment == ""
		whole := g.Environment == at.environment && g.Team == ""
		sameTeam := g.Environment == at.environment && g.Team != "" && g.Team == at.team
		if g.Permissions.Has(p) && (everywhere || at.environment != "" && (whole || sameTeam)) {
			return true
		}
	}
	return false
}

// exceeds returns something that the grants allow and the actor may not.
func (o *office) exceeds(grants access.Grants, actor access.Actor) string {
	for _, p := range access.Permissions() {
		for _, at := range o.places {
			if may(grants, p, at) && !may(actor.Grants, p, at) {
				return fmt.Sprintf("%s at %v", p, at)
			}
		}
	}
	return ""
}

func (o *office) grantsOf(subject string) access.Grants {
	o.t.Helper()
	grants, err := o.db.GrantsOf(o.t.Context(), subject)
	if err != nil {
		o.t.Fatal(err)
	}
	return grants
}

// Over every role at every place, and every role that could be given at every place.
func TestNobodyGivesOrTakesARoleThatAllowsMoreThanTheyMay(t *testing.T) {
	o := newOffice(t)
	given, refused := 0, 0
	for _, role := range access.BuiltInRoles() {
		for _, at := range o.places {
			ctx, actor := o.acting(role, at, access.Scope{})
			for _, wanted := range access.BuiltInRoles() {
				for _, where := range o.places {
					allowed := may(actor.Grants, access.WriteRoleBindings, where)
					held, _ := access.BuiltIn(wanted)
					for _, p := range held.List() {
						allowed = allowed && may(actor.Grants, p, where)
					}
					body := bindingJSON(`"user":"bob"`, string(wanted), where)
					m, err := o.books.RoleBindings.Create(ctx, "", body)
					if (err == nil) != allowed {
						t.Fatalf("%s at %v gives %s at %v: %v, allowed: %v", role, at, wanted, where, err, allowed)
					}
					if err != nil {
						refused++
						theirs := o.must(o.books.RoleBindings.Create(o.system, "", body)).(*adminv1.RoleBinding).GetId()
						if err := o.books.RoleBindings.Delete(ctx, "", theirs, ""); err == nil {
							t.Fatalf("%s at %v takes %s at %v", role, at, wanted, where)
						}
						o.must(nil, o.books.RoleBindings.Delete(o.system, "", theirs, ""))
						continue
					}
					given++
					if more := o.exceeds(o.grantsOf(o.other), actor); more != "" {
						t.Fatalf("%s at %v gave %s", role, at, more)
					}
					o.must(nil, o.books.RoleBindings.Delete(ctx, "", m.(*adminv1.RoleBinding).GetId(), ""))
				}
			}
		}
	}
	if given < 50 || refused < 500 {
		t.Errorf("%d were given, %d refused", given, refused)
	}
}

// A binding can't be changed into what couldn't have been given: neither its role, nor its place, nor whom it is for.
func TestABindingIsNotChangedIntoMore(t *testing.T) {
	o := newOffice(t)
	production := o.places[1]
	ctx, _ := o.acting(access.RoleAdmin, production, access.Scope{})
	m := o.must(o.books.RoleBindings.Create(ctx, "", bindingJSON(`"user":"bob"`, "viewer", production))).(*adminv1.RoleBinding)
	for _, patch := range []string{
		`{"role":"owner"}`, `{"environment":null}`, `{"environment":"staging"}`, `{"user":null,"access_token":"bootstrap"}`, `{"user":"ada"}`, `{"id":"rb_x"}`,
	} {
		if changed, err := o.books.RoleBindings.Patch(ctx, "", m.GetId(), []byte(patch), ""); err == nil {
			t.Errorf("%s made it %v", patch, changed)
		}
	}
	if _, _, err := o.books.RoleBindings.Put(ctx, "", m.GetName(), bindingJSON(`"user":"bob"`, "owner", place{}), ""); err == nil {
		t.Error("a put made it owner")
	}
	if _, err := o.books.RoleBindings.Patch(ctx, "", m.GetId(), []byte(`{"role":"operator"}`), ""); err != nil {
		t.Errorf("what could have been given: %v", err)
	}
	staging := o.must(o.books.RoleBindings.Create(o.system, "", bindingJSON(`"user":"bob"`, "viewer", o.places[3]))).(*adminv1.RoleBinding)
	if _, err := o.books.RoleBindings.Get(ctx, "", staging.GetId()); problem.CodeOf(err) != problem.NotFound {
		t.Errorf("a binding of another environment: %v", err)
	}
}

func TestNobodyMakesARoleThatAllowsMoreThanTheyMayEverywhere(t *testing.T) {
	o := newOffice(t)
	o.must(o.books.Roles.Create(o.system, "", []byte(`{"name":"weak","permissions":["usage.read"]}`)))
	o.must(o.books.Roles.Create(o.system, "", []byte(`{"name":"strong","permissions":["users.impersonate"]}`)))
	for _, role := range access.BuiltInRoles() {
		for _, at := range o.places {
			ctx, actor := o.acting(role, at, access.Scope{})
			for _, p := range access.Permissions() {
				patched, err := o.books.Roles.Patch(ctx, "", "weak", fmt.Appendf(nil, `{"permissions":[%q]}`, p), "")
				if allowed := may(actor.Grants, p, place{}) && may(actor.Grants, "usage.read", place{}); (err == nil) != allowed {
					t.Fatalf("%s at %v makes a role of %s: %v, allowed: %v", role, at, p, patched, allowed)
				}
				if err == nil {
					o.must(o.books.Roles.Patch(o.system, "", "weak", []byte(`{"permissions":["usage.read"]}`), ""))
				}
			}
			if may(actor.Grants, access.Impersonate, place{}) {
				continue
			}
			if err := o.books.Roles.Delete(ctx, "", "strong", ""); problem.CodeOf(err) != problem.Forbidden {
				t.Fatalf("%s at %v deletes a role that allows more: %v", role, at, err)
			}
		}
	}
	for _, role := range access.BuiltInRoles() {
		if _, err := o.books.Roles.Patch(o.system, "", string(role), []byte(`{"permissions":[]}`), ""); problem.CodeOf(err) != problem.Forbidden {
			t.Errorf("%s was changed: %v", role, err)
		}
		if _, err := o.books.Roles.Create(o.system, "", fmt.Appendf(nil, `{"name":%q}`, role)); problem.CodeOf(err) != problem.NameTaken {
			t.Errorf("another %s was made: %v", role, err)
		}
		if _, err := o.books.Roles.Patch(o.system, "", "weak", fmt.Appendf(nil, `{"name":%q}`, role), ""); problem.CodeOf(err) != problem.NameTaken {
			t.Errorf("another role was renamed to %s: %v", role, err)
		}
	}
}

// Over every role at every place, with and without a scope: no token that somebody makes may more than they do.
func TestNobodyMakesATokenThatMayMoreThanTheyMay(t *testing.T) {
	o := newOffice(t)
	o.must(o.books.RoleBindings.Create(o.system, "", bindingJSON(`"user":"bob"`, "operator", o.places[1])))
	made := 0
	scopes := []access.Scope{{}, {Permissions: []access.Permission{access.WriteAccessTokens, "usage.read"}}}
	for _, role := range access.BuiltInRoles() {
		for _, at := range o.places {
			own := o.must(o.books.RoleBindings.Create(o.system, "", bindingJSON(`"user":"ada"`, string(role), at))).(*adminv1.RoleBinding)
			for _, scope := range scopes {
				ctx, actor := o.acting(role, at, scope)
				for _, wanted := range wantedTokens() {
					wanted.Name = fmt.Sprintf("t-%d", made)
					token, err := o.tokens.Create(ctx, wanted)
					if err != nil {
						hidden := wanted.GetScope().GetEnvironment() != "" && problem.CodeOf(err) == problem.InvalidRequest
						if code := problem.CodeOf(err); code != problem.Forbidden && !hidden {
							t.Fatalf("%v: %v", wanted, err)
						}
						continue
					}
					made++
					stands, err := o.tokens.Authenticate(t.Context(), token.GetToken())
					if err != nil {
						t.Fatal(err)
					}
					if more := o.exceeds(stands.Grants, actor); more != "" {
						t.Fatalf("%s at %v, narrowed to %v, made %v, which may %s", role, at, scope, wanted, more)
					}
				}
			}
			o.must(nil, o.books.RoleBindings.Delete(o.system, "", own.GetId(), ""))
		}
	}
	if made < 20 {
		t.Errorf("only %d tokens were made", made)
	}
}

func wantedTokens() []*adminv1.AccessToken {
	wanted := []*adminv1.AccessToken{
		{},
		{User: "ada"},
		{User: "bob"},
		{User: "ada", Scope: &adminv1.TokenScope{Environment: "production"}},
		{User: "ada", Scope: &adminv1.TokenScope{Permissions: []string{"usage.read"}}},
		{User: "ada", Scope: &adminv1.TokenScope{Permissions: []string{"usage.read", "users.impersonate"}}},
	}
	for _, role := range access.BuiltInRoles() {
		wanted = append(wanted, &adminv1.AccessToken{Role: string(role)})
	}
	return wanted
}

func TestATokenDoesNotOutliveTheOneThatMadeIt(t *testing.T) {
	o := newOffice(t)
	ctx, actor := o.acting(access.RoleOwner, place{}, access.Scope{})
	actor.Expires = time.Now().Add(time.Hour)
	ctx = access.WithActor(ctx, actor)
	for _, at := range []*timestamppb.Timestamp{nil, timestamppb.New(actor.Expires.Add(time.Second))} {
		if _, err := o.tokens.Create(ctx, &adminv1.AccessToken{Name: "long", User: "ada", ExpiresAt: at}); problem.CodeOf(err) != problem.Forbidden {
			t.Errorf("until %v: %v", at, err)
		}
	}
	if _, err := o.tokens.Create(ctx, &adminv1.AccessToken{Name: "short", User: "ada", ExpiresAt: timestamppb.New(actor.Expires)}); err != nil {
		t.Error(err)
	}
}

func TestWhoMayMoreIsNotChangedByWhoMayLess(t *testing.T) {
	o := newOffice(t)
	o.must(o.books.RoleBindings.Create(o.system, "", bindingJSON(`"user":"bob"`, "owner", place{})))
	ctx, _ := o.acting(access.RoleAdmin, place{}, access.Scope{})
	for _, patch := range []string{`{"disabled":true}`, `{"email":"me@example.com"}`, `{"name":"x"}`} {
		if _, err := o.books.Users.Patch(ctx, "", "bob", []byte(patch), ""); problem.CodeOf(err) != problem.Forbidden {
			t.Errorf("%s: %v", patch, err)
		}
	}
	if err := o.books.Users.Delete(ctx, "", "bob", ""); problem.CodeOf(err) != problem.Forbidden {
		t.Errorf("deleted: %v", err)
	}
	owners, err := o.tokens.CreateOwner(t.Context(), "owners")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.tokens.Delete(ctx, owners.GetId()); problem.CodeOf(err) != problem.Forbidden {
		t.Errorf("the owner's token was deleted: %v", err)
	}
	if _, err := o.books.Users.Create(ctx, "", []byte(`{"name":"carol","email":"carol@example.com"}`)); err != nil {
		t.Error(err)
	}
	if _, err := o.books.Users.Create(ctx, "", []byte(`{"name":"carola","email":"Carol@example.com"}`)); problem.CodeOf(err) != problem.NameTaken {
		t.Errorf("two users have one address: %v", err)
	}
}
