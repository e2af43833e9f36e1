package access

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Store keeps access tokens. Errors are *problem.Error.
type Store interface {
	// InsertAccessToken adds a token; problem.NameTaken when another one has its name.
	InsertAccessToken(ctx context.Context, token Token) error
	// InsertFirstAccessToken adds a token if there is none at all, and tells whether it did. Of
	// several at once, one does.
	InsertFirstAccessToken(ctx context.Context, token Token) (bool, error)
	// AccessToken returns the token of an id or name; problem.NotFound when there is none.
	AccessToken(ctx context.Context, idOrName string) (Token, error)
	// AccessTokens returns up to limit tokens in the order of their names, after one.
	AccessTokens(ctx context.Context, after string, limit int) ([]Token, error)
	// DeleteAccessToken removes the token of an id or name; problem.NotFound when there is none.
	DeleteAccessToken(ctx context.Context, idOrName string) error
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

// Authenticate returns who a token's text stands for. Whatever is wrong with the text, the error is
// the same *problem.Error (unauthenticated): it tells nobody which tokens exist.
func (t *Tokens) Authenticate(ctx context.Context, text string) (Actor, error) {
	tokenID, ok := parseSecret(text)
	if !ok {
		return Actor{}, errUnauthenticated()
	}
	token, err := t.store.AccessToken(ctx, tokenID)
	if problem.CodeOf(err) == problem.NotFound {
		return Actor{}, errUnauthenticated()
	}
	if err != nil {
		return Actor{}, err
	}
	given := digestOf(text)
	if subtle.ConstantTimeCompare(given[:], token.Digest[:]) != 1 || token.expired(t.now()) {
		return Actor{}, errUnauthenticated()
	}
	return Actor{ID: token.ID, Name: token.Name, Role: string(token.Role)}, nil
}

// Create makes a token of the owner's role and returns it with its text, which is shown this once.
// Output-only fields of wanted are not looked at. Errors are *problem.Error.
func (t *Tokens) Create(ctx context.Context, wanted *adminv1.AccessToken) (*adminv1.AccessToken, error) {
	now := t.now()
	if err := problem.Invalid(check(wanted, now)...); err != nil {
		return nil, err
	}
	token := Token{
		ID:          id.Text(IDPrefix, id.New(now)),
		Name:        wanted.GetName(),
		Description: wanted.GetDescription(),
		Role:        RoleOwner,
		CreatedAt:   now.UTC().Truncate(time.Microsecond),
	}
	if at := wanted.GetExpiresAt(); at != nil {
		token.ExpiresAt = at.AsTime().Truncate(time.Microsecond)
	}
	text := newSecret(token.ID)
	token.Digest = digestOf(text)
	audit.Note(ctx, token.change("create"))
	if err := t.store.InsertAccessToken(ctx, token); err != nil {
		return nil, err
	}
	made := token.message()
	made.Token = text
	return made, nil
}

// Bootstrap makes the first token, named "bootstrap", when there is none at all, and returns its
// text. When there are tokens already, created is false and nothing is made.
func (t *Tokens) Bootstrap(ctx context.Context) (text string, created bool, err error) {
	now := t.now()
	token := Token{
		ID:          id.Text(IDPrefix, id.New(now)),
		Name:        "bootstrap",
		Description: "First token of the owner; make one for each person and script, then delete it.",
		Role:        RoleOwner,
		CreatedAt:   now.UTC().Truncate(time.Microsecond),
	}
	text = newSecret(token.ID)
	token.Digest = digestOf(text)
	ctx = audit.Ensure(ctx, audit.System, "bootstrap")
	audit.Note(ctx, token.change("create"))
	created, err = t.store.InsertFirstAccessToken(ctx, token)
	if err != nil {
		return "", false, fmt.Errorf("make the first access token: %w", err)
	}
	if !created {
		return "", false, nil
	}
	return text, true, nil
}

// Get returns a token by id or name, without its text.
func (t *Tokens) Get(ctx context.Context, idOrName string) (*adminv1.AccessToken, error) {
	token, err := t.store.AccessToken(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	return token.message(), nil
}

// List returns a page of tokens in the order of their names, without their texts. There is nothing
// to filter by.
func (t *Tokens) List(ctx context.Context, q listing.Query) (listing.Page[*adminv1.AccessToken], error) {
	plan, err := q.Plan()
	if err != nil {
		return listing.Page[*adminv1.AccessToken]{}, err
	}
	tokens, err := t.store.AccessTokens(ctx, plan.After, plan.Limit+1)
	if err != nil {
		return listing.Page[*adminv1.AccessToken]{}, err
	}
	messages := make([]*adminv1.AccessToken, len(tokens))
	for i := range tokens {
		messages[i] = tokens[i].message()
	}
	return listing.PageOf(plan, messages, (*adminv1.AccessToken).GetName), nil
}

// Delete ends a token by id or name: whoever holds it is refused from the next request on.
func (t *Tokens) Delete(ctx context.Context, idOrName string) error {
	token, err := t.store.AccessToken(ctx, idOrName)
	if err != nil {
		return err
	}
	audit.Note(ctx, token.change("delete"))
	return t.store.DeleteAccessToken(ctx, token.ID)
}

// change is what the record has of a token that is made or deleted.
func (t *Token) change(action string) audit.Change {
	c := audit.Change{Action: action, Collection: "access-tokens", ID: t.ID, Name: t.Name}
	if action == "delete" {
		c.Before = t.message()
	} else {
		c.After = t.message()
	}
	return c
}

// message returns what may be shown of a token.
func (t *Token) message() *adminv1.AccessToken {
	m := &adminv1.AccessToken{
		Id:          t.ID,
		Name:        t.Name,
		Description: t.Description,
		Role:        string(t.Role),
		CreatedAt:   timestamppb.New(t.CreatedAt),
	}
	if !t.ExpiresAt.IsZero() {
		m.ExpiresAt = timestamppb.New(t.ExpiresAt)
	}
	return m
}

func errUnauthenticated() error {
	return problem.Errorf(problem.Unauthenticated, "the access token is missing, mistyped, expired or deleted")
}
