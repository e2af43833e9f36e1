-- name: LockPasswordsToChange :many
SELECT id FROM passwords
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR UPDATE;

-- name: LockPasswordsToShare :many
SELECT id FROM passwords
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR KEY SHARE;

-- name: GetPasswords :many
SELECT sqlc.embed(passwords), directory_entries.hash, directory_entries.sequence, owners.team
FROM passwords
JOIN consumers owners ON owners.environment = passwords.environment AND owners.id = passwords.consumer
JOIN directory_entries ON directory_entries.environment = passwords.environment AND directory_entries.key = passwords.entry_key
WHERE passwords.environment = @environment AND passwords.id = ANY(@ids::text[]);

-- name: FindPassword :one
SELECT sqlc.embed(passwords), directory_entries.hash, directory_entries.sequence, owners.team
FROM passwords
JOIN consumers owners ON owners.environment = passwords.environment AND owners.id = passwords.consumer
JOIN directory_entries ON directory_entries.environment = passwords.environment AND directory_entries.key = passwords.entry_key
WHERE passwords.environment = @environment AND (passwords.id = @key OR passwords.name = @key);

-- name: SelectPasswords :many
SELECT sqlc.embed(passwords), directory_entries.hash, directory_entries.sequence, owners.team
FROM passwords
JOIN consumers owners ON owners.environment = passwords.environment AND owners.id = passwords.consumer
JOIN directory_entries ON directory_entries.environment = passwords.environment AND directory_entries.key = passwords.entry_key
WHERE passwords.environment = @environment AND passwords.name > @after
  AND (sqlc.narg(name)::text IS NULL OR passwords.name = sqlc.narg(name))
  AND (sqlc.narg(username)::text IS NULL OR passwords.username = sqlc.narg(username))
  AND (sqlc.narg(consumer)::text IS NULL OR passwords.consumer IN (
      SELECT c.id FROM consumers c
      WHERE c.environment = @environment AND (c.id = sqlc.narg(consumer) OR c.name = sqlc.narg(consumer))))
  AND (sqlc.narg(within)::text[] IS NULL OR owners.team = ANY(sqlc.narg(within)::text[]))
  AND passwords.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE passwords.labels @> unequal.pair)
  AND passwords.labels ?& @present::text[]
  AND NOT passwords.labels ?| @absent::text[]
ORDER BY passwords.name
LIMIT @most;

-- name: ListPasswordsOfConsumer :many
SELECT id, name FROM passwords
WHERE environment = @environment AND consumer = @consumer
ORDER BY name
LIMIT @most;

-- name: UpsertPasswords :batchexec
INSERT INTO passwords (environment, id, name, labels, description, consumer, username, scopes, expires_at, addresses, password_set_at, entry_key, created_at, updated_at)
VALUES (@environment, @id, @name, @labels, @description, @consumer, @username, @scopes, sqlc.narg(expires_at), @addresses, @password_set_at, @entry_key, @created_at, @updated_at)
ON CONFLICT (environment, id) DO UPDATE
SET name = excluded.name, labels = excluded.labels, description = excluded.description, scopes = excluded.scopes, expires_at = excluded.expires_at,
    addresses = excluded.addresses, password_set_at = excluded.password_set_at, updated_at = excluded.updated_at;

-- name: DeletePasswords :exec
-- Usage still has to say which they were.
WITH gone AS (DELETE FROM passwords p WHERE p.environment = @environment AND p.id = ANY(@ids::text[]) RETURNING p.environment, p.id, p.name)
INSERT INTO usage_names (environment, id, name, deleted_at)
SELECT environment, id, name, now() FROM gone
ON CONFLICT (environment, id) DO UPDATE SET name = excluded.name, deleted_at = excluded.deleted_at;

-- name: ReleasePasswordNames :exec
UPDATE passwords SET name = id WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: LivePasswords :many
SELECT id, entry_key, expires_at, password_set_at
FROM passwords
WHERE environment = @environment AND entry_key = ANY(@keys::bytea[]);
