-- name: InsertJoinToken :exec
INSERT INTO join_tokens (id, environment, name, description, lookup, digest, expires_at, max_uses, created_at, node_group)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

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
RETURNING environment, node_group;

-- name: InsertNode :exec
INSERT INTO nodes (id, environment, name, join_token, bus_key, enrolled_at, certificate_expires_at, node_group, bus_issued_at, trust_version, authority, bus_issuer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: GetRenewal :one
SELECT n.enabled, n.bus_key, r.revoked_until
FROM nodes n
LEFT JOIN bus_revocations r ON r.bus_key = n.bus_key
WHERE n.environment = @environment AND n.id = @id;

-- name: RenewNode :execrows
UPDATE nodes SET certificate_expires_at = @certificate_expires_at, bus_issued_at = @bus_issued_at, authority = @authority, bus_issuer = @bus_issuer
WHERE environment = @environment AND id = @id AND enabled;

-- name: ListNodes :many
SELECT * FROM nodes
WHERE environment = @environment AND id > @after
  AND (sqlc.narg(node_group)::text IS NULL OR node_group = sqlc.narg(node_group))
  AND (sqlc.narg(name)::text IS NULL OR name = sqlc.narg(name))
  AND labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE labels @> unequal.pair)
  AND labels ?& @present::text[]
  AND NOT labels ?| @absent::text[]
ORDER BY id
LIMIT @most;

-- name: GetNode :one
SELECT * FROM nodes
WHERE environment = @environment AND id = @id;

-- name: EnableNode :execrows
UPDATE nodes SET enabled = true
WHERE environment = @environment AND id = @id;

-- name: DisableNode :one
UPDATE nodes SET enabled = false
WHERE environment = @environment AND id = @id
RETURNING bus_key;

-- name: ListNodeLanes :many
SELECT l.*, coalesce(l.connected_until > now(), false)::boolean AS connected, (l.epoch = e.epoch)::boolean AS present,
       (l.refused_epoch = e.epoch)::boolean AS refused_present
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
-- A stream that is newer than the one in the row takes it over; an older one has no say any more. Of two processes of one
-- node the one that started later has the say for as long as it is connected, whichever's stream was opened last.
-- What a report doesn't hold (held, refusing) stays as it was. Nodes that are gone are left out. In a fixed order: rows that
-- aren't there yet can't be locked before, and two replicas may be the first with the same nodes.
INSERT INTO node_lanes AS l (node, lane, session, connected_until, seen_at, build, capability,
                             epoch, number, digest, held_at, refused, refused_at, errors, boot, started_at, refused_epoch)
SELECT r.node, r.lane, r.session,
       CASE WHEN r.connected THEN now() + make_interval(secs => @lease_seconds::float8) END,
       now(), r.build, r.capability,
       r.epoch, r.number, r.digest, CASE WHEN r.held THEN now() END,
       r.refused, CASE WHEN r.refusing THEN now() END, r.errors::jsonb, r.boot, r.started_at, r.refused_epoch
FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@lanes::smallint[]) AS lane, unnest(@sessions::bytea[]) AS session,
             unnest(@connected::boolean[]) AS connected, unnest(@builds::text[]) AS build, unnest(@capabilities::bigint[]) AS capability,
             unnest(@held::boolean[]) AS held, unnest(@epochs::bigint[]) AS epoch, unnest(@numbers::bigint[]) AS number,
             unnest(@digests::bytea[]) AS digest,
             unnest(@refusing::boolean[]) AS refusing, unnest(@refused::bigint[]) AS refused, unnest(@errors::text[]) AS errors,
             unnest(@boots::text[]) AS boot, unnest(@started::timestamptz[]) AS started_at,
             unnest(@refused_epochs::bigint[]) AS refused_epoch) AS r
JOIN nodes n ON n.id = r.node
ORDER BY r.node, r.lane
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
    refused_epoch   = CASE WHEN excluded.refused_at IS NULL THEN l.refused_epoch ELSE excluded.refused_epoch END,
    refused_at      = coalesce(excluded.refused_at, l.refused_at),
    errors          = CASE WHEN excluded.refused_at IS NULL THEN l.errors ELSE excluded.errors END,
    boot            = excluded.boot,
    started_at      = excluded.started_at
WHERE CASE WHEN excluded.boot = l.boot THEN excluded.session >= l.session
           WHEN excluded.started_at = l.started_at THEN excluded.session >= l.session
           WHEN excluded.started_at > l.started_at THEN true
           ELSE excluded.connected_until IS NOT NULL AND coalesce(l.connected_until <= now(), true) END;

