-- name: ListPeppers :many
SELECT p.version, p.created_at, e.key, e.hash, e.entry, e.sealed
FROM peppers p
JOIN directory_entries e ON e.environment = p.environment AND e.key = p.entry_key
WHERE p.environment = @environment
ORDER BY p.version DESC;

-- name: ListKeysOfDigests :many
SELECT k.id, k.name, k.consumer, k.prefix, k.entry_key, owners.team
FROM api_keys k
JOIN consumers owners ON owners.environment = k.environment AND owners.id = k.consumer
WHERE k.environment = @environment AND k.entry_key = ANY(@digests::bytea[]);

-- name: ListGoneDigests :many
SELECT key FROM directory_entries
WHERE environment = @environment AND key = ANY(@digests::bytea[]) AND entry IS NULL;

-- name: SelectKeysToRevoke :many
-- In the order of their ids: a bounded number, whose rest is found by asking again.
SELECT k.id, k.name, k.consumer, k.prefix
FROM api_keys k
JOIN consumers owners ON owners.environment = k.environment AND owners.id = k.consumer
WHERE k.environment = @environment
  AND (sqlc.narg(consumer)::text IS NULL OR k.consumer = sqlc.narg(consumer))
  AND starts_with(k.prefix, @prefix::text)
  AND (sqlc.narg(created_before)::timestamptz IS NULL OR k.created_at < sqlc.narg(created_before))
  AND (sqlc.narg(created_after)::timestamptz IS NULL OR k.created_at >= sqlc.narg(created_after))
  AND (sqlc.narg(within)::text[] IS NULL OR owners.team = ANY(sqlc.narg(within)::text[]))
ORDER BY k.id
LIMIT @most;

-- name: ListRetiringKeys :many
-- Of those that are old enough to have been silent for so long, a page behind a place.
SELECT k.environment, k.id, k.retire_after_seconds, k.created_at, now()::timestamptz AS now
FROM api_keys k
WHERE k.retire_after_seconds > 0 AND (k.environment, k.id) > (@after_environment::text, @after_id::text)
  AND k.created_at < now() - make_interval(secs => k.retire_after_seconds::double precision)
ORDER BY k.environment, k.id
LIMIT @most;

-- name: GetCredentialUse :one
SELECT l.last_used_at, l.requests
FROM credential_last_use l
WHERE l.environment = @environment AND l.credential = @credential;

-- name: GetRotatedRequests :one
SELECT k.rotated_requests, now()::timestamptz AS now
FROM api_keys k
WHERE k.environment = @environment AND k.id = @id;

-- name: ListCredentialAddresses :many
SELECT host(e.client)::text AS address, max(e.time_ms)::bigint AS last_ms
FROM usage_events e
WHERE e.environment = @environment AND e.credential = @credential AND e.credential <> '00000000-0000-0000-0000-000000000000'
  AND e.time_ms >= @from_ms AND e.client IS NOT NULL
GROUP BY e.client
ORDER BY last_ms DESC, e.client
LIMIT @most;
