-- name: LockIdentityKeys :one
SELECT version FROM identity_keys
WHERE environment = @environment
FOR UPDATE;

-- name: GetIdentityKeys :one
SELECT i.version, i.epoch, i.rotated_at, v.epoch AS epoch_now, e.key, e.entry, e.sealed
FROM identity_keys i
JOIN environments v ON v.id = i.environment
JOIN directory_entries e ON e.environment = i.environment AND e.key = i.entry_key
WHERE i.environment = @environment;

-- name: HasIdentityKeys :one
SELECT EXISTS (SELECT 1 FROM identity_keys WHERE environment = @environment);

-- name: UpsertIdentityKeys :exec
-- The epoch is the one in which the keys were drawn: should another have begun since, they are renewed again.
INSERT INTO identity_keys (environment, version, epoch, entry_key, rotated_at, trim_at, public_set)
VALUES (@environment, @version, @epoch, @entry_key, @rotated_at, sqlc.narg(trim_at), @public_set)
ON CONFLICT (environment) DO UPDATE
SET version = excluded.version, epoch = excluded.epoch, entry_key = excluded.entry_key, rotated_at = excluded.rotated_at,
    trim_at = excluded.trim_at, public_set = excluded.public_set;

-- name: ListStaleIdentityKeys :many
SELECT i.environment
FROM identity_keys i
JOIN environments v ON v.id = i.environment
WHERE i.rotated_at <= @made_before OR i.trim_at <= @now OR i.epoch <> v.epoch
ORDER BY i.environment;

-- name: GetIdentitySet :one
SELECT i.public_set
FROM identity_keys i
JOIN environments v ON v.id = i.environment
WHERE v.id = @id_or_name OR v.name = @id_or_name;
