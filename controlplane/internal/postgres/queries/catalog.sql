-- name: GetPosition :one
SELECT epoch, revision, digest, sequence_needed
FROM environments
WHERE id = @environment;

-- name: LockEnvironment :one
SELECT name, epoch, revision, digest, sequence_needed
FROM environments
WHERE id = @environment
FOR NO KEY UPDATE;

-- name: GetHeads :one
SELECT e.name, e.epoch, e.revision, e.digest, e.sequence_needed, c.sequence, c.digest AS directory_digest
FROM environments e
JOIN directory_counters c ON c.environment = e.id
WHERE e.id = @environment;

-- name: ListObjects :many
SELECT collection, id, stored, created_at, updated_at
FROM objects
WHERE environment = @environment;

-- name: ListChangedObjects :many
SELECT c.revision, c.collection, c.id, c.after, r.created_at
FROM revision_changes c
JOIN revisions r ON r.environment = c.environment AND r.number = c.revision
WHERE c.environment = @environment AND c.revision > @after_revision AND c.revision <= @through_revision
ORDER BY c.revision;

-- name: LatestChanges :many
SELECT DISTINCT ON (collection, id) collection, id, after
FROM revision_changes
WHERE environment = @environment AND revision > @from_revision AND revision <= @to_revision
ORDER BY collection, id, revision DESC;

-- name: ListDifferences :many
WITH changes AS (
    SELECT collection, id, revision, name, before, after
    FROM revision_changes
    WHERE environment = @environment AND revision > @from_revision AND revision <= @to_revision
), first AS (
    SELECT DISTINCT ON (collection, id) collection, id, before
    FROM changes
    ORDER BY collection, id, revision
), last AS (
    SELECT DISTINCT ON (collection, id) collection, id, name, after
    FROM changes
    ORDER BY collection, id, revision DESC
)
SELECT last.collection, last.id, last.name, first.before, last.after
FROM last
JOIN first ON first.collection = last.collection AND first.id = last.id;

-- name: GetRevision :one
SELECT * FROM revisions
WHERE environment = @environment AND number = @number;

-- name: ListRevisions :many
SELECT * FROM revisions
WHERE environment = @environment AND (@before::bigint = 0 OR number < @before)
ORDER BY number DESC
LIMIT @most;

-- name: DeleteObjects :exec
DELETE FROM objects
WHERE environment = @environment
  AND (collection, id) IN (SELECT unnest(@collections::text[]), unnest(@ids::text[]));

-- name: UpsertObjects :exec
INSERT INTO objects (environment, collection, id, name, labels, stored, etag, created_at, updated_at)
SELECT @environment, unnest(@collections::text[]), unnest(@ids::text[]), unnest(@names::text[]), unnest(@labels::text[])::jsonb,
       unnest(@stored::bytea[]), unnest(@etags::text[]), unnest(@created::timestamptz[]), unnest(@updated::timestamptz[])
ON CONFLICT (environment, collection, id) DO UPDATE
SET name = excluded.name, labels = excluded.labels, stored = excluded.stored, etag = excluded.etag, updated_at = excluded.updated_at;

-- name: DeleteReferences :exec
DELETE FROM object_references
WHERE environment = @environment
  AND (from_collection, from_id) IN (SELECT unnest(@collections::text[]), unnest(@ids::text[]));

-- name: InsertReferences :exec
INSERT INTO object_references (environment, from_collection, from_id, pointer, to_collection, to_id)
SELECT @environment, unnest(@from_collections::text[]), unnest(@from_ids::text[]), unnest(@pointers::text[]),
       unnest(@to_collections::text[]), unnest(@to_ids::text[]);

-- name: InsertRevision :exec
INSERT INTO revisions (environment, number, epoch, digest, sequence_needed, author_id, author, message, rollback_to, changes, created_at)
VALUES (@environment, @number, @epoch, @digest, @sequence_needed, @author_id, @author, @message, sqlc.narg(rollback_to), @changes, @created_at);

-- name: InsertRevisionChanges :exec
INSERT INTO revision_changes (environment, revision, collection, id, name, before, after)
SELECT @environment, @revision, unnest(@collections::text[]), unnest(@ids::text[]), unnest(@names::text[]),
       unnest(@before::bytea[]), unnest(@after::bytea[]);

-- name: AdvanceConfiguration :execrows
UPDATE environments
SET revision = @revision, digest = @digest, sequence_needed = @sequence_needed
WHERE id = @environment AND revision = @revision_before;

-- name: NotifyCommit :exec
SELECT pg_notify('sallyport_commits', @environment::text);

-- name: ObjectCounts :many
SELECT environment, collection, count(*) AS objects, sum(octet_length(stored))::bigint AS bytes
FROM objects
WHERE environment = @environment OR @environment = ''
GROUP BY environment, collection;
