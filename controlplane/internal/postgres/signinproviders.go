package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/controlplane/internal/signin"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// enterAttempts bounds how often a sign-in is tried that another writer comes between.
const enterAttempts = 4

// providers is the table of sign-in providers. change is what a write is to make of one.
func (s SignIn) providers(change *signin.Change) *table[*adminv1.SignInProvider] {
	return &table[*adminv1.SignInProvider]{
		db: s.db, singular: "sign-in provider", names: map[string]string{"sign_in_providers_name": "name"},
		insert: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.SignInProvider) error {
			err := q.InsertSignInProvider(ctx, dbsqlc.InsertSignInProviderParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Title: m.GetTitle(), Issuer: m.GetIssuer(), ClientID: m.GetClientId(),
				ClientSecret: change.Secret, Scopes: list(m.GetScopes()), GroupClaim: m.GetGroupClaim(), Domains: list(m.GetDomains()), CreateUsers: m.GetCreateUsers(),
				MatchEmail: m.GetMatchEmail(), Disabled: m.GetDisabled(), CreatedAt: m.GetCreatedAt().AsTime(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
			if err != nil {
				return err
			}
			return insertGroups(ctx, q, m)
		},
		update: func(ctx context.Context, q *dbsqlc.Queries, _ string, labels []byte, m *adminv1.SignInProvider) error {
			err := q.UpdateSignInProvider(ctx, dbsqlc.UpdateSignInProviderParams{
				ID: m.GetId(), Name: m.GetName(), Labels: labels, Description: m.GetDescription(), Title: m.GetTitle(), Issuer: m.GetIssuer(), ClientID: m.GetClientId(),
				ClientSecret: change.Secret, Scopes: list(m.GetScopes()), GroupClaim: m.GetGroupClaim(), Domains: list(m.GetDomains()), CreateUsers: m.GetCreateUsers(),
				MatchEmail: m.GetMatchEmail(), Disabled: m.GetDisabled(), UpdatedAt: m.GetUpdatedAt().AsTime(),
			})
			if err == nil {
				err = q.DeleteSignInProviderGroups(ctx, m.GetId())
			}
			if err == nil {
				err = insertGroups(ctx, q, m)
			}
			if err != nil || !change.Ends {
				return err
			}
			if err := q.EndSessionsOfProvider(ctx, orNull(m.GetId())); err != nil {
				return fmt.Errorf("end the sessions of a provider: %w", err)
			}
			return q.DeleteProvidedRoleBindings(ctx, orNull(m.GetId()))
		},
		find: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.SignInProvider, error) {
			row, err := q.FindSignInProvider(ctx, key)
			return oneProvider(ctx, q, row, err)
		},
		lock: func(ctx context.Context, q *dbsqlc.Queries, _, key string) (*adminv1.SignInProvider, error) {
			row, err := q.LockSignInProvider(ctx, key)
			return oneProvider(ctx, q, row, err)
		},
		choose: func(ctx context.Context, q *dbsqlc.Queries, _ string, sel access.Selection, l labels) ([]*adminv1.SignInProvider, error) {
			rows, err := q.SelectSignInProviders(ctx, dbsqlc.SelectSignInProvidersParams{
				After: sel.After, Name: filtered(sel, "name"), Most: int32(sel.Limit), Equal: l.equal, Unequal: l.unequal, Present: l.present, Absent: l.absent,
			})
			if err != nil {
				return nil, err
			}
			return providersOf(ctx, q, rows)
		},
		remove: func(ctx context.Context, q *dbsqlc.Queries, _, id string) error {
			return q.DeleteSignInProvider(ctx, id)
		},
		referrersTo: func(context.Context, *dbsqlc.Queries, string, string) ([]problem.Reference, error) {
			return nil, nil // what hangs on it goes with it
		},
	}
}

