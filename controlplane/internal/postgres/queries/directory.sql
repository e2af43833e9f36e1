-- name: LockConsumersToChange :many
SELECT id FROM consumers
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR UPDATE;

-- name: LockConsumersToShare :many
SELECT id FROM consumers
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR KEY SHARE;

-- name: LockApiKeysToChange :many
SELECT id FROM api_keys
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR UPDATE;

-- name: LockApiKeysToShare :many
SELECT id FROM api_keys
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR KEY SHARE;

-- name: LockSecretsToChange :many
SELECT id FROM secrets
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR UPDATE;

-- name: LockSecretsToShare :many
SELECT id FROM secrets
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR KEY SHARE;

-- name: GetConsumers :many
SELECT sqlc.embed(consumers), directory_entries.hash, directory_entries.sequence
FROM consumers
JOIN directory_entries ON directory_entries.environment = consumers.environment AND directory_entries.key = consumers.entry_key
WHERE consumers.environment = @environment AND consumers.id = ANY(@ids::text[]);

-- name: GetApiKeys :many
SELECT sqlc.embed(api_keys), directory_entries.hash, directory_entries.sequence, owners.team
FROM api_keys
JOIN consumers owners ON owners.environment = api_keys.environment AND owners.id = api_keys.consumer
JOIN directory_entries ON directory_entries.environment = api_keys.environment AND directory_entries.key = api_keys.entry_key
WHERE api_keys.environment = @environment AND api_keys.id = ANY(@ids::text[]);

-- name: GetSecrets :many
SELECT sqlc.embed(secrets), directory_entries.hash, directory_entries.sequence
FROM secrets
JOIN directory_entries ON directory_entries.environment = secrets.environment AND directory_entries.key = secrets.entry_key
WHERE secrets.environment = @environment AND secrets.id = ANY(@ids::text[]);

-- name: FindConsumer :one
SELECT sqlc.embed(consumers), directory_entries.hash, directory_entries.sequence
FROM consumers
JOIN directory_entries ON directory_entries.environment = consumers.environment AND directory_entries.key = consumers.entry_key
WHERE consumers.environment = @environment AND (consumers.id = @key OR consumers.name = @key);

-- name: FindApiKey :one
SELECT sqlc.embed(api_keys), directory_entries.hash, directory_entries.sequence, owners.team
FROM api_keys
JOIN consumers owners ON owners.environment = api_keys.environment AND owners.id = api_keys.consumer
JOIN directory_entries ON directory_entries.environment = api_keys.environment AND directory_entries.key = api_keys.entry_key
WHERE api_keys.environment = @environment AND (api_keys.id = @key OR api_keys.name = @key);

-- name: FindSecret :one
SELECT sqlc.embed(secrets), directory_entries.hash, directory_entries.sequence
FROM secrets
JOIN directory_entries ON directory_entries.environment = secrets.environment AND directory_entries.key = secrets.entry_key
WHERE secrets.environment = @environment AND (secrets.id = @key OR secrets.name = @key);

-- name: SelectConsumers :many
SELECT sqlc.embed(consumers), directory_entries.hash, directory_entries.sequence
FROM consumers
JOIN directory_entries ON directory_entries.environment = consumers.environment AND directory_entries.key = consumers.entry_key
WHERE consumers.environment = @environment AND consumers.name > @after
  AND (sqlc.narg(name)::text IS NULL OR consumers.name = sqlc.narg(name))
  AND (sqlc.narg(suspended)::boolean IS NULL OR consumers.suspended = sqlc.narg(suspended))
  AND (sqlc.narg(within)::text[] IS NULL OR consumers.team = ANY(sqlc.narg(within)::text[]))
  AND consumers.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE consumers.labels @> unequal.pair)
  AND consumers.labels ?& @present::text[]
  AND NOT consumers.labels ?| @absent::text[]
ORDER BY consumers.name
LIMIT @most;

-- name: SelectApiKeys :many
SELECT sqlc.embed(api_keys), directory_entries.hash, directory_entries.sequence, owners.team
FROM api_keys
JOIN consumers owners ON owners.environment = api_keys.environment AND owners.id = api_keys.consumer
JOIN directory_entries ON directory_entries.environment = api_keys.environment AND directory_entries.key = api_keys.entry_key
WHERE api_keys.environment = @environment AND api_keys.name > @after
  AND (sqlc.narg(name)::text IS NULL OR api_keys.name = sqlc.narg(name))
  AND (sqlc.narg(consumer)::text IS NULL OR api_keys.consumer IN (
      SELECT c.id FROM consumers c
      WHERE c.environment = @environment AND (c.id = sqlc.narg(consumer) OR c.name = sqlc.narg(consumer))))
  AND (sqlc.narg(within)::text[] IS NULL OR owners.team = ANY(sqlc.narg(within)::text[]))
  AND api_keys.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE api_keys.labels @> unequal.pair)
  AND api_keys.labels ?& @present::text[]
  AND NOT api_keys.labels ?| @absent::text[]
