package signin

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// ProvidersCollection is the collection of sign-in providers.
const ProvidersCollection = "sign-in-providers"

// Providers is the book of sign-in providers.
type Providers = access.Book[*adminv1.SignInProvider]

// Change is what a write makes of a provider.
type Change struct {
	After  *adminv1.SignInProvider // without client secret; nil: it goes
	Secret []byte                  // sealed; nil: as before
	// Ends tells that whoever came from it is to come anew: sessions end, and what groups gave is taken.
	Ends bool
}

// ProviderStore keeps sign-in providers. Errors are *problem.Error.
type ProviderStore interface {
	// InsertProvider adds one; problem.NameTaken when another one has its name.
	InsertProvider(ctx context.Context, c Change) error
	// FindProvider returns the one of an id or name; problem.NotFound when there is none.
	FindProvider(ctx context.Context, key string) (*adminv1.SignInProvider, error)
	// SelectProviders returns providers in the order of their names.
	SelectProviders(ctx context.Context, s access.Selection) ([]*adminv1.SignInProvider, error)
	// ChangeProvider locks one and makes it what f returns. What its people have of it goes with it.
	ChangeProvider(ctx context.Context, key string, f func(before *adminv1.SignInProvider) (Change, error)) error
}

// Resolver finds what references name. It is access.Store's.
type Resolver interface {
	Resolve(ctx context.Context, collection, environment, key string) (string, error)
}

// ProviderSealedFor is the purpose that a provider's client secret is sealed for.
func ProviderSealedFor(provider string) string { return "sign-in-provider/" + provider }

// NewProviders returns the book of a store's providers. checkURL tells what is wrong with an issuer's address.
func NewProviders(store ProviderStore, resolver Resolver, sealer Sealer, checkURL func(string) error) *Providers {
	b := &providerBook{resolver: resolver, checkURL: checkURL}
	return access.NewBook(access.BookOf[*adminv1.SignInProvider]{
		Collection: ProvidersCollection, Singular: "sign-in-provider", Prefix: id.SignInProvider, Filters: []string{"name"},
		Empty:   func() *adminv1.SignInProvider { return new(adminv1.SignInProvider) },
		Records: providerRecords{store: store, sealer: sealer}, Settle: b.settle,
	})
}

type providerBook struct {
	resolver Resolver
	checkURL func(string) error
}

// settle holds a provider to what it must be. Who says who signs in can become anybody, so that it takes all that can be held.
func (b *providerBook) settle(ctx context.Context, before, after *adminv1.SignInProvider) error {
	if actor, _ := access.ActorOf(ctx); !actor.Grants.Cover(access.Grant{Permissions: access.Everything()}) {
		return problem.Errorf(problem.Forbidden, "a sign-in provider decides who signs in as whom: that takes every permission, everywhere, as owners have them")
	}
	if after == nil {
		return nil
	}
	var violations []problem.Violation
	if err := b.checkURL(after.GetIssuer()); err != nil {
		violations = append(violations, problem.Violation{Pointer: "/issuer", Code: problem.ViolationInvalidValue, Detail: err.Error(), Given: form.Given(after.GetIssuer())})
	}
	moved := before != nil && (before.GetIssuer() != after.GetIssuer() || before.GetClientId() != after.GetClientId())
	if moved && before.GetHasClientSecret() && after.GetClientSecret() == "" {
		violations = append(violations, problem.Violation{
			Pointer: "/client_secret", Code: problem.ViolationRequired, Detail: "must be given with another issuer or client id: the one that is kept isn't shown to another",
		})
	}
	if len(after.GetGroups()) > 0 && after.GetGroupClaim() == "" {
		violations = append(violations, problem.Violation{Pointer: "/group_claim", Code: problem.ViolationRequired, Detail: "must say which claim names the groups"})
	}
	found, err := b.resolveGroups(ctx, after.GetGroups())
	if err != nil {
		return err
	}
	if err := problem.Invalid(append(violations, found...)...); err != nil {
		return err
	}
	after.HasClientSecret = after.GetClientSecret() != "" || before.GetHasClientSecret()
	return nil
}

