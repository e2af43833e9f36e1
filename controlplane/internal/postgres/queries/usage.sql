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
SET numbers = r.numbers + n.numbers, latest_at = now()
FROM (SELECT i.node, i.boot, range_agg(int8range(i.number, i.number, '[]')) AS numbers
      FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@boots::text[]) AS boot, unnest(@numbers::bigint[]) AS number) AS i
      GROUP BY i.node, i.boot) AS n
WHERE r.node = n.node AND r.boot = n.boot;

-- name: AddUsageMinutes :exec
-- A sum stops where usage.Merge stops.
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
