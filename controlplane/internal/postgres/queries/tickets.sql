-- name: LockTicketKeys :one
SELECT version FROM ticket_keys
WHERE environment = @environment
FOR UPDATE;

-- name: GetTicketKeys :one
SELECT t.version, t.epoch, t.rotated_at, v.epoch AS epoch_now, e.key, e.entry, e.sealed
FROM ticket_keys t
JOIN environments v ON v.id = t.environment
JOIN directory_entries e ON e.environment = t.environment AND e.key = t.entry_key
WHERE t.environment = @environment;

-- name: HasTicketKeys :one
SELECT EXISTS (SELECT 1 FROM ticket_keys WHERE environment = @environment);

-- name: UpsertTicketKeys :exec
-- The epoch is the one in which the keys were drawn: should another have begun since, they are renewed again.
INSERT INTO ticket_keys (environment, version, epoch, entry_key, rotated_at)
VALUES (@environment, @version, @epoch, @entry_key, @rotated_at)
ON CONFLICT (environment) DO UPDATE
SET version = excluded.version, epoch = excluded.epoch, entry_key = excluded.entry_key, rotated_at = excluded.rotated_at;

-- name: ListStaleTicketKeys :many
SELECT t.environment
FROM ticket_keys t
JOIN environments v ON v.id = t.environment
WHERE t.rotated_at <= @made_before OR t.epoch <> v.epoch
ORDER BY t.environment;

-- name: GetEntry :one
SELECT key, hash, entry, sealed FROM directory_entries
WHERE environment = @environment AND key = @key AND entry IS NOT NULL;
