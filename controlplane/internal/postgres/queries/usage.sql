-- name: AddUsageReceipts :exec
-- The rows of boots that were never heard of; without numbers yet.
INSERT INTO usage_receipts (node, boot, environment, numbers, first_at, latest_at)
SELECT node, boot, environment, '{}', now(), now()
FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@boots::text[]) AS boot, unnest(@environments::text[]) AS environment) AS i
ORDER BY node, boot
ON CONFLICT (node, boot) DO NOTHING;

-- name: LockUsageReceipts :exec
-- In a fixed order, so that replicas that ingest the same boots wait for each other.
SELECT FROM usage_receipts
WHERE (node, boot) IN (SELECT unnest(@nodes::text[]), unnest(@boots::text[]))
ORDER BY node, boot
FOR NO KEY UPDATE;

-- name: ListNewUsageBatches :many
-- The places of those batches that were never counted.
SELECT i.place::bigint AS place
FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@boots::text[]) AS boot,
             unnest(@numbers::bigint[]) AS number, unnest(@places::bigint[]) AS place) AS i
JOIN usage_receipts r ON r.node = i.node AND r.boot = i.boot
WHERE NOT r.numbers @> i.number;

-- name: ReceiptUsageBatches :exec
UPDATE usage_receipts r
SET numbers = r.numbers + n.numbers, latest_at = now(),
    first_minute = least(r.first_minute, n.first_minute), -- passes over NULLs
    events_dropped = least(r.events_dropped + n.dropped, 1::bigint << 61)
FROM (SELECT i.node, i.boot, range_agg(int8range(i.number, i.number, '[]')) AS numbers, min(i.minute) AS first_minute, sum(i.dropped) AS dropped
      FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@boots::text[]) AS boot, unnest(@numbers::bigint[]) AS number,
                   unnest(@minutes::bigint[]) AS minute, unnest(@dropped::bigint[]) AS dropped) AS i
      GROUP BY i.node, i.boot) AS n
WHERE r.node = n.node AND r.boot = n.boot;

-- name: UsageTime :one
SELECT now()::timestamptz;

-- name: AddUsageMinutes :exec
-- A sum stops where those of usage.Tally stop.
INSERT INTO usage_minutes AS m (environment, minute, route, consumer, status_class, verdict,
                                requests, request_bytes, response_bytes, duration_us)
SELECT unnest(@environments::text[]), unnest(@minutes::bigint[]), unnest(@routes::uuid[]), unnest(@consumers::uuid[]),
       unnest(@status_classes::smallint[]), unnest(@verdicts::text[]),
       unnest(@requests::bigint[]), unnest(@request_bytes::bigint[]), unnest(@response_bytes::bigint[]), unnest(@durations_us::bigint[])
ON CONFLICT (environment, minute, route, consumer, status_class, verdict) DO UPDATE
SET requests       = least(m.requests + excluded.requests, 1::bigint << 61),
    request_bytes  = least(m.request_bytes + excluded.request_bytes, 1::bigint << 61),
    response_bytes = least(m.response_bytes + excluded.response_bytes, 1::bigint << 61),
    duration_us    = least(m.duration_us + excluded.duration_us, 1::bigint << 61);

-- name: AddUsageHours :exec
INSERT INTO usage_hours AS h (environment, hour, route, consumer, status_class, verdict,
                              requests, request_bytes, response_bytes, duration_us)
SELECT unnest(@environments::text[]), unnest(@hours::bigint[]), unnest(@routes::uuid[]), unnest(@consumers::uuid[]),
       unnest(@status_classes::smallint[]), unnest(@verdicts::text[]),
       unnest(@requests::bigint[]), unnest(@request_bytes::bigint[]), unnest(@response_bytes::bigint[]), unnest(@durations_us::bigint[])
ON CONFLICT (environment, hour, route, consumer, status_class, verdict) DO UPDATE
SET requests       = least(h.requests + excluded.requests, 1::bigint << 61),
    request_bytes  = least(h.request_bytes + excluded.request_bytes, 1::bigint << 61),
    response_bytes = least(h.response_bytes + excluded.response_bytes, 1::bigint << 61),
    duration_us    = least(h.duration_us + excluded.duration_us, 1::bigint << 61);

-- name: AddUsageCredentials :exec
INSERT INTO usage_credentials AS c (environment, hour, credential, consumer, requests)
SELECT unnest(@environments::text[]), unnest(@hours::bigint[]), unnest(@credentials::uuid[]), unnest(@consumers::uuid[]), unnest(@requests::bigint[])
ON CONFLICT (environment, hour, credential) DO UPDATE
SET requests = least(c.requests + excluded.requests, 1::bigint << 61);

