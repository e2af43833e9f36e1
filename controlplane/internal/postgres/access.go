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
	if violates(err, "access_tokens_name") {
		return problem.Wrap(err, problem.NameTaken, "another access token has this name")
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

// AccessToken returns the token of an id or name.
func (db *DB) AccessToken(ctx context.Context, idOrName string) (access.Token, error) {
	row, err := db.q.AccessToken(ctx, idOrName)
	if err != nil {
		return access.Token{}, orNotFound(err, noAccessToken)
	}
	return accessToken(row)
}

// AccessTokens returns tokens in the order of their names.
func (db *DB) AccessTokens(ctx context.Context, after string, limit int) ([]access.Token, error) {
	rows, err := db.q.AccessTokens(ctx, dbsqlc.AccessTokensParams{After: after, AtMost: int32(limit)})
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

// DeleteAccessToken removes the token of an id or name.
func (db *DB) DeleteAccessToken(ctx context.Context, idOrName string) error {
	return db.recorded(ctx, "deleteAccessToken", func(_ pgx.Tx, q *dbsqlc.Queries) error {
		deleted, err := q.DeleteAccessToken(ctx, idOrName)
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
		Digest: token.Digest[:], CreatedAt: token.CreatedAt,
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
		Digest: [sha256.Size]byte(row.Digest), CreatedAt: row.CreatedAt,
	}
	if row.ExpiresAt != nil {
		token.ExpiresAt = *row.ExpiresAt
	}
	return token, nil
}