ORDER BY api_keys.name
LIMIT @most;

-- name: SelectSecrets :many
SELECT sqlc.embed(secrets), directory_entries.hash, directory_entries.sequence
FROM secrets
JOIN directory_entries ON directory_entries.environment = secrets.environment AND directory_entries.key = secrets.entry_key
WHERE secrets.environment = @environment AND secrets.name > @after
  AND (sqlc.narg(name)::text IS NULL OR secrets.name = sqlc.narg(name))
  AND (sqlc.narg(within)::text[] IS NULL OR secrets.team = ANY(sqlc.narg(within)::text[]))
  AND secrets.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE secrets.labels @> unequal.pair)
  AND secrets.labels ?& @present::text[]
  AND NOT secrets.labels ?| @absent::text[]
ORDER BY secrets.name
LIMIT @most;

-- name: ListReferrers :many
SELECT r.from_collection, r.from_id, o.name, r.pointer
FROM object_references r
JOIN objects o ON o.environment = r.environment AND o.collection = r.from_collection AND o.id = r.from_id
WHERE r.environment = @environment AND r.to_collection = @collection AND r.to_id = @id
ORDER BY r.from_collection, o.name, r.pointer
LIMIT @most;

-- name: ListKeysOfConsumer :many
SELECT id, name FROM api_keys
WHERE environment = @environment AND consumer = @consumer
ORDER BY name
LIMIT @most;

-- name: UpsertConsumers :batchexec
INSERT INTO consumers (environment, id, name, labels, description, team, metadata, suspended, entry_key, created_at, updated_at)
VALUES (@environment, @id, @name, @labels, @description, sqlc.narg(team), @metadata, @suspended, @entry_key, @created_at, @updated_at)
ON CONFLICT (environment, id) DO UPDATE
SET name = excluded.name, labels = excluded.labels, description = excluded.description, team = excluded.team, metadata = excluded.metadata,
    suspended = excluded.suspended, entry_key = excluded.entry_key, updated_at = excluded.updated_at;

-- name: UpsertApiKeys :batchexec
-- When a key is rotated, how often it had been used by then is kept.
INSERT INTO api_keys (environment, id, name, labels, description, consumer, scopes, expires_at, addresses, routes, retire_after_seconds, prefix, last_four,
                      rotated_to, rotated_from, rotated_at, watched, imported, entry_key, pepper, created_at, updated_at)
VALUES (@environment, @id, @name, @labels, @description, @consumer, @scopes, sqlc.narg(expires_at), @addresses, @routes, @retire_after_seconds, @prefix, @last_four,
        @rotated_to, @rotated_from, sqlc.narg(rotated_at), @watched, @imported, @entry_key, @pepper, @created_at, @updated_at)
ON CONFLICT (environment, id) DO UPDATE
SET name = excluded.name, labels = excluded.labels, description = excluded.description, scopes = excluded.scopes,
    expires_at = excluded.expires_at, addresses = excluded.addresses, routes = excluded.routes, retire_after_seconds = excluded.retire_after_seconds,
    rotated_requests = CASE WHEN excluded.rotated_at IS DISTINCT FROM api_keys.rotated_at
        THEN coalesce((SELECT l.requests FROM credential_last_use l WHERE l.environment = @environment AND l.credential = @credential::uuid), 0)
        ELSE api_keys.rotated_requests END,
    rotated_to = excluded.rotated_to, rotated_at = excluded.rotated_at, watched = excluded.watched, updated_at = excluded.updated_at;

-- name: UpsertSecrets :batchexec
INSERT INTO secrets (environment, id, name, labels, description, team, entry_key, created_at, updated_at)
VALUES (@environment, @id, @name, @labels, @description, sqlc.narg(team), @entry_key, @created_at, @updated_at)
ON CONFLICT (environment, id) DO UPDATE
SET name = excluded.name, labels = excluded.labels, description = excluded.description, team = excluded.team, updated_at = excluded.updated_at;

-- name: DeleteConsumers :exec
-- Usage still has to say who they were.
WITH gone AS (DELETE FROM consumers c WHERE c.environment = @environment AND c.id = ANY(@ids::text[]) RETURNING c.environment, c.id, c.name)
INSERT INTO usage_names (environment, id, name, deleted_at)
SELECT environment, id, name, now() FROM gone
ON CONFLICT (environment, id) DO UPDATE SET name = excluded.name, deleted_at = excluded.deleted_at;

