package signin

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
)

// EntranceTx is what one sign-in at a provider reads and writes.
type EntranceTx interface {
	// Provider returns the provider as it is, and keeps it so.
	Provider(ctx context.Context) (*adminv1.SignInProvider, error)
	// Identity returns the user who a provider's person is, locked; false when that isn't known.
	Identity(ctx context.Context, subject string) (Account, bool, error)
	// UserOfEmail returns the user of an e-mail address who is no other person of the provider, locked; false when there is none.
	UserOfEmail(ctx context.Context, email string) (Account, bool, error)
	// HasUser tells whether a name is taken.
	HasUser(ctx context.Context, name string) (bool, error)
	// AddUser adds a user; an e-mail address that another one has is left out.
	AddUser(ctx context.Context, user *adminv1.User) error
	// AddIdentity remembers who a provider's person is.
	AddIdentity(ctx context.Context, subject, user string, at time.Time) error
	// Bindings returns what the provider's groups have given a user.
	Bindings(ctx context.Context, user string) ([]*adminv1.RoleBinding, error)
	// AddBinding gives a role.
	AddBinding(ctx context.Context, binding *adminv1.RoleBinding) error
	// RemoveBinding takes one.
	RemoveBinding(ctx context.Context, binding string) error
	// InsertSession begins a session; of more than most of the user's the oldest end.
	InsertSession(ctx context.Context, s Session, most int) error
}

// enter lets in whom a provider has sent, with the roles that their groups give now.
func (f *Federation) enter(ctx context.Context, provider string, who *person, from From) (*Admission, error) {
	settings, err := f.Settings.SignInSettings(ctx)
	if err != nil {
		return nil, err
	}
	var admission *Admission
	err = f.Store.Enter(ctx, provider, func(tx EntranceTx) error {
		audit.DraftOf(ctx).Replace(nil) // what an attempt before noted
		now := f.Now().UTC().Truncate(time.Microsecond)
		p, err := tx.Provider(ctx)
		if err != nil {
			return err
		}
		if p.GetDisabled() || !who.of(p.GetDomains()) {
			return failed(&Account{}, problem.SignInRefused, "the provider is disabled, or takes only people whose verified e-mail address is in one of its domains")
		}
		account, err := userOf(ctx, tx, p, who, now)
		if err != nil {
			return err
		}
		if account.Disabled {
			return failed(&account, problem.SignInRefused, "the user is disabled")
		}
		audit.DraftOf(ctx).ActAs(audit.Actor{ID: account.ID, Name: account.Name})
		if err := giveRoles(ctx, tx, p, who, &account, now); err != nil {
			return err
		}
		session, text := begin(account.ID, p.GetId(), false, from, settings, now)
		audit.Note(ctx, audit.Change{Action: "sign-in", Collection: sessionsCollection, ID: session.ID, Name: account.Name, After: session.message()})
		shown := session.message()
		shown.Current = true
		admission = &Admission{Session: shown, Text: text, Lasts: Lifetime(settings)}
		return tx.InsertSession(ctx, session, maxSessions)
	})
	return admission, err
}

// userOf returns who a provider's person is here: who they were before, the user of their address, or a new one; as the provider lets.
func userOf(ctx context.Context, tx EntranceTx, p *adminv1.SignInProvider, who *person, now time.Time) (Account, error) {
	account, known, err := tx.Identity(ctx, who.subject)
	if err != nil || known {
		return account, err
	}
	if p.GetMatchEmail() && who.email != "" {
		account, known, err = tx.UserOfEmail(ctx, who.email)
		if err != nil {
			return account, err
		}
	}
	if !known {
		if !p.GetCreateUsers() {
			return account, failed(&Account{}, problem.SignInRefused, "the provider knows this person, but there is no user for them here")
		}
		if account, err = addUser(ctx, tx, p, who, now); err != nil {
			return account, err
		}
	}
	return account, tx.AddIdentity(ctx, who.subject, account.ID, now)
}

func addUser(ctx context.Context, tx EntranceTx, p *adminv1.SignInProvider, who *person, now time.Time) (Account, error) {
	made := id.Text(id.User, id.New(now))
	_, digits, _ := strings.Cut(made, "_")
	name := userName(who)
	if len(resource.CheckName(name)) > 0 {
		name = "user-" + digits
	}
	taken, err := tx.HasUser(ctx, name)
	if err != nil {
		return Account{}, err
	}
	if taken {
		name = name[:min(len(name), 36)] + "-" + digits
	}
	user := &adminv1.User{
		Id: made, Name: name, Email: who.email, Description: describe(who, p), CreatedAt: timestamppb.New(now), UpdatedAt: timestamppb.New(now),
	}
	audit.Note(ctx, audit.Change{Action: "create", Collection: access.Users, ID: user.GetId(), Name: name, After: user})
	return Account{ID: user.GetId(), Name: name, Email: who.email}, tx.AddUser(ctx, user)
}

// userName makes a name of how a person likes to be called, or of what stands before the @ of their address.
func userName(who *person) string {
	name := who.nickname
	if name == "" {
		name = who.email
	}
	name, _, _ = strings.Cut(strings.ToLower(name), "@")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, name)
	return strings.Trim(name[:min(len(name), 63)], "-._")
}

func describe(who *person, p *adminv1.SignInProvider) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(who.fullName, ""))
	if runes := []rune(name); len(runes) > 200 {
		name = string(runes[:200])
	}
	if name == "" {
		return "Came by the sign-in provider " + p.GetName() + "."
	}
	return name + ", who came by the sign-in provider " + p.GetName() + "."
}

// giveRoles makes what the provider has given a user what their groups give now.
func giveRoles(ctx context.Context, tx EntranceTx, p *adminv1.SignInProvider, who *person, account *Account, now time.Time) error {
	type place struct{ role, environment, team string }
	wanted := map[place]string{}
	var order []place
	for _, g := range p.GetGroups() {
		at := place{g.GetRole(), g.GetEnvironment(), g.GetTeam()}
		if _, there := wanted[at]; !there && slices.Contains(who.groups, g.GetGroup()) {
			wanted[at] = g.GetGroup()
			order = append(order, at)
		}
	}
	held, err := tx.Bindings(ctx, account.ID)
	if err != nil {
		return err
	}
	for _, b := range held {
		at := place{b.GetRole(), b.GetEnvironment(), b.GetTeam()}
		if _, keep := wanted[at]; keep {
			delete(wanted, at)
			continue
		}
		audit.Note(ctx, audit.Change{Action: "delete", Collection: access.RoleBindings, ID: b.GetId(), Name: b.GetName(), Before: b})
		if err := tx.RemoveBinding(ctx, b.GetId()); err != nil {
			return err
		}
	}
	for _, at := range order {
		group, missing := wanted[at]
		if !missing {
			continue
		}
		made := id.Text(id.RoleBinding, id.New(now))
		_, digits, _ := strings.Cut(made, "_")
		b := &adminv1.RoleBinding{
			Id: made, Name: "role-binding-" + digits, Description: "Given by the group " + group + " of the sign-in provider " + p.GetName() + ".",
			Subject: &adminv1.RoleBinding_User{User: account.ID}, Role: at.role, Environment: at.environment, Team: at.team, Provider: p.GetId(),
			CreatedAt: timestamppb.New(now), UpdatedAt: timestamppb.New(now),
		}
		audit.Note(ctx, audit.Change{Action: "create", Collection: access.RoleBindings, ID: b.GetId(), Name: b.GetName(), After: b})
		if err := tx.AddBinding(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
