-- name: GetMaterial :one
SELECT sealed FROM materials WHERE name = @name;

-- name: InsertMaterial :exec
INSERT INTO materials (name, sealed, created_at)
VALUES (@name, @sealed, @created_at)
ON CONFLICT (name) DO NOTHING;
