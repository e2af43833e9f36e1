-- name: LockAuditHead :one
-- Locked behind everything else that the transaction locks.
SELECT number, hash, clock_timestamp()::timestamptz AS now
FROM audit_heads
WHERE chain = @chain
FOR UPDATE;

-- name: BeginAuditChain :exec
INSERT INTO audit_heads (chain, number, hash)
VALUES (@chain, 0, @hash)
ON CONFLICT (chain) DO NOTHING;

-- name: AppendAuditEvent :exec
WITH appended AS (
    INSERT INTO audit_events (chain, number, record, previous, hash, id, at, actor, actor_name, operation, outcome, code, request_id, address, environment, opened_epoch, objects)
    VALUES (@chain, @number, @record, @previous, @hash, @id, @at, @actor, @actor_name, @operation, @outcome, @code, @request_id, @address, @environment, @opened_epoch, @objects::text[])
)
UPDATE audit_heads h SET number = @number, hash = @hash WHERE h.chain = @chain;

-- name: AuditHead :one
SELECT number, hash FROM audit_heads WHERE chain = @chain;

-- name: AuditHeads :many
-- Each environment's head, with the hash that the table has for it.
SELECT h.chain, coalesce(v.epoch, 0)::bigint AS epoch, h.number, h.hash, e.hash AS event_hash
FROM audit_heads h
LEFT JOIN environments v ON v.id = h.chain
LEFT JOIN audit_events e ON e.chain = h.chain AND e.number = h.number
ORDER BY h.chain;

-- name: AuditEvents :many
SELECT * FROM audit_events e
WHERE e.chain = @chain
  AND e.number < @before
  AND (@actor::text = '' OR e.actor = @actor OR e.actor_name = @actor)
  AND (@operation::text = '' OR e.operation = @operation)
  AND (@outcome::text = '' OR e.outcome = @outcome)
  AND (@code::text = '' OR e.code = @code)
  AND (@request_id::text = '' OR e.request_id = @request_id)
  AND (@address::text = '' OR e.address = @address)
  AND (@object::text[] = '{}' OR e.objects @> @object::text[])
  AND (sqlc.narg(since)::timestamptz IS NULL OR e.at >= sqlc.narg(since))
  AND (sqlc.narg(until)::timestamptz IS NULL OR e.at < sqlc.narg(until))
ORDER BY e.number DESC
LIMIT @most;

-- name: AuditEvent :one
SELECT * FROM audit_events WHERE chain = @chain AND id = @id;

-- name: AuditEventsAfter :many
-- As they lie in the table.
SELECT * FROM audit_events
WHERE chain = @chain AND number > @after
  AND (sqlc.narg(since)::timestamptz IS NULL OR at >= sqlc.narg(since))
  AND (sqlc.narg(until)::timestamptz IS NULL OR at < sqlc.narg(until))
ORDER BY number
LIMIT @most;

-- name: AuditHashAt :one
SELECT hash FROM audit_events WHERE chain = @chain AND number = @number;

-- name: AuditEpochOpened :one
-- The number of the first event of a chain that opened a later epoch of an environment.
SELECT number FROM audit_events
WHERE environment = @environment AND opened_epoch > @epoch AND chain = @chain
ORDER BY number
LIMIT 1;

-- name: AuditChains :many
SELECT chain FROM audit_heads UNION SELECT DISTINCT chain FROM audit_events ORDER BY chain;

-- name: KeepAuditWitness :exec
INSERT INTO audit_witnesses AS w (environment, node, epoch, number, signed, shown_at)
SELECT @environment, @node, @epoch, @number, @signed, now()
WHERE EXISTS (SELECT FROM environments WHERE id = @environment)
ON CONFLICT (environment, node) DO UPDATE
SET epoch = excluded.epoch, number = excluded.number, signed = excluded.signed, shown_at = excluded.shown_at
WHERE (w.epoch, w.number) <= (excluded.epoch, excluded.number);

-- name: AuditWitnesses :many
SELECT * FROM audit_witnesses WHERE environment = @environment ORDER BY node LIMIT @most;
