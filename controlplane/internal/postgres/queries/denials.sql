-- name: LockBlocksToChange :many
SELECT id FROM blocks
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR UPDATE;

-- name: LockBlocksToShare :many
SELECT id FROM blocks
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR KEY SHARE;

-- name: GetBlocks :many
SELECT sqlc.embed(blocks), directory_entries.hash, directory_entries.sequence
FROM blocks
JOIN directory_entries ON directory_entries.environment = blocks.environment AND directory_entries.key = blocks.entry_key
WHERE blocks.environment = @environment AND blocks.id = ANY(@ids::text[]);

-- name: FindBlock :one
SELECT sqlc.embed(blocks), directory_entries.hash, directory_entries.sequence
FROM blocks
JOIN directory_entries ON directory_entries.environment = blocks.environment AND directory_entries.key = blocks.entry_key
WHERE blocks.environment = @environment AND (blocks.id = @key OR blocks.name = @key);

-- name: SelectBlocks :many
SELECT sqlc.embed(blocks), directory_entries.hash, directory_entries.sequence
FROM blocks
JOIN directory_entries ON directory_entries.environment = blocks.environment AND directory_entries.key = blocks.entry_key
WHERE blocks.environment = @environment AND blocks.name > @after
  AND (sqlc.narg(name)::text IS NULL OR blocks.name = sqlc.narg(name))
  AND (sqlc.narg(consumer)::text IS NULL OR blocks.consumer <> '' AND (blocks.consumer = sqlc.narg(consumer) OR blocks.consumer IN (
      SELECT c.id FROM consumers c WHERE c.environment = @environment AND c.name = sqlc.narg(consumer))))
  AND (sqlc.narg(api_key)::text IS NULL OR blocks.api_key <> '' AND (blocks.api_key = sqlc.narg(api_key) OR blocks.api_key IN (
      SELECT k.id FROM api_keys k WHERE k.environment = @environment AND k.name = sqlc.narg(api_key))))
  AND blocks.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE blocks.labels @> unequal.pair)
  AND blocks.labels ?& @present::text[]
  AND NOT blocks.labels ?| @absent::text[]
ORDER BY blocks.name
LIMIT @most;

-- name: UpsertBlocks :batchexec
INSERT INTO blocks (environment, id, name, labels, description, consumer, api_key, address_range, issuer, token_id, subject, expires_at, entry_key, created_at, updated_at)
VALUES (@environment, @id, @name, @labels, @description, @consumer, @api_key, @address_range, @issuer, @token_id, @subject, sqlc.narg(expires_at), @entry_key, @created_at, @updated_at)
ON CONFLICT (environment, id) DO UPDATE
SET name = excluded.name, labels = excluded.labels, description = excluded.description, expires_at = excluded.expires_at, updated_at = excluded.updated_at;

-- name: DeleteBlocks :exec
DELETE FROM blocks WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: ReleaseBlockNames :exec
UPDATE blocks SET name = id WHERE environment = @environment AND id = ANY(@ids::text[]);

-- name: ListExpiredBlocks :many
SELECT environment, id, expires_at FROM blocks
WHERE expires_at <= now() - make_interval(secs => @grace_seconds::float8)
ORDER BY expires_at
LIMIT @most;

-- name: InsertDenials :exec
WITH committed AS (
    INSERT INTO denial_commits (environment, sequence, author_id, author)
    VALUES (@environment, @commit_sequence, @author_id, @author)
)
INSERT INTO denials (environment, sequence, commit_sequence, collection, id, name, cause, takes_effect_at)
SELECT @environment, d.sequence, @commit_sequence, d.collection, d.id, d.name, d.cause, d.takes_effect_at
FROM (SELECT unnest(@sequences::bigint[]) AS sequence, unnest(@collections::text[]) AS collection, unnest(@ids::text[]) AS id,
             unnest(@names::text[]) AS name, unnest(@causes::text[]) AS cause, unnest(@take_effect_at::timestamptz[]) AS takes_effect_at) AS d;