// resolveGroups turns names into ids, and returns those that name nothing.
func (b *providerBook) resolveGroups(ctx context.Context, groups []*adminv1.GroupRole) ([]problem.Violation, error) {
	var violations []problem.Violation
	find := func(i int, field, collection, environment, key string) (string, error) {
		if key == "" {
			return "", nil
		}
		found, err := b.resolver.Resolve(ctx, collection, environment, key)
		if problem.CodeOf(err) == problem.NotFound {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("groups", i, field), Code: problem.ViolationUnknownReference, Given: form.Given(key),
				Detail: "There is no object of this id or name among the " + collection + ".", Allowed: "the id or name of one of the " + collection,
			})
			return key, nil
		}
		return found, err
	}
	for i, g := range groups {
		var errs [3]error
		if _, builtIn := access.BuiltIn(access.Role(g.GetRole())); !builtIn {
			g.Role, errs[0] = find(i, "role", access.Roles, "", g.GetRole())
		}
		g.Environment, errs[1] = find(i, "environment", "environments", "", g.GetEnvironment())
		if g.GetTeam() != "" && g.GetEnvironment() == "" {
			violations = append(violations, problem.Violation{
				Pointer: problem.Pointer("groups", i, "environment"), Code: problem.ViolationRequired, Detail: "must be given: a team is one of an environment",
			})
		} else {
			g.Team, errs[2] = find(i, "team", access.Teams, g.GetEnvironment(), g.GetTeam())
		}
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
	}
	return violations, nil
}

// providerRecords keeps client secrets apart from what is shown of providers. It implements access.Records.
type providerRecords struct {
	store  ProviderStore
	sealer Sealer
}

// Insert implements access.Records.
func (r providerRecords) Insert(ctx context.Context, _ string, m *adminv1.SignInProvider) error {
	sealed, err := r.takeSecret(m, m.GetId())
	if err != nil {
		return err
	}
	return r.store.InsertProvider(ctx, Change{After: m, Secret: sealed})
}

// takeSecret seals the client secret of a provider, if it has one, and leaves it out of what is shown from here on.
func (r providerRecords) takeSecret(m *adminv1.SignInProvider, provider string) ([]byte, error) {
	plain := m.GetClientSecret()
	m.ClientSecret = ""
	if plain == "" {
		return nil, nil
	}
	sealed, err := r.sealer.Seal(ProviderSealedFor(provider), []byte(plain))
	if err != nil {
		return nil, fmt.Errorf("seal a client secret: %w", err)
	}
	return sealed, nil
}

// Find implements access.Records.
func (r providerRecords) Find(ctx context.Context, _, key string) (*adminv1.SignInProvider, error) {
	return r.store.FindProvider(ctx, key)
}

// Select implements access.Records.
func (r providerRecords) Select(ctx context.Context, _ string, s access.Selection) ([]*adminv1.SignInProvider, error) {
	return r.store.SelectProviders(ctx, s)
}

// Change implements access.Records.
func (r providerRecords) Change(ctx context.Context, _, key string, f func(before *adminv1.SignInProvider) (*adminv1.SignInProvider, error)) error {
	return r.store.ChangeProvider(ctx, key, func(before *adminv1.SignInProvider) (Change, error) {
		after, err := f(before)
		if err != nil || after == nil {
			return Change{}, err
		}
		sealed, err := r.takeSecret(after, before.GetId())
		return Change{After: after, Secret: sealed, Ends: decidesAnew(before, after)}, err
	})
}

// decidesAnew tells whether a change is one of who comes from a provider, or what they get.
func decidesAnew(before, after *adminv1.SignInProvider) bool {
	return before.GetIssuer() != after.GetIssuer() || before.GetClientId() != after.GetClientId() || before.GetGroupClaim() != after.GetGroupClaim() ||
		before.GetMatchEmail() != after.GetMatchEmail() || after.GetDisabled() || !slices.Equal(before.GetDomains(), after.GetDomains()) ||
		!slices.EqualFunc(before.GetGroups(), after.GetGroups(), func(x, y *adminv1.GroupRole) bool { return proto.Equal(x, y) })
}
