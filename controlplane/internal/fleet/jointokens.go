package fleet

import (
	"context"
	"crypto/rand"
	"regexp"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/jointoken"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	maxJoinTokenUses = 10_000
	maxDescription   = 1024 // bytes
)

var joinTokenName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// JoinTokens makes and shows join tokens. A token's secret is shown once, when it is made; what is
// kept is its digest.
type JoinTokens struct {
	store     JoinTokenStore
	authority *Authority
	now       func() time.Time
}

// NewJoinTokens returns the tokens of store. They carry the authority's fingerprint.
func NewJoinTokens(store JoinTokenStore, authority *Authority) *JoinTokens {
	return &JoinTokens{store: store, authority: authority, now: time.Now}
}

// Create makes a token for an environment. The answer is the only one that holds its text.
func (t *JoinTokens) Create(ctx context.Context, environment string, wanted *adminv1.JoinToken) (*adminv1.JoinToken, error) {
	now := t.now().UTC().Truncate(time.Microsecond) // as fine as Postgres keeps it
	if err := problem.Invalid(checkJoinToken(wanted, now)...); err != nil {
		return nil, err
	}
	text, err := jointoken.New(rand.Reader, t.authority.Fingerprint())
	if err != nil {
		return nil, err
	}
	digest := text.SecretDigest()
	made := id.New(now)
	token := JoinToken{
		ID:          id.Text(joinTokenPrefix, made),
		Environment: environment,
		Name:        wanted.GetName(),
		Description: wanted.GetDescription(),
		Lookup:      text.ID,
		Digest:      digest[:],
		ExpiresAt:   wanted.GetExpiresAt().AsTime().Truncate(time.Microsecond),
		MaxUses:     1,
		CreatedAt:   now,
	}
	if wanted.MaxUses != nil {
		token.MaxUses = wanted.GetMaxUses()
	}
	if token.Name == "" {
		token.Name = "join-" + token.ID[len(token.ID)-12:]
	}
	if wanted.GetGroup() != "" {
		group, err := t.store.Group(ctx, environment, wanted.GetGroup())
		if err != nil {
			return nil, unknownGroup(err, wanted.GetGroup())
		}
		token.Group = group.ID
	}
	audit.Note(ctx, audit.Change{Action: "create", Collection: "join-tokens", ID: token.ID, Name: token.Name, After: token.message()})
	if err := t.store.InsertJoinToken(ctx, token); err != nil {
		return nil, err
	}
	answer := token.message()
	answer.Token = text.String()
	return answer, nil
}

func checkJoinToken(wanted *adminv1.JoinToken, now time.Time) []problem.Violation {
	var violations []problem.Violation
	bad := func(pointer, code, detail, given, allowed string) {
		violations = append(violations, problem.Violation{Pointer: pointer, Code: code, Detail: detail, Given: given, Allowed: allowed})
	}
	if name := wanted.GetName(); name != "" && !joinTokenName.MatchString(name) {
		bad("/name", problem.ViolationInvalidFormat, "A name is lower-case letters, digits and dashes.", clean(name, 64), joinTokenName.String())
	}
	if len(wanted.GetDescription()) > maxDescription {
		bad("/description", problem.ViolationTooLong, "The description is too long.", "", "at most 1024 bytes")
	}
	switch expires := wanted.GetExpiresAt(); {
	case expires == nil:
		bad("/expires_at", problem.ViolationRequired, "A join token must end: say when.", "", "")
	case expires.CheckValid() != nil, !expires.AsTime().After(now):
		bad("/expires_at", problem.ViolationOutOfRange, "A join token must end in the future.", "", "later than now")
	}
	if uses := wanted.MaxUses; uses != nil && (*uses < 1 || *uses > maxJoinTokenUses) {
		bad("/max_uses", problem.ViolationOutOfRange, "The number of uses is out of range.", "", "1 to 10000")
	}
	return violations
}

// List returns one page of an environment's tokens, by name, without their texts.
func (t *JoinTokens) List(ctx context.Context, environment string, query listing.Query) (listing.Page[*adminv1.JoinToken], error) {
	plan, err := planWithoutFilters(query)
	if err != nil {
		return listing.Page[*adminv1.JoinToken]{}, err
	}
	tokens, err := t.store.JoinTokens(ctx, environment, plan.After, plan.Limit+1)
	if err != nil {
		return listing.Page[*adminv1.JoinToken]{}, err
	}
	items := make([]*adminv1.JoinToken, len(tokens))
	for i := range tokens {
		items[i] = tokens[i].message()
	}
	return listing.PageOf(plan, items, (*adminv1.JoinToken).GetName), nil
}

// Get returns a token by id or name, without its text.
func (t *JoinTokens) Get(ctx context.Context, environment, key string) (*adminv1.JoinToken, error) {
	token, err := t.store.JoinToken(ctx, environment, key)
	if err != nil {
		return nil, err
	}
	return token.message(), nil
}

// Delete ends a token. Nodes that have enrolled with it stay.
func (t *JoinTokens) Delete(ctx context.Context, environment, key string) error {
	token, err := t.store.JoinToken(ctx, environment, key)
	if err != nil {
		return err
	}
	audit.Note(ctx, audit.Change{Action: "delete", Collection: "join-tokens", ID: token.ID, Name: token.Name, Before: token.message()})
	return t.store.DeleteJoinToken(ctx, environment, token.ID)
}

func (t *JoinToken) message() *adminv1.JoinToken {
	uses := t.MaxUses
	return &adminv1.JoinToken{
		Id:          t.ID,
		Name:        t.Name,
		Description: t.Description,
		ExpiresAt:   timestamppb.New(t.ExpiresAt),
		MaxUses:     &uses,
		Uses:        t.Uses,
		CreatedAt:   timestamppb.New(t.CreatedAt),
		Group:       t.Group,
	}
}