-- name: TallyNodes :one
-- A number says nothing beside those of another epoch.
SELECT count(*) AS live,
       count(*) FILTER (WHERE (@revision::bigint = 0 OR c.epoch = e.epoch AND c.number >= @revision)
                          AND (@sequence::bigint = 0 OR d.epoch = e.epoch AND d.number >= @sequence)) AS applied,
       count(*) FILTER (WHERE NOT ((@revision = 0 OR c.epoch = e.epoch AND c.number >= @revision)
                               AND (@sequence = 0 OR d.epoch = e.epoch AND d.number >= @sequence))
                          AND (NOT (c.epoch = e.epoch AND c.number >= @revision) AND c.refused_epoch = e.epoch AND c.refused >= @revision AND @revision > 0
                            OR NOT (d.epoch = e.epoch AND d.number >= @sequence) AND d.refused_epoch = e.epoch AND d.refused >= @sequence AND @sequence > 0)) AS refused
FROM nodes n
JOIN environments e ON e.id = n.environment
JOIN node_lanes c ON c.node = n.id AND c.lane = 1 AND c.connected_until > now()
JOIN node_lanes d ON d.node = n.id AND d.lane = 2 AND d.connected_until > now()
WHERE n.environment = @environment AND n.enabled;

-- name: PatchNode :execrows
UPDATE nodes SET name = @name, labels = @labels, node_group = sqlc.narg(node_group)
WHERE environment = @environment AND id = @id;

-- name: LockNode :one
SELECT boot, started_at, left_at FROM nodes
WHERE environment = @environment AND id = @id
FOR NO KEY UPDATE;

-- name: ArriveNode :exec
UPDATE nodes SET boot = @boot, started_at = @started_at, left_at = NULL
WHERE environment = @environment AND id = @id;

-- name: LeaveNode :execrows
UPDATE nodes SET left_at = now()
WHERE environment = @environment AND id = @id AND boot = @boot AND left_at IS NULL;

-- name: ListFleet :many
SELECT id FROM nodes
WHERE environment = @environment AND enabled AND left_at IS NULL
ORDER BY id;

-- name: FleetEntryHash :one
SELECT hash FROM directory_entries
WHERE environment = @environment AND key = @key AND hash IS NOT NULL;

-- name: ListFleetEnvironments :many
SELECT environment FROM directory_entries
WHERE key = @key AND hash IS NOT NULL;

-- name: ListLackingNodes :many
-- Nodes never seen, and those that have said goodbye, are left out: whether they lack anything is known when they come.
SELECT n.id, n.name, l.capability
FROM nodes n
JOIN node_lanes l ON l.node = n.id AND l.lane = 1
WHERE n.environment = @environment AND n.enabled AND n.left_at IS NULL AND l.capability < @capability
ORDER BY n.id
LIMIT @most;

-- name: InsertNodeGroup :exec
INSERT INTO node_groups (id, environment, name, labels, description, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $6);

-- name: SelectNodeGroups :many
SELECT sqlc.embed(g), (SELECT count(*) FROM nodes n WHERE n.node_group = g.id) AS nodes
FROM node_groups g
WHERE g.environment = @environment AND g.name > @after
  AND (sqlc.narg(name)::text IS NULL OR g.name = sqlc.narg(name))
  AND g.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE g.labels @> unequal.pair)
  AND g.labels ?& @present::text[]
  AND NOT g.labels ?| @absent::text[]
ORDER BY g.name
LIMIT @most;

-- name: GetNodeGroup :one
SELECT sqlc.embed(g), (SELECT count(*) FROM nodes n WHERE n.node_group = g.id) AS nodes
FROM node_groups g
WHERE g.environment = @environment AND (g.id = @key OR g.name = @key);

-- name: UpdateNodeGroup :execrows
UPDATE node_groups SET name = @name, labels = @labels, description = @description, updated_at = @updated_at
WHERE environment = @environment AND id = @id;

-- name: DeleteNodeGroup :execrows
DELETE FROM node_groups
WHERE environment = @environment AND id = @id;

-- name: ListGroupReferrers :many
SELECT 'nodes'::text AS collection, n.id, n.name FROM nodes n WHERE n.node_group = @node_group::text
UNION ALL
SELECT 'join-tokens'::text, t.id, t.name FROM join_tokens t WHERE t.node_group = @node_group::text
ORDER BY 1, 2
LIMIT @most;
