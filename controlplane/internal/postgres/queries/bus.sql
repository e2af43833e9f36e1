-- name: RevokeBusKey :exec
-- Until now, or until the newest JWT was made where that replica's clock is ahead of the database's.
INSERT INTO bus_revocations AS r (bus_key, node, revoked_until)
SELECT n.bus_key, n.id, greatest(now(), n.bus_issued_at)
FROM nodes n
WHERE n.id = @node
ON CONFLICT (bus_key) DO UPDATE
SET revoked_until = greatest(r.revoked_until, excluded.revoked_until);

-- name: DropBusRevocations :exec
DELETE FROM bus_revocations WHERE revoked_until < @before;

-- name: ListBusRevocations :many
SELECT bus_key, revoked_until FROM bus_revocations
WHERE revoked_until > @since
ORDER BY revoked_until DESC, bus_key
LIMIT @most;

-- name: NotifyDisabled :exec
SELECT pg_notify('sallyport_disabled', @node::text);