-- name: LiftDenials :exec
UPDATE denials d SET lifted_by = l.sequence
FROM (SELECT unnest(@collections::text[]) AS collection, unnest(@ids::text[]) AS id, unnest(@sequences::bigint[]) AS sequence) AS l
WHERE d.environment = @environment AND d.collection = l.collection AND d.id = l.id AND d.lifted_by = 0 AND d.sequence < l.sequence;

-- name: LatestDenialOfID :one
SELECT sqlc.embed(d), sqlc.embed(c)
FROM denials d
JOIN denial_commits c ON c.environment = d.environment AND c.sequence = d.commit_sequence
WHERE d.environment = @environment AND d.collection = @collection AND d.id = @id
ORDER BY d.sequence DESC
LIMIT 1;

-- name: LatestDenialOfName :one
SELECT sqlc.embed(d), sqlc.embed(c)
FROM denials d
JOIN denial_commits c ON c.environment = d.environment AND c.sequence = d.commit_sequence
WHERE d.environment = @environment AND d.collection = @collection AND d.name = @name
ORDER BY d.sequence DESC
LIMIT 1;

-- name: DenialCommitOf :one
-- The commit of a sequence: its last, or one of the denials in it.
SELECT c.* FROM denial_commits c
WHERE c.environment = @environment
  AND (c.sequence = @sequence
    OR c.sequence = (SELECT d.commit_sequence FROM denials d WHERE d.environment = @environment AND d.sequence = @sequence));

-- name: ListDenialAcks :many
SELECT node, acked_at FROM denial_acks
WHERE environment = @environment AND commit_sequence = @commit_sequence;

-- name: RecordDenialAcks :exec
-- What the directory streams of these nodes hold now and didn't before, as far as it is a denial made since the node
-- enrolled: what was denied earlier came with the first state that it ever held. To be run behind the lock on the nodes'
-- lanes and before they are changed. A state of another history, which has sequences of its own, is no ack: it must be one
-- that the directory was in.
INSERT INTO denial_acks (environment, commit_sequence, node)
SELECT n.environment, c.sequence, n.id
FROM (SELECT unnest(@nodes::text[]) AS node, unnest(@lanes::smallint[]) AS lane, unnest(@sessions::bytea[]) AS session,
             unnest(@held::boolean[]) AS held, unnest(@epochs::bigint[]) AS epoch, unnest(@numbers::bigint[]) AS number,
             unnest(@digests::bytea[]) AS digest) AS r
JOIN nodes n ON n.id = r.node
JOIN environments e ON e.id = n.environment AND e.epoch = r.epoch
JOIN directory_heads h ON h.environment = e.id AND h.epoch = r.epoch AND h.sequence = r.number AND h.digest = r.digest
LEFT JOIN node_lanes l ON l.node = r.node AND l.lane = r.lane
CROSS JOIN LATERAL (
    SELECT d.sequence FROM denial_commits d
    WHERE d.environment = n.environment AND d.committed_at >= n.enrolled_at
      AND d.sequence > CASE WHEN l.epoch = r.epoch THEN l.number ELSE 0 END AND d.sequence <= r.number
    OFFSET 0 -- keeps it apart: a look into the index per node, never a walk over all denials
) AS c
WHERE r.lane = 2 AND r.held AND (l.session IS NULL OR r.session >= l.session)
ORDER BY n.id, c.sequence
ON CONFLICT DO NOTHING;

-- name: PruneDenials :execrows
DELETE FROM denial_commits c
USING (SELECT o.environment, o.sequence FROM denial_commits o WHERE o.committed_at < now() - make_interval(secs => @age_seconds::float8) ORDER BY o.committed_at LIMIT @most) AS old
WHERE c.environment = old.environment AND c.sequence = old.sequence;
