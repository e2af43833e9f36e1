-- name: InsertAccessToken :exec
INSERT INTO access_tokens (id, name, description, role, digest, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: LockAccessTokens :exec
LOCK TABLE access_tokens IN SHARE ROW EXCLUSIVE MODE;

-- name: AnyAccessToken :one
SELECT EXISTS (SELECT FROM access_tokens);

-- name: AccessToken :one
SELECT * FROM access_tokens
WHERE id = sqlc.arg(id_or_name) OR name = sqlc.arg(id_or_name);

-- name: AccessTokens :many
SELECT * FROM access_tokens
WHERE name > sqlc.arg(after)
ORDER BY name
LIMIT sqlc.arg(at_most);

-- name: DeleteAccessToken :execrows
DELETE FROM access_tokens
WHERE id = sqlc.arg(id_or_name) OR name = sqlc.arg(id_or_name);
