-- name: LockIssuerKeys :many
SELECT issuer, keys, (deleted_at IS NOT NULL)::boolean AS deleted FROM issuer_keys
WHERE environment = @environment AND issuer = ANY(@issuers::text[])
ORDER BY issuer FOR UPDATE;

-- name: LockIssuerKeysLeased :one
-- Who lost the lease, to a change of the issuer or to time, has nothing to report.
SELECT keys FROM issuer_keys
WHERE environment = @environment AND issuer = @issuer AND lease = @lease AND deleted_at IS NULL
FOR UPDATE;

-- name: PlanIssuerKeys :exec
-- A lease that is out ends: what it finds is of the issuer as it was.
INSERT INTO issuer_keys (environment, issuer, keys, next_at, moved_at, deleted_at)
VALUES (@environment, @issuer, @keys, CASE WHEN @fetches::boolean THEN now() END, CASE WHEN @moved::boolean THEN now() END, CASE WHEN @deleted::boolean THEN now() END)
ON CONFLICT (environment, issuer) DO UPDATE
SET keys = excluded.keys, next_at = excluded.next_at, deleted_at = excluded.deleted_at, lease = '', leased_until = 'epoch', empty_at = NULL,
    moved_at = CASE WHEN @moved::boolean THEN now() WHEN @fetches::boolean THEN issuer_keys.moved_at END,
    failures = CASE WHEN @fetches::boolean AND NOT @moved::boolean THEN issuer_keys.failures ELSE 0 END,
    error = CASE WHEN @fetches::boolean AND NOT @moved::boolean THEN issuer_keys.error ELSE '' END;

-- name: KeepIssuerKeys :exec
UPDATE issuer_keys SET keys = @keys
WHERE environment = @environment AND issuer = @issuer;

-- name: ReportIssuerKeys :exec
UPDATE issuer_keys
SET keys = @keys, next_at = CASE WHEN next_at IS NOT NULL THEN now() + make_interval(secs => @after::float8) END,
    fetched_at = CASE WHEN @fetched::boolean THEN now() ELSE fetched_at END,
    moved_at = CASE WHEN @settled::boolean THEN NULL ELSE moved_at END,
    empty_at = CASE WHEN @empty::boolean THEN coalesce(empty_at, now()) END,
    failures = @failures, error = @error, lease = '', leased_until = 'epoch'
WHERE environment = @environment AND issuer = @issuer;

-- name: ClaimDueIssuers :many
WITH due AS (
    SELECT k.environment, k.issuer FROM issuer_keys k
    WHERE k.next_at <= now() AND k.leased_until <= now()
    ORDER BY k.next_at LIMIT @most
    FOR UPDATE SKIP LOCKED
)
UPDATE issuer_keys k
SET lease = @lease, leased_until = now() + make_interval(secs => @lasting::float8), attempted_at = now()
FROM due
WHERE k.environment = due.environment AND k.issuer = due.issuer
RETURNING k.environment, k.issuer, k.failures, coalesce((extract(epoch FROM now() - k.empty_at) * 1000)::bigint, -1)::bigint AS empty_ms, coalesce((extract(epoch FROM now() - k.moved_at) * 1000)::bigint, -1)::bigint AS moved_ms;

-- name: ClaimIssuer :one
-- On demand: as often as a bucket that fills by one each so often and holds so much allows.
UPDATE issuer_keys k
SET lease = @lease, leased_until = now() + make_interval(secs => @lasting::float8), attempted_at = now(), demand_at = greatest(k.demand_at, now()) + make_interval(secs => @every::float8)
WHERE k.environment = @environment AND k.issuer = @issuer AND k.next_at IS NOT NULL AND k.leased_until <= now()
  AND greatest(k.demand_at, now()) <= now() + make_interval(secs => @burst::float8)
RETURNING k.environment, k.issuer, k.failures, coalesce((extract(epoch FROM now() - k.empty_at) * 1000)::bigint, -1)::bigint AS empty_ms, coalesce((extract(epoch FROM now() - k.moved_at) * 1000)::bigint, -1)::bigint AS moved_ms;

-- name: ReleaseIssuer :exec
-- Nothing was found out: it is due again at once.
UPDATE issuer_keys SET lease = '', leased_until = 'epoch'
WHERE environment = @environment AND issuer = @issuer AND lease = @lease;

-- name: GetIssuerKeys :one
SELECT k.keys, k.next_at, k.attempted_at, k.fetched_at, k.failures, k.error, c.sequence, (k.leased_until > now())::boolean AS leased,
       greatest((extract(epoch FROM k.demand_at - now()) * 1000)::bigint, 0)::bigint AS demanded_ms
FROM issuer_keys k
JOIN directory_counters c ON c.environment = k.environment
WHERE k.environment = @environment AND k.issuer = @issuer AND k.deleted_at IS NULL;

-- name: OldestIssuerKeys :one
SELECT coalesce(extract(epoch FROM max(now() - coalesce(fetched_at, attempted_at))), 0)::bigint AS seconds, count(*) FILTER (WHERE failures > 0)::bigint AS failing
FROM issuer_keys WHERE next_at IS NOT NULL;
