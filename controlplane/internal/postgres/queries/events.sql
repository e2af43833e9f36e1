-- name: HasEventOf :one
-- Looked at behind the lock of the head, so that no two writers tell of one cause.
SELECT EXISTS (SELECT 1 FROM events WHERE environment = @environment AND cause = @cause::text);

-- name: LockEventHead :exec
INSERT INTO event_heads (environment, number) VALUES (@environment, 0)
ON CONFLICT (environment) DO UPDATE SET number = event_heads.number;

-- name: AppendEvents :many
-- Gives events their places, and has each delivered to every webhook that wants its type, by its whole name or by what stands before the
-- dot; or to one webhook alone.
WITH head AS (
    INSERT INTO event_heads (environment, number) VALUES (@environment::text, cardinality(@ids::text[]))
    ON CONFLICT (environment) DO UPDATE SET number = event_heads.number + cardinality(@ids::text[])
    RETURNING number - cardinality(@ids::text[]) AS before
), written AS (
    INSERT INTO events (environment, number, id, type, at, message, cause)
    SELECT @environment::text, head.before + e.place, e.id, e.type, clock_timestamp(), e.message, nullif(e.cause, '')
    FROM head, ROWS FROM (unnest(@ids::text[]), unnest(@types::text[]), unnest(@messages::bytea[]), unnest(@causes::text[]))
        WITH ORDINALITY AS e (id, type, message, cause, place)
    RETURNING number, type, at
), delivered AS (
    INSERT INTO webhook_deliveries (webhook, environment, number, state, due_at)
    SELECT w.id, @environment::text, written.number, 'waiting', now()
    FROM written, webhooks w
    WHERE w.environment = @environment::text AND NOT w.disabled
      AND CASE WHEN @webhook::text <> '' THEN w.id = @webhook::text
          ELSE w.types = '{}' OR written.type = ANY(w.types) OR split_part(written.type, '.', 1) || '.*' = ANY(w.types) END
)
SELECT number, at FROM written ORDER BY number;

-- name: ListEvents :many
SELECT number, id, at, type, message FROM events
WHERE environment = @environment AND number > @after
  AND (@types::text[] = '{}' OR type = ANY(@types::text[]))
ORDER BY number LIMIT @most;

-- name: OldestEvent :one
SELECT coalesce(min(number), 0)::bigint FROM events WHERE environment = @environment;

-- name: ForgetEvents :execrows
DELETE FROM events WHERE (environment, number) IN (
    SELECT e.environment, e.number FROM events e WHERE e.at < now() - @retention::interval ORDER BY e.at LIMIT @most
);

-- name: ExpiringKeys :many
-- API keys that end within a time, and those that have ended within another one, of which nobody was told.
SELECT due.environment, due.id, due.name, due.consumer, due.consumer_name, due.expires_at, due.expired, due.cause
FROM (
    SELECT k.environment, k.id, k.name, k.consumer, c.name AS consumer_name, k.expires_at::timestamptz AS expires_at, (k.expires_at <= now())::boolean AS expired,
        (CASE WHEN k.expires_at <= now() THEN 'expired ' ELSE 'expiring ' END || k.id || ' ' || extract(epoch FROM k.expires_at)::bigint)::text AS cause
    FROM api_keys k
    JOIN consumers c ON c.environment = k.environment AND c.id = k.consumer
    WHERE k.expires_at > now() - @past::interval AND k.expires_at <= now() + @ahead::interval
) due
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.environment = due.environment AND e.cause = due.cause)
ORDER BY due.expires_at LIMIT @most;

