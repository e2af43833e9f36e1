-- name: InsertJoinToken :exec
INSERT INTO join_tokens (id, environment, name, description, lookup, digest, expires_at, max_uses, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: ListJoinTokens :many
SELECT * FROM join_tokens
WHERE environment = @environment AND name > @after
ORDER BY name
LIMIT @most;

-- name: GetJoinToken :one
SELECT * FROM join_tokens
WHERE environment = @environment AND (id = @key OR name = @key);

-- name: DeleteJoinToken :execrows
DELETE FROM join_tokens
WHERE environment = @environment AND (id = @key OR name = @key);

-- name: GetJoinTokenByLookup :one
SELECT sqlc.embed(t), e.name AS environment_name
FROM join_tokens t
JOIN environments e ON e.id = t.environment
WHERE t.lookup = $1;

-- name: UseJoinToken :one
UPDATE join_tokens SET uses = uses + 1
WHERE id = @id AND uses < max_uses AND expires_at > @at
RETURNING environment;

-- name: InsertNode :exec
INSERT INTO nodes (id, environment, name, join_token, bus_key, enrolled_at, certificate_expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetRenewal :one
SELECT enabled, bus_key FROM nodes
WHERE environment = @environment AND id = @id;

-- name: RenewNode :execrows
UPDATE nodes SET certificate_expires_at = @certificate_expires_at
WHERE environment = @environment AND id = @id AND enabled;

-- name: ListNodes :many
SELECT * FROM nodes
WHERE environment = @environment AND id > @after
ORDER BY id
LIMIT @most;

-- name: GetNode :one
SELECT * FROM nodes
WHERE environment = @environment AND id = @id;

-- name: SetNodeEnabled :execrows
UPDATE nodes SET enabled = @enabled
WHERE environment = @environment AND id = @id;

-- name: ListNodeLanes :many
SELECT l.*, coalesce(l.connected_until > now(), false)::boolean AS connected, (l.epoch = e.epoch)::boolean AS present
FROM node_lanes l
JOIN nodes n ON n.id = l.node
JOIN environments e ON e.id = n.environment
WHERE l.node = ANY(@nodes::text[]);

-- name: ListEnabledNodes :many
SELECT id FROM nodes
WHERE id = ANY(@nodes::text[]) AND enabled;

-- name: LockNodeLanes :exec
SELECT FROM node_lanes
WHERE node = ANY(@nodes::text[])
ORDER BY node, lane
FOR NO KEY UPDATE;

-- name: ReportNodeLanes :exec
-- A stream that is newer than the one in the row takes it over; an older one has no say any more.
-- What a report doesn't hold (held, refusing) stays as it was. Nodes that are gone are left out.
INSERT INTO node_lanes AS l (node, lane, session, connected_until, seen_at, build, capability,
                             epoch, number, digest, held_at, refused, refused_at, errors)
SELECT r.node, r.lane, r.session,
       CASE WHEN r.connected THEN now() + make_interval(secs => @lease_seconds::float8) END,
       now(), r.build, r.capability,
       r.epoch, r.number, r.digest, CASE WHEN r.held THEN now() END,
       r.refused, CASE WHEN r.refusing THEN now() END, r.errors::jsonb
FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@lanes::smallint[]) AS lane, unnest(@sessions::bytea[]) AS session,
             unnest(@connected::boolean[]) AS connected, unnest(@builds::text[]) AS build, unnest(@capabilities::bigint[]) AS capability,
             unnest(@held::boolean[]) AS held, unnest(@epochs::bigint[]) AS epoch, unnest(@numbers::bigint[]) AS number,
             unnest(@digests::bytea[]) AS digest,
             unnest(@refusing::boolean[]) AS refusing, unnest(@refused::bigint[]) AS refused, unnest(@errors::text[]) AS errors) AS r
JOIN nodes n ON n.id = r.node
ON CONFLICT (node, lane) DO UPDATE
SET session         = excluded.session,
    connected_until = excluded.connected_until,
    seen_at         = excluded.seen_at,
    build           = excluded.build,
    capability      = excluded.capability,
    epoch           = CASE WHEN excluded.held_at IS NULL THEN l.epoch ELSE excluded.epoch END,
    number          = CASE WHEN excluded.held_at IS NULL THEN l.number ELSE excluded.number END,
    digest          = CASE WHEN excluded.held_at IS NULL THEN l.digest ELSE excluded.digest END,
    held_at         = coalesce(excluded.held_at, l.held_at),
    refused         = CASE WHEN excluded.refused_at IS NULL THEN l.refused ELSE excluded.refused END,
    refused_at      = coalesce(excluded.refused_at, l.refused_at),
    errors          = CASE WHEN excluded.refused_at IS NULL THEN l.errors ELSE excluded.errors END
WHERE excluded.session >= l.session;

-- name: TallyNodes :one
-- A number says nothing beside those of another epoch.
SELECT count(*) AS live,
       count(*) FILTER (WHERE (@revision::bigint = 0 OR c.epoch = e.epoch AND c.number >= @revision)
                          AND (@sequence::bigint = 0 OR d.epoch = e.epoch AND d.number >= @sequence)) AS applied,
       count(*) FILTER (WHERE NOT ((@revision = 0 OR c.epoch = e.epoch AND c.number >= @revision)
                               AND (@sequence = 0 OR d.epoch = e.epoch AND d.number >= @sequence))
                          AND (NOT (c.epoch = e.epoch AND c.number >= @revision) AND c.refused >= @revision AND @revision > 0
                            OR NOT (d.epoch = e.epoch AND d.number >= @sequence) AND d.refused >= @sequence AND @sequence > 0)) AS refused
FROM nodes n
JOIN environments e ON e.id = n.environment
JOIN node_lanes c ON c.node = n.id AND c.lane = 1 AND c.connected_until > now()
JOIN node_lanes d ON d.node = n.id AND d.lane = 2 AND d.connected_until > now()
WHERE n.environment = @environment AND n.enabled;
