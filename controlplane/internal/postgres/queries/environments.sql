-- name: InsertEnvironment :exec
INSERT INTO environments (id, name, description, epoch, revision, digest, sequence_needed, created_at)
VALUES (@id, @name, @description, @epoch, 0, @digest, 0, @created_at);

-- name: InsertDirectoryCounter :exec
INSERT INTO directory_counters (environment, sequence, digest)
VALUES (@environment, @sequence, @digest);

-- name: GetEnvironment :one
SELECT e.id, e.name, e.description, e.epoch, e.revision, e.created_at, c.sequence
FROM environments e
JOIN directory_counters c ON c.environment = e.id
WHERE e.id = @key OR e.name = @key;

-- name: ListEnvironments :many
SELECT e.id, e.name, e.description, e.epoch, e.revision, e.created_at, c.sequence
FROM environments e
JOIN directory_counters c ON c.environment = e.id
WHERE e.name > @after AND (sqlc.narg(within)::text[] IS NULL OR e.id = ANY(sqlc.narg(within)::text[]))
ORDER BY e.name
LIMIT @most;

-- name: EnvironmentPositions :many
SELECT e.id, e.epoch, e.revision, c.sequence
FROM environments e
JOIN directory_counters c ON c.environment = e.id;
