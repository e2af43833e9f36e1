package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/problem"
)

var _ access.Store = (*DB)(nil)

// InsertAccessToken adds a token.
func (db *DB) InsertAccessToken(ctx context.Context, token access.Token) error {
	err := db.recorded(ctx, "createAccessToken", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		noteMade(ctx, token.ID)
		return q.InsertAccessToken(ctx, accessTokenParams(token))
	})
	switch {
	case violates(err, "access_tokens_name"):
		return problem.Wrap(err, problem.NameTaken, "another access token has this name")
	case breaksReference(err):
		return problem.Wrap(err, problem.Conflict, "the token's user or environment is just gone")
	}
	return err
}

// InsertFirstAccessToken adds a token if there is none. The table's lock makes others wait that try the
// same.
func (db *DB) InsertFirstAccessToken(ctx context.Context, token access.Token) (inserted bool, err error) {
	err = db.recorded(ctx, "bootstrap", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		if err := q.LockAccessTokens(ctx); err != nil {
			return err
		}
		there, err := q.AnyAccessToken(ctx)
		if err != nil {
			return err
		}
		if there {
			return errNothingToDo
		}
		return q.InsertAccessToken(ctx, accessTokenParams(token))
	})
	if errors.Is(err, errNothingToDo) {
		return false, nil
	}
	return err == nil, err
}

// Credential returns a token with whom it stands for.
func (db *DB) Credential(ctx context.Context, tokenID string) (access.Credential, error) {
	rows, err := db.q.Credential(ctx, tokenID)
	if err != nil {
		return access.Credential{}, translate(err)
	}
	if len(rows) == 0 {
		return access.Credential{}, problem.Errorf(problem.NotFound, noAccessToken)
	}
	token, err := accessToken(rows[0].AccessToken)
	if err != nil {
		return access.Credential{}, err
	}
	c := access.Credential{Token: token, UserName: orEmpty(rows[0].UserName), Disabled: rows[0].UserDisabled != nil && *rows[0].UserDisabled}
	for _, r := range rows {
		if r.Binding != nil {
			c.Grants = append(c.Grants, grant(*r.Binding, r.BuiltIn, r.RoleName, r.Permissions, r.Environment, r.Team))
		}
	}
	return c, nil
}

// GrantsOf returns what role bindings give a user or a token.
func (db *DB) GrantsOf(ctx context.Context, subject string) (access.Grants, error) {
	rows, err := db.q.GrantsOf(ctx, &subject)
	if err != nil {
		return nil, translate(err)
	}
	grants := make(access.Grants, len(rows))
	for i, r := range rows {
		grants[i] = grant(r.Binding, r.BuiltIn, r.RoleName, r.Permissions, r.Environment, r.Team)
	}
	return grants, nil
}

// grant is what one role binding gives. A built-in role that this build doesn't know gives nothing.
func grant(binding string, builtIn, role *string, permissions []string, environment, team *string) access.Grant {
	g := access.Grant{Binding: binding, Role: orEmpty(role), Environment: orEmpty(environment), Team: orEmpty(team)}
	if builtIn != nil {
		g.Role = *builtIn
		g.Permissions, _ = access.BuiltIn(access.Role(*builtIn))
		return g
	}
	for _, p := range permissions {
		g.Permissions = g.Permissions.Or(access.SetOf(access.Permission(p)))
	}
	return g
}

// Resolve returns the id of an object by id or name.
func (db *DB) Resolve(ctx context.Context, collection, environment, key string) (found string, err error) {
	switch collection {
	case access.Users:
		found, err = db.q.ResolveUser(ctx, key)
	case access.AccessTokens:
		found, err = db.q.ResolveAccessToken(ctx, key)
	case access.Roles:
		found, err = db.q.ResolveRole(ctx, key)
	case "environments":
		found, err = db.q.ResolveEnvironment(ctx, key)
	case access.Teams:
		found, err = db.q.ResolveTeam(ctx, dbsqlc.ResolveTeamParams{Environment: environment, Key: key})
	default:
		return "", fmt.Errorf("nothing in %q can be referred to", collection)
	}
	return found, orNotFound(err, "there is no object of this id or name among the %s", collection)
}

// AccessToken returns the token of an id or name.
func (db *DB) AccessToken(ctx context.Context, idOrName string) (access.Token, error) {
	row, err := db.q.AccessToken(ctx, idOrName)
	if err != nil {
		return access.Token{}, orNotFound(err, noAccessToken)
	}
	return accessToken(row)
}

// AccessTokens returns tokens in the order of their names.
func (db *DB) AccessTokens(ctx context.Context, after, user string, limit int) ([]access.Token, error) {
	rows, err := db.q.AccessTokens(ctx, dbsqlc.AccessTokensParams{After: after, UserID: orNull(user), AtMost: int32(limit)})
	if err != nil {
		return nil, translate(err)
	}
	tokens := make([]access.Token, len(rows))
	for i, row := range rows {
		if tokens[i], err = accessToken(row); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// DeleteAccessToken removes the token of an id, and its role bindings.
func (db *DB) DeleteAccessToken(ctx context.Context, id string) error {
	return db.recorded(ctx, "deleteAccessToken", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		deleted, err := q.DeleteAccessToken(ctx, id)
		if err == nil && deleted == 0 {
			return problem.Errorf(problem.NotFound, noAccessToken)
		}
		return err
	})
}

// errNothingToDo ends a transaction that finds everything done.
var errNothingToDo = errors.New("nothing to do")

const noAccessToken = "there is no access token of this id or name"

func accessTokenParams(token access.Token) dbsqlc.InsertAccessTokenParams {
	params := dbsqlc.InsertAccessTokenParams{
		ID: token.ID, Name: token.Name, Description: token.Description, Role: string(token.Role),
		Digest: token.Digest[:], CreatedAt: token.CreatedAt, UserID: orNull(token.User), ScopeEnvironment: orNull(token.Scope.Environment),
		ScopePermissions: make([]string, len(token.Scope.Permissions)),
	}
	for i, p := range token.Scope.Permissions {
		params.ScopePermissions[i] = string(p)
	}
	if !token.ExpiresAt.IsZero() {
		params.ExpiresAt = &token.ExpiresAt
	}
	return params
}

func accessToken(row dbsqlc.AccessToken) (access.Token, error) {
	if len(row.Digest) != sha256.Size {
		return access.Token{}, fmt.Errorf("access token %s: its digest has %d bytes", row.ID, len(row.Digest))
	}
	token := access.Token{
		ID: row.ID, Name: row.Name, Description: row.Description, Role: access.Role(row.Role),
		Digest: [sha256.Size]byte(row.Digest), CreatedAt: row.CreatedAt, User: orEmpty(row.UserID),
		Scope: access.Scope{Environment: orEmpty(row.ScopeEnvironment)},
	}
	for _, p := range row.ScopePermissions {
		token.Scope.Permissions = append(token.Scope.Permissions, access.Permission(p))
	}
	if row.ExpiresAt != nil {
		token.ExpiresAt = *row.ExpiresAt
	}
	return token, nil
}
