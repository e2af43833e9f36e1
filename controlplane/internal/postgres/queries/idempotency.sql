-- name: ReserveIdempotencyKey :execrows
-- Takes a key that nobody has, one that is forgotten by now, or one whose holder is taken to be dead and committed nothing.
INSERT INTO idempotency_keys (scope, actor, request, holder, state, lease_until, created_at)
SELECT @scope::bytea, @actor::text, @request::bytea, @holder::bytea, 'reserved', now() + @lease::interval, now()
WHERE (SELECT count(*) FROM (SELECT 1 FROM idempotency_keys k WHERE k.actor = @actor::text LIMIT @most::integer) counted) < @most::integer
ON CONFLICT (scope) DO UPDATE SET request = excluded.request, holder = excluded.holder, state = 'reserved', lease_until = excluded.lease_until,
    revision = 0, sequence = 0, objects = '{}', sealed = NULL, created_at = excluded.created_at
WHERE idempotency_keys.created_at < now() - @retention::interval
   OR (idempotency_keys.state = 'reserved' AND idempotency_keys.lease_until < now() AND idempotency_keys.request = excluded.request);

-- name: GetIdempotencyKey :one
SELECT request, state, (lease_until >= now())::boolean AS leased, revision, sequence, objects, sealed
FROM idempotency_keys WHERE scope = @scope;

-- name: CommitIdempotencyKey :execrows
UPDATE idempotency_keys SET state = 'committed', revision = @revision, sequence = @sequence, objects = @objects
WHERE scope = @scope AND holder = @holder AND state <> 'kept';

-- name: KeepIdempotencyReply :execrows
UPDATE idempotency_keys SET state = 'kept', sealed = @sealed
WHERE scope = @scope AND holder = @holder AND state <> 'kept';

-- name: EndIdempotencyLease :exec
UPDATE idempotency_keys SET lease_until = now() - interval '1 microsecond'
WHERE scope = @scope AND holder = @holder AND state = 'committed';

-- name: ReleaseIdempotencyKey :exec
DELETE FROM idempotency_keys WHERE scope = @scope AND holder = @holder AND state = 'reserved';

-- name: ForgetIdempotencyKeys :execrows
DELETE FROM idempotency_keys WHERE scope IN (
    SELECT k.scope FROM idempotency_keys k WHERE k.created_at < now() - @retention::interval
    LIMIT @most
    FOR UPDATE SKIP LOCKED
);

-- name: ListKeptReplies :many
SELECT scope, sealed FROM idempotency_keys WHERE sealed IS NOT NULL ORDER BY scope;

-- name: ResealKeptReply :exec
UPDATE idempotency_keys SET sealed = @sealed WHERE scope = @scope;

-- name: ForgetKeptReplies :exec
DELETE FROM idempotency_keys;