-- name: DeleteApiKeys :exec
-- Usage still has to say which they were.
WITH gone AS (DELETE FROM api_keys k WHERE k.environment = @environment AND k.id = ANY(@ids::text[]) RETURNING k.environment, k.id, k.name)
INSERT INTO usage_names (environment, id, name, deleted_at)
SELECT environment, id, name, now() FROM gone
ON CONFLICT (environment, id) DO UPDATE SET name = excluded.name, deleted_at = excluded.deleted_at;

-- name: DeleteSecrets :exec
DELETE FROM secrets WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: InsertPepper :exec
INSERT INTO peppers (environment, version, entry_key, created_at)
VALUES (@environment, @version, @entry_key, @created_at);

-- name: NewestPepper :one
SELECT p.version, p.created_at, e.key, e.hash, e.entry, e.sealed
FROM peppers p
JOIN directory_entries e ON e.environment = p.environment AND e.key = p.entry_key
WHERE p.environment = @environment
ORDER BY p.version DESC
LIMIT 1;

-- name: LockDirectory :one
SELECT sequence, digest
FROM directory_counters
WHERE environment = @environment
FOR NO KEY UPDATE;

-- name: ListEntryHashes :many
SELECT key, hash
FROM directory_entries
WHERE environment = @environment AND sequence > @after_sequence;

-- name: UpsertEntries :exec
INSERT INTO directory_entries (environment, key, sequence, entry, hash, sealed)
SELECT @environment, unnest(@keys::bytea[]), unnest(@sequences::bigint[]), unnest(@entries::bytea[]), unnest(@hashes::bytea[]), unnest(@sealed::boolean[])
ON CONFLICT (environment, key) DO UPDATE
SET sequence = excluded.sequence, entry = excluded.entry, hash = excluded.hash, sealed = excluded.sealed;

-- name: AdvanceDirectory :execrows
WITH kept AS (
    INSERT INTO directory_heads (environment, epoch, sequence, digest, created_at)
    SELECT e.id, e.epoch, @sequence::bigint, @digest::bytea, now() FROM environments e WHERE e.id = @environment
), pruned AS (
    DELETE FROM directory_heads h
    WHERE h.environment = @environment AND (h.epoch, h.sequence) IN (
        SELECT o.epoch, o.sequence FROM directory_heads o
        WHERE o.environment = @environment AND o.sequence < @keep_from::bigint
        ORDER BY o.epoch, o.sequence LIMIT 100)
)
UPDATE directory_counters c
SET sequence = @sequence::bigint, digest = @digest::bytea
WHERE c.environment = @environment AND c.sequence = @sequence_before;

-- name: ReleaseConsumerNames :exec
UPDATE consumers SET name = id WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: ReleaseApiKeyNames :exec
UPDATE api_keys SET name = id WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: ReleaseSecretNames :exec
UPDATE secrets SET name = id WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: AddToDirectoryCount :one
INSERT INTO directory_counts (environment, collection, objects)
VALUES (@environment, @collection, greatest(@grown::bigint, 0))
ON CONFLICT (environment, collection) DO UPDATE
SET objects = greatest(directory_counts.objects + @grown::bigint, 0) -- what an earlier build made beside this one wasn't counted
RETURNING objects;

-- name: DirectoryCounts :many
SELECT environment, collection, objects FROM directory_counts
WHERE environment = @environment OR @environment = '';

-- name: SelectCallers :many
-- A consumer is out while it is suspended or blocked.
SELECT c.id, c.name, c.labels, (c.suspended OR EXISTS (
    SELECT 1 FROM blocks b
    WHERE b.environment = c.environment AND b.consumer = c.id AND (b.expires_at IS NULL OR b.expires_at > now())))::boolean AS out
FROM consumers c
WHERE c.environment = @environment AND c.name > @after
ORDER BY c.name
LIMIT @most;

-- name: ListScopesOfCallers :many
-- Of keys that are good now, and for one of the places: each set of scopes once.
SELECT DISTINCT k.consumer, k.scopes
FROM api_keys k
WHERE k.environment = @environment AND k.consumer = ANY(@consumers::text[]) AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.routes) = 0 OR k.routes && @places::text[])
  AND NOT EXISTS (
      SELECT 1 FROM blocks b
      WHERE b.environment = k.environment AND b.api_key = k.id AND (b.expires_at IS NULL OR b.expires_at > now()))
ORDER BY k.consumer, k.scopes;

-- name: ListConsumerNames :many
SELECT id, name FROM consumers
WHERE environment = @environment AND id = ANY(@ids::text[]);