-- name: AddCredentialUse :exec
INSERT INTO credential_last_use AS l (environment, credential, last_used_at, requests)
SELECT unnest(@environments::text[]), unnest(@credentials::uuid[]), unnest(@last_used_at::timestamptz[]), unnest(@requests::bigint[])
ON CONFLICT (environment, credential) DO UPDATE
SET last_used_at = greatest(l.last_used_at, excluded.last_used_at),
    requests     = least(l.requests + excluded.requests, 1::bigint << 61);

-- name: AddUsageEvents :copyfrom
INSERT INTO usage_events (environment, time_ms, request_id, node, method, host, path, client, route, consumer, credential, policy,
                          status, verdict, revision, duration_us, upstream_us, request_bytes, response_bytes, shadow_verdict, decision)
VALUES (@environment, @time_ms, @request_id, @node, @method, @host, @path, @client, @route, @consumer, @credential, @policy,
        @status, @verdict, @revision, @duration_us, @upstream_us, @request_bytes, @response_bytes, @shadow_verdict, @decision);

-- name: AddUsageFindings :copyfrom
INSERT INTO usage_findings (environment, time_ms, request_id, policy, rule, message, target, route, consumer, client, outcome, excluded, first, rules, succeeded)
VALUES (@environment, @time_ms, @request_id, @policy, @rule, @message, @target, @route, @consumer, @client, @outcome, @excluded, @first, @rules, @succeeded);

-- name: SumCredentials :many
-- One row per credential and time; the time is 0 when there is no bucket.
SELECT (CASE WHEN @bucket_hours::bigint = 0 THEN 0 ELSE c.hour - c.hour % greatest(@bucket_hours::bigint, 1) END)::bigint AS hour,
       c.credential, c.consumer, least(sum(c.requests), 9223372036854775807)::bigint AS requests,
       max(l.last_used_at)::timestamptz AS last_used_at
FROM usage_credentials c
JOIN credential_last_use l ON l.environment = c.environment AND l.credential = c.credential
WHERE c.environment = @environment AND c.hour >= @from_hour AND c.hour < @to_hour
  AND (cardinality(@credentials::uuid[]) = 0 OR c.credential = ANY(@credentials::uuid[]))
  AND (cardinality(@consumers::uuid[]) = 0 OR c.consumer = ANY(@consumers::uuid[]))
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
LIMIT @most;

-- name: ListLastUses :many
SELECT credential, last_used_at FROM credential_last_use
WHERE environment = @environment AND credential = ANY(@credentials::uuid[]);

-- name: SelectRequests :many
-- Newest first, from behind (before_ms, before_number).
SELECT e.* FROM usage_events e
WHERE e.environment = @environment AND e.time_ms >= @from_ms AND e.time_ms < @to_ms
  AND (e.time_ms, e.number) < (@before_ms::bigint, @before_number::bigint)
  AND (cardinality(@routes::uuid[]) = 0 OR e.route = ANY(@routes::uuid[]))
  AND (cardinality(@consumers::uuid[]) = 0 OR e.consumer = ANY(@consumers::uuid[]))
  AND (cardinality(@credentials::uuid[]) = 0 OR e.credential = ANY(@credentials::uuid[]))
  AND (cardinality(@verdicts::text[]) = 0 OR e.verdict = ANY(@verdicts::text[]))
  AND (cardinality(@shadow_verdicts::text[]) = 0 OR e.shadow_verdict = ANY(@shadow_verdicts::text[]))
  AND (cardinality(@rules::text[]) = 0 OR EXISTS (
      SELECT FROM usage_findings f
      WHERE f.environment = e.environment AND f.time_ms = e.time_ms AND f.request_id = e.request_id AND f.rule = ANY(@rules::text[])))
  AND (cardinality(@statuses::smallint[]) = 0 OR e.status = ANY(@statuses::smallint[]))
  AND (cardinality(@nodes::text[]) = 0 OR e.node = ANY(@nodes::text[]))
  AND (cardinality(@request_ids::text[]) = 0 OR e.request_id = ANY(@request_ids::text[]))
  AND (cardinality(@clients::text[]) = 0 OR e.client <<= ANY(CAST(@clients::text[] AS inet[])))
ORDER BY e.time_ms DESC, e.number DESC
LIMIT @most;