func insertGroups(ctx context.Context, q *dbsqlc.Queries, m *adminv1.SignInProvider) error {
	for i, g := range m.GetGroups() {
		builtIn, role := roleColumns(g.GetRole())
		err := q.InsertSignInProviderGroup(ctx, dbsqlc.InsertSignInProviderGroupParams{
			Provider: m.GetId(), Position: int32(i), GroupName: g.GetGroup(), BuiltIn: builtIn, Role: role, // #nosec G115 -- a hundred at most
			Environment: orNull(g.GetEnvironment()), Team: orNull(g.GetTeam()),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func oneProvider(ctx context.Context, q *dbsqlc.Queries, row dbsqlc.SignInProvider, err error) (*adminv1.SignInProvider, error) {
	if err != nil {
		return nil, err
	}
	found, err := providersOf(ctx, q, []dbsqlc.SignInProvider{row})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// providersOf reads providers with their groups.
func providersOf(ctx context.Context, q *dbsqlc.Queries, rows []dbsqlc.SignInProvider) ([]*adminv1.SignInProvider, error) {
	all := make([]*adminv1.SignInProvider, len(rows))
	byID := make(map[string]*adminv1.SignInProvider, len(rows))
	ids := make([]string, len(rows))
	for i, row := range rows {
		all[i] = &adminv1.SignInProvider{
			Id: row.ID, Name: row.Name, Description: row.Description, Title: row.Title, Issuer: row.Issuer, ClientId: row.ClientID,
			HasClientSecret: row.ClientSecret != nil, Scopes: row.Scopes, GroupClaim: row.GroupClaim, Domains: row.Domains, CreateUsers: row.CreateUsers,
			MatchEmail: row.MatchEmail, Disabled: row.Disabled, CreatedAt: timestamppb.New(row.CreatedAt), UpdatedAt: timestamppb.New(row.UpdatedAt),
		}
		if err := texts(row.Labels, &all[i].Labels); err != nil {
			return nil, err
		}
		byID[row.ID], ids[i] = all[i], row.ID
	}
	groups, err := q.SignInProviderGroups(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read what groups give: %w", err)
	}
	for _, g := range groups {
		p := byID[g.Provider]
		p.Groups = append(p.Groups, &adminv1.GroupRole{
			Group: g.GroupName, Role: orEmpty(g.BuiltIn) + orEmpty(g.Role), Environment: orEmpty(g.Environment), Team: orEmpty(g.Team),
		})
	}
	return all, nil
}

// InsertProvider implements signin.ProviderStore.
func (s SignIn) InsertProvider(ctx context.Context, c signin.Change) error {
	return s.providers(&c).Insert(ctx, "", c.After)
}

// FindProvider implements signin.ProviderStore and signin.FederationStore.
func (s SignIn) FindProvider(ctx context.Context, key string) (*adminv1.SignInProvider, error) {
	return s.providers(nil).Find(ctx, "", key)
}

// SelectProviders implements signin.ProviderStore and signin.FederationStore.
func (s SignIn) SelectProviders(ctx context.Context, sel access.Selection) ([]*adminv1.SignInProvider, error) {
	return s.providers(nil).Select(ctx, "", sel)
}

// ChangeProvider implements signin.ProviderStore.
func (s SignIn) ChangeProvider(ctx context.Context, key string, f func(*adminv1.SignInProvider) (signin.Change, error)) error {
	var change signin.Change
	return s.providers(&change).Change(ctx, "", key, func(before *adminv1.SignInProvider) (*adminv1.SignInProvider, error) {
		var err error
		change, err = f(before)
		return change.After, err
	})
}

// ProviderSecret implements signin.FederationStore.
func (s SignIn) ProviderSecret(ctx context.Context, provider string) ([]byte, error) {
	row, err := s.db.q.FindSignInProvider(ctx, provider)
	return row.ClientSecret, orNotFound(err, "there is no such sign-in provider")
}

// TakeReturn implements signin.FederationStore.
func (s SignIn) TakeReturn(ctx context.Context, state [sha256.Size]byte, expires time.Time) (bool, error) {
	n, err := s.db.q.TakeSignInReturn(ctx, dbsqlc.TakeSignInReturnParams{Digest: state[:], ExpiresAt: expires})
	return n == 1, translate(err)
}

// Enter implements signin.FederationStore. Two first sign-ins of one person, or two people of one name, may cross: then one is tried again.
func (s SignIn) Enter(ctx context.Context, provider string, f func(signin.EntranceTx) error) (err error) {
	for range enterAttempts {
		err = s.db.recorded(ctx, "finishProviderSignIn", func(_ pgx.Tx, q *dbsqlc.Queries) error { return f(entranceTx{q, provider}) })
		if !errors.Is(err, publish.ErrRetry) {
			return err
		}
	}
	return problem.Wrap(err, problem.Unavailable, "too many sign in at this moment; try again")
}

// entranceTx is one sign-in at a provider.
type entranceTx struct {
	q        *dbsqlc.Queries
	provider string
}

// Provider implements signin.EntranceTx.
func (tx entranceTx) Provider(ctx context.Context) (*adminv1.SignInProvider, error) {
	row, err := tx.q.ShareSignInProvider(ctx, tx.provider)
	found, err := oneProvider(ctx, tx.q, row, err)
	return found, orNotFound(err, "there is no such sign-in provider")
}

// Identity implements signin.EntranceTx.
func (tx entranceTx) Identity(ctx context.Context, subject string) (signin.Account, bool, error) {
	row, err := tx.q.SignInIdentity(ctx, dbsqlc.SignInIdentityParams{Provider: tx.provider, Subject: subject})
	return found(signin.Account{ID: row.ID, Name: row.Name, Disabled: row.Disabled}, err)
}

// UserOfEmail implements signin.EntranceTx.
func (tx entranceTx) UserOfEmail(ctx context.Context, email string) (signin.Account, bool, error) {
	row, err := tx.q.UserOfEmail(ctx, dbsqlc.UserOfEmailParams{Email: email, Provider: tx.provider})
	return found(signin.Account{ID: row.ID, Name: row.Name, Disabled: row.Disabled}, err)
}

func found(account signin.Account, err error) (signin.Account, bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return signin.Account{}, false, nil
	}
	return account, err == nil, translate(err)
}

// HasUser implements signin.EntranceTx.
func (tx entranceTx) HasUser(ctx context.Context, name string) (bool, error) {
	_, err := tx.q.ResolveUser(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, translate(err)
}

// AddUser implements signin.EntranceTx.
func (tx entranceTx) AddUser(ctx context.Context, user *adminv1.User) error {
	if user.GetEmail() != "" {
		_, err := tx.q.SignInAccount(ctx, user.GetEmail())
		switch {
		case err == nil:
			user.Email = ""
		case !errors.Is(err, pgx.ErrNoRows):
			return translate(err)
		}
	}
	return translate(tx.q.InsertUser(ctx, dbsqlc.InsertUserParams{
		ID: user.GetId(), Name: user.GetName(), Labels: []byte("{}"), Description: user.GetDescription(), Email: orNull(user.GetEmail()),
		CreatedAt: user.GetCreatedAt().AsTime(), UpdatedAt: user.GetUpdatedAt().AsTime(),
	}))
}

// AddIdentity implements signin.EntranceTx.
func (tx entranceTx) AddIdentity(ctx context.Context, subject, user string, at time.Time) error {
	return translate(tx.q.InsertSignInIdentity(ctx, dbsqlc.InsertSignInIdentityParams{Provider: tx.provider, Subject: subject, UserID: user, CreatedAt: at}))
}

// Bindings implements signin.EntranceTx.
func (tx entranceTx) Bindings(ctx context.Context, user string) ([]*adminv1.RoleBinding, error) {
	rows, err := tx.q.ProvidedRoleBindings(ctx, dbsqlc.ProvidedRoleBindingsParams{UserID: &user, Provider: &tx.provider})
	return each(rows, translate(err), roleBinding)
}

// AddBinding implements signin.EntranceTx.
func (tx entranceTx) AddBinding(ctx context.Context, b *adminv1.RoleBinding) error {
	builtIn, role := roleColumns(b.GetRole())
	return translate(tx.q.InsertProvidedRoleBinding(ctx, dbsqlc.InsertProvidedRoleBindingParams{
		ID: b.GetId(), Name: b.GetName(), Description: b.GetDescription(), UserID: orNull(b.GetUser()), BuiltIn: builtIn, Role: role,
		Environment: orNull(b.GetEnvironment()), Team: orNull(b.GetTeam()), CreatedAt: b.GetCreatedAt().AsTime(), Provider: &tx.provider,
	}))
}

// RemoveBinding implements signin.EntranceTx.
func (tx entranceTx) RemoveBinding(ctx context.Context, binding string) error {
	return translate(tx.q.DeleteRoleBinding(ctx, binding))
}

// InsertSession implements signin.EntranceTx.
func (tx entranceTx) InsertSession(ctx context.Context, s signin.Session, most int) error {
	return translate(insertSession(ctx, tx.q, s, most))
}
