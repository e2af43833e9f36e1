package access

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// AccessTokens is the collection of access tokens.
const AccessTokens = "access-tokens"

// Store keeps access tokens. Errors are *problem.Error.
type Store interface {
	// InsertAccessToken adds a token; problem.NameTaken when another one has its name.
	InsertAccessToken(ctx context.Context, token Token) error
	// InsertFirstAccessToken adds a token if there is none at all, and tells whether it did. Of
	// several at once, one does.
	InsertFirstAccessToken(ctx context.Context, token Token) (bool, error)
	// Credential returns the token of an id with whom it stands for, in one look; problem.NotFound when there is none.
	Credential(ctx context.Context, tokenID string) (Credential, error)
	// AccessToken returns the token of an id or name; problem.NotFound when there is none.
	AccessToken(ctx context.Context, idOrName string) (Token, error)
	// AccessTokens returns up to limit tokens in the order of their names, after one; those of a user, unless that is "".
	AccessTokens(ctx context.Context, after, user string, limit int) ([]Token, error)
	// DeleteAccessToken removes the token of an id, and its role bindings; problem.NotFound when there is none.
	DeleteAccessToken(ctx context.Context, id string) error
	// GrantsOf returns what role bindings give a user or a service token, by id.
	GrantsOf(ctx context.Context, subject string) (Grants, error)
	// Resolve returns the id of an object by id or name: of "users", "access-tokens", "roles", "environments", and of an
	// environment's "teams"; problem.NotFound when there is none.
	Resolve(ctx context.Context, collection, environment, key string) (string, error)
}

// Tokens makes, recognises and ends access tokens.
type Tokens struct {
	store Store
	now   func() time.Time
}

// NewTokens returns the access tokens of a store.
func NewTokens(store Store) *Tokens {
	return &Tokens{store: store, now: time.Now}
}

// Authenticate returns who a token's text stands for, and what they may do. Whatever is wrong with the text, the error is
// the same *problem.Error (unauthenticated): it tells nobody which tokens exist.
func (t *Tokens) Authenticate(ctx context.Context, text string) (Actor, error) {
	tokenID, ok := parseSecret(text)
	if !ok {
		return Actor{}, errUnauthenticated()
	}
	found, err := t.store.Credential(ctx, tokenID)
	if problem.CodeOf(err) == problem.NotFound {
		return Actor{}, errUnauthenticated()
	}
	if err != nil {
		return Actor{}, err
	}
	given := digestOf(text)
	if subtle.ConstantTimeCompare(given[:], found.Digest[:]) != 1 || found.expired(t.now()) || found.Disabled {
		return Actor{}, errUnauthenticated()
	}
	return found.actor(), nil
}