-- name: RefusingNodes :many
-- Nodes that refuse what they were sent last, in the epoch that is, of which nobody was told.
SELECT due.environment, due.id, due.name, due.lane, due.refused, due.errors, due.cause
FROM (
    SELECT n.environment, n.id, n.name, l.lane, l.refused, l.errors,
        ('refused ' || n.id || ' ' || l.lane || ' ' || l.refused_epoch || ' ' || l.refused)::text AS cause
    FROM node_lanes l
    JOIN nodes n ON n.id = l.node
    JOIN environments v ON v.id = n.environment
    WHERE l.refused_at IS NOT NULL AND l.refused_epoch = v.epoch AND l.refused > l.number
) due
WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.environment = due.environment AND e.cause = due.cause)
ORDER BY due.id, due.lane LIMIT @most;

-- name: InsertWebhook :exec
INSERT INTO webhooks (environment, id, name, description, url, types, disabled, secret, created_at, updated_at)
VALUES (@environment, @id, @name, @description, @url, @types, @disabled, @secret, @created_at, @updated_at);

-- name: CountWebhooks :one
SELECT count(*) FROM webhooks WHERE environment = @environment;

-- name: FindWebhook :one
SELECT * FROM webhooks WHERE environment = @environment AND (id = @key OR name = @key);

-- name: LockWebhook :one
SELECT * FROM webhooks WHERE environment = @environment AND (id = @key OR name = @key) FOR UPDATE;

-- name: ListWebhooks :many
SELECT * FROM webhooks WHERE environment = @environment AND name > @after ORDER BY name LIMIT @most;

-- name: UpdateWebhook :exec
UPDATE webhooks SET name = @name, description = @description, url = @url, types = @types, disabled = @disabled,
    secret = @secret, former = @former, former_ends_at = @former_ends_at, updated_at = @updated_at
WHERE id = @id;

-- name: DeleteWebhook :exec
DELETE FROM webhooks WHERE id = @id;

-- name: ClaimDeliveries :many
-- Whoever takes one puts it off first: should they die, somebody takes it up again then.
UPDATE webhook_deliveries d SET attempts = d.attempts + 1, due_at = now() + @lease::interval
FROM webhooks w, events e
WHERE (d.webhook, d.number) IN (
    SELECT due.webhook, due.number FROM webhook_deliveries due
    JOIN webhooks active ON active.id = due.webhook AND NOT active.disabled
    WHERE due.state = 'waiting' AND due.due_at <= now()
    ORDER BY due.due_at LIMIT @most FOR UPDATE OF due SKIP LOCKED
  )
  AND w.id = d.webhook AND e.environment = d.environment AND e.number = d.number
RETURNING d.webhook, d.environment, d.number, d.attempts, e.id, e.at, e.type, e.message, w.url, w.secret,
    (CASE WHEN w.former_ends_at > now() THEN w.former END)::bytea AS former;

-- name: SettleDelivery :exec
UPDATE webhook_deliveries SET state = @state, due_at = now() + @pause::interval, status = @status, error = @error,
    delivered_at = CASE WHEN @state::text = 'delivered' THEN now() END
WHERE webhook = @webhook AND number = @number AND attempts = @attempts AND state = 'waiting';

-- name: ListDeliveries :many
SELECT d.*, e.type, e.id FROM webhook_deliveries d
JOIN events e ON e.environment = d.environment AND e.number = d.number
WHERE d.webhook = @webhook AND (@before::bigint = 0 OR d.number < @before::bigint) AND (@state::text = '' OR d.state = @state::text)
ORDER BY d.number DESC LIMIT @most;

-- name: ReviveDelivery :one
UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, due_at = now(), delivered_at = NULL
WHERE webhook = @webhook AND number = @number
RETURNING *;

-- name: CountDeliveries :one
SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead FROM webhook_deliveries;

-- name: ListSealedWebhooks :many
SELECT id, secret, former FROM webhooks ORDER BY id;

-- name: DisableWebhooks :exec
-- Those whose secrets nobody can open any more: a rotation gives each a new one.
UPDATE webhooks SET disabled = true, former = NULL, former_ends_at = NULL;

-- name: ResealWebhook :exec
UPDATE webhooks SET secret = @secret, former = @former WHERE id = @id;