-- name: GetRequest :one
SELECT * FROM usage_events
WHERE environment = @environment AND request_id = @request_id
ORDER BY time_ms DESC, number DESC
LIMIT 1;

-- name: ListUsageNames :many
-- Of each id the name that it has, or had last: the lowest rank counts.
SELECT o.id, o.name, 0 AS rank FROM objects o
WHERE o.environment = @environment AND o.collection IN ('services', 'routes', 'policies', 'waf-exclusions') AND o.id = ANY(@ids::text[])
UNION ALL
SELECT c.id, c.name, 0 FROM consumers c WHERE c.environment = @environment AND c.id = ANY(@ids::text[])
UNION ALL
SELECT k.id, k.name, 0 FROM api_keys k WHERE k.environment = @environment AND k.id = ANY(@ids::text[])
UNION ALL
SELECT p.id, p.name, 0 FROM passwords p WHERE p.environment = @environment AND p.id = ANY(@ids::text[])
UNION ALL
SELECT n.id, n.name, 1 FROM usage_names n WHERE n.environment = @environment AND n.id = ANY(@ids::text[])
UNION ALL
(SELECT DISTINCT ON (r.id) r.id, r.name, 1 FROM revision_changes r
 WHERE r.environment = @environment AND r.collection IN ('services', 'routes', 'policies', 'waf-exclusions') AND r.id = ANY(@ids::text[])
 ORDER BY r.id, r.revision DESC)
ORDER BY rank, id;

-- name: ForgetUsageNames :exec
DELETE FROM usage_names WHERE deleted_at < @deleted_before;

-- name: ListUsageCoverage :many
-- Of each node: what was heard of the boots whose batches matter to a time, and since when nothing is.
WITH heard AS (
    SELECT b.node, least(sum(b.batches), 1::bigint << 61)::bigint AS batches,
           least(sum(b.latest - b.batches), 1::bigint << 61)::bigint AS missing, least(sum(b.dropped), 1::bigint << 61)::bigint AS dropped
    FROM (SELECT r.node, r.events_dropped AS dropped, coalesce(upper(r.numbers) - 1, 0) AS latest,
                 (SELECT coalesce(sum(upper(n.span) - lower(n.span)), 0)::bigint FROM unnest(r.numbers) AS n (span)) AS batches
          FROM usage_receipts r
          WHERE r.environment = @environment AND r.latest_at >= @from_time
            AND (r.first_minute IS NULL OR r.first_minute < @to_minute::bigint OR NOT r.numbers @> 1::bigint)) AS b
    GROUP BY b.node
), known AS (
    SELECT n.id, n.name, n.enabled, n.enrolled_at, n.certificate_expires_at,
           (SELECT max(r.latest_at) FROM usage_receipts r WHERE r.node = n.id) AS latest_at,
           (SELECT max(l.seen_at) FROM node_lanes l WHERE l.node = n.id) AS seen_at,
           EXISTS (SELECT 1 FROM node_lanes l WHERE l.node = n.id AND l.connected_until > now()) AS connected
    FROM nodes n WHERE n.environment = @environment
)
SELECT coalesce(k.id, h.node)::text AS node, coalesce(k.name, '')::text AS name,
       coalesce(h.batches, 0)::bigint AS batches, coalesce(h.missing, 0)::bigint AS missing, coalesce(h.dropped, 0)::bigint AS dropped,
       coalesce(k.latest_at, 'epoch')::timestamptz AS latest_at,
       coalesce(k.enabled AND NOT k.connected AND greatest(k.enrolled_at, k.latest_at, k.seen_at) < least(@to_time::timestamptz, now())
        AND k.certificate_expires_at > @alive_after::timestamptz, false)::boolean AS silent,
       coalesce(greatest(k.enrolled_at, k.latest_at, k.seen_at), 'epoch')::timestamptz AS heard_at
FROM known k FULL JOIN heard h ON h.node = k.id
WHERE h.node IS NOT NULL OR k.enabled
ORDER BY node;

-- name: GetUsageUpkeep :many
SELECT now()::timestamptz AS now, u.passed_at, u.held_until FROM (SELECT 1) AS one LEFT JOIN usage_upkeep u ON true;

-- name: PutUsageUpkeep :exec
INSERT INTO usage_upkeep (passed_at, held_until) VALUES (@passed_at, @held_until)
ON CONFLICT (one) DO UPDATE SET passed_at = excluded.passed_at, held_until = excluded.held_until;