// actor is whom a credential stands for.
func (c *Credential) actor() Actor {
	held := c.Grants
	if c.User == "" {
		held = held.with(c.Role)
	}
	a := Actor{ID: c.ID, Name: c.Name, Token: c.ID, Expires: c.ExpiresAt, Scope: c.Scope, Held: held, Grants: held.narrowed(c.Scope)}
	if c.User != "" {
		a.ID, a.Name, a.User = c.User, c.UserName, true
	}
	var roles []string
	for _, g := range a.Held {
		if !slices.Contains(roles, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	a.Role = strings.Join(roles, ",")
	return a
}

// with adds a token's own role, which holds everywhere.
func (gs Grants) with(role Role) Grants {
	permissions, ok := BuiltIn(role)
	if !ok {
		return gs
	}
	return append(slices.Clip(gs), Grant{Role: string(role), Permissions: permissions})
}

// Create makes a token as an actor wants it, and returns it with its text, which is shown this once. Nobody makes one that may more
// than they do, or works longer. Errors are *problem.Error.
func (t *Tokens) Create(ctx context.Context, wanted *adminv1.AccessToken) (*adminv1.AccessToken, error) {
	now := t.now()
	if err := problem.Invalid(check(wanted, now)...); err != nil {
		return nil, err
	}
	token := t.begin(wanted.GetName(), wanted.GetDescription())
	if at := wanted.GetExpiresAt(); at != nil {
		token.ExpiresAt = at.AsTime().Truncate(time.Microsecond)
	}
	token.Role = Role(wanted.GetRole())
	var err error
	if token.User, err = t.resolve(ctx, "users", "/user", wanted.GetUser()); err != nil {
		return nil, err
	}
	if token.Scope.Environment, err = t.resolve(ctx, "environments", "/scope/environment", wanted.GetScope().GetEnvironment()); err != nil {
		return nil, err
	}
	if maker, _ := ActorOf(ctx); token.Scope.Environment != "" && !maker.Grants.Reach(token.Scope.Environment) {
		return nil, problem.Invalid(unknownReference("/scope/environment", "environments", wanted.GetScope().GetEnvironment()))
	}
	for _, p := range wanted.GetScope().GetPermissions() {
		token.Scope.Permissions = append(token.Scope.Permissions, Permission(p))
	}
	if err := t.mayCreate(ctx, &token); err != nil {
		return nil, err
	}
	return t.insert(ctx, token)
}

// CreateOwner makes a token that may do everything, for whoever can run commands beside the database.
func (t *Tokens) CreateOwner(ctx context.Context, name string) (*adminv1.AccessToken, error) {
	wanted := &adminv1.AccessToken{Name: name, Role: string(RoleOwner)}
	if err := problem.Invalid(check(wanted, t.now())...); err != nil {
		return nil, err
	}
	token := t.begin(name, "")
	token.Role = RoleOwner
	return t.insert(ctx, token)
}

func (t *Tokens) begin(name, description string) Token {
	now := t.now()
	return Token{ID: id.Text(IDPrefix, id.New(now)), Name: name, Description: description, CreatedAt: now.UTC().Truncate(time.Microsecond)}
}

func (t *Tokens) insert(ctx context.Context, token Token) (*adminv1.AccessToken, error) {
	text := newSecret(token.ID)
	token.Digest = digestOf(text)
	audit.Note(ctx, audit.Change{Action: actionCreate, Collection: AccessTokens, ID: token.ID, Name: token.Name, After: token.message()})
	if err := t.store.InsertAccessToken(ctx, token); err != nil {
		return nil, err
	}
	made := token.message()
	made.Token = text
	return made, nil
}

// resolve returns the id of what a field names; "" when it names nothing.
func (t *Tokens) resolve(ctx context.Context, collection, pointer, key string) (string, error) {
	if key == "" {
		return "", nil
	}
	found, err := t.store.Resolve(ctx, collection, "", key)
	if problem.CodeOf(err) == problem.NotFound {
		return "", problem.Invalid(unknownReference(pointer, collection, key))
	}
	return found, err
}

// mayCreate holds whoever makes a token to what they may themselves: now, and after their rights or the token's owner's have grown.
func (t *Tokens) mayCreate(ctx context.Context, token *Token) error {
	maker, _ := ActorOf(ctx)
	if !maker.Expires.IsZero() && (token.ExpiresAt.IsZero() || token.ExpiresAt.After(maker.Expires)) {
		return problem.Errorf(problem.Forbidden, "an access token can't outlive the one that it is made with, which expires at %s", maker.Expires.UTC().Format(time.RFC3339))
	}
	if !token.Scope.within(maker.Scope) {
		return problem.Errorf(problem.Forbidden, "the access token that this is asked with is narrowed by a scope; the new one's must lie within that")
	}
	switch {
	case token.User != "" && maker.User && token.User == maker.ID:
		return nil
	case token.User != "":
		return t.mayBecome(ctx, maker, token.User)
	case !maker.Grants.Globally(WriteAccessTokens):
		return problem.Errorf(problem.Forbidden, "to make a token that belongs to nobody needs %s everywhere; one of your own names you as its user", WriteAccessTokens)
	case !maker.Grants.CoverAll(Grants(nil).with(token.Role)):
		return problem.Errorf(problem.Forbidden, "the role %s allows more than you may yourself", token.Role)
	}
	return nil
}

// mayBecome tells whether an actor may make tokens in a user's name.
func (t *Tokens) mayBecome(ctx context.Context, maker Actor, user string) error {
	if !maker.Grants.Globally(WriteAccessTokens) || !maker.Grants.Globally(Impersonate) {
		return problem.Errorf(problem.Forbidden, "to make a token in somebody else's name needs %s and %s everywhere", WriteAccessTokens, Impersonate)
	}
	grants, err := t.store.GrantsOf(ctx, user)
	if err != nil {
		return err
	}
	if !maker.Grants.CoverAll(grants) {
		return problem.Errorf(problem.Forbidden, "this user may do more than you may yourself")
	}
	return nil
}

// Bootstrap makes the first token, named "bootstrap", when there is none at all, and returns its
// text. When there are tokens already, created is false and nothing is made.
func (t *Tokens) Bootstrap(ctx context.Context) (text string, created bool, err error) {
	token := t.begin("bootstrap", "First token of the owner; make one for each person and script, then delete it.")
	token.Role = RoleOwner
	text = newSecret(token.ID)
	token.Digest = digestOf(text)
	ctx = audit.Ensure(ctx, audit.System, "bootstrap")
	audit.Note(ctx, audit.Change{Action: actionCreate, Collection: AccessTokens, ID: token.ID, Name: token.Name, After: token.message()})
	created, err = t.store.InsertFirstAccessToken(ctx, token)
	if err != nil {
		return "", false, fmt.Errorf("make the first access token: %w", err)
	}
	if !created {
		return "", false, nil
	}
	return text, true, nil
}

// Get returns a token by id or name, without its text: one's own, or any to whom may read all.
func (t *Tokens) Get(ctx context.Context, idOrName string) (*adminv1.AccessToken, error) {
	token, err := t.find(ctx, idOrName, ReadAccessTokens)
	if err != nil {
		return nil, err
	}
	return token.message(), nil
}

// find returns a token that an actor holds a permission for. Others aren't there for them.
func (t *Tokens) find(ctx context.Context, idOrName string, p Permission) (Token, error) {
	asker, _ := ActorOf(ctx)
	token, err := t.store.AccessToken(ctx, idOrName)
	if err != nil {
		return Token{}, err
	}
	if asker.Grants.Globally(p) || asker.Grants.Anywhere(p) && token.belongsTo(asker) {
		return token, nil
	}
	return Token{}, errNoAccessToken()
}

func (t *Token) belongsTo(a Actor) bool { return t.User != "" && a.User && t.User == a.ID }

// List returns a page of tokens in the order of their names, without their texts: one's own, or all to whom may read all.
// There is nothing to filter by.
func (t *Tokens) List(ctx context.Context, q listing.Query) (listing.Page[*adminv1.AccessToken], error) {
	var none listing.Page[*adminv1.AccessToken]
	plan, err := q.Plan()
	if err != nil {
		return none, err
	}
	asker, _ := ActorOf(ctx)
	user := ""
	if !asker.Grants.Globally(ReadAccessTokens) {
		if !asker.User {
			return none, nil
		}
		user = asker.ID
	}
	tokens, err := t.store.AccessTokens(ctx, plan.After, user, plan.Limit+1)
	if err != nil {
		return none, err
	}
	messages := make([]*adminv1.AccessToken, len(tokens))
	for i := range tokens {
		messages[i] = tokens[i].message()
	}
	return listing.PageOf(plan, messages, (*adminv1.AccessToken).GetName), nil
}

// Delete ends a token by id or name: whoever holds it is refused from the next request on. Nobody ends one that may more than they do.
func (t *Tokens) Delete(ctx context.Context, idOrName string) error {
	token, err := t.find(ctx, idOrName, WriteAccessTokens)
	if err != nil {
		return err
	}
	deleter, _ := ActorOf(ctx)
	if !token.belongsTo(deleter) {
		subject := token.User
		if subject == "" {
			subject = token.ID
		}
		grants, err := t.store.GrantsOf(ctx, subject)
		if err != nil {
			return err
		}
		if !deleter.Grants.CoverAll(grants.with(token.Role).narrowed(token.Scope)) {
			return problem.Errorf(problem.Forbidden, "this access token may do more than you may yourself")
		}
	}
	audit.Note(ctx, audit.Change{Action: actionDelete, Collection: AccessTokens, ID: token.ID, Name: token.Name, Before: token.message()})
	return t.store.DeleteAccessToken(ctx, token.ID)
}

// message returns what may be shown of a token.
func (t *Token) message() *adminv1.AccessToken {
	m := &adminv1.AccessToken{
		Id:          t.ID,
		Name:        t.Name,
		Description: t.Description,
		Role:        string(t.Role),
		User:        t.User,
		Scope:       t.Scope.message(),
		CreatedAt:   timestamppb.New(t.CreatedAt),
	}
	if !t.ExpiresAt.IsZero() {
		m.ExpiresAt = timestamppb.New(t.ExpiresAt)
	}
	return m
}

// message returns the scope as it is shown; nil when it narrows nothing.
func (s Scope) message() *adminv1.TokenScope {
	if s.Environment == "" && len(s.Permissions) == 0 {
		return nil
	}
	return &adminv1.TokenScope{Environment: s.Environment, Permissions: texts(s.Permissions)}
}

func texts(permissions []Permission) []string {
	list := make([]string, len(permissions))
	for i, p := range permissions {
		list[i] = string(p)
	}
	return list
}

func errUnauthenticated() error {
	return problem.Errorf(problem.Unauthenticated, "the access token is missing, mistyped, expired or deleted")
}

func errNoAccessToken() error {
	return problem.Errorf(problem.NotFound, "there is no access token of this id or name")
}
