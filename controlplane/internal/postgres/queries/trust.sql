-- name: LockTrust :exec
LOCK TABLE trust_links IN SHARE ROW EXCLUSIVE MODE;

-- name: ListTrustLinks :many
SELECT * FROM trust_links
WHERE version > @after
ORDER BY version;

-- name: InsertTrustLink :exec
INSERT INTO trust_links (version, bundle, signature, key_id, created_at)
VALUES (@version, @bundle, @signature, @key_id, @created_at);

-- name: ListOpenRotations :many
SELECT * FROM rotations
WHERE retired_at IS NULL
ORDER BY id;

-- name: ListRotations :many
SELECT * FROM rotations
ORDER BY id DESC
LIMIT @most;

-- name: InsertRotation :exec
INSERT INTO rotations (kind, environment, old, new, version, announced_at, active_at, retired_at)
VALUES (@kind, @environment, @old, @new, @version, @announced_at, @active_at, @retired_at);

-- name: AdvanceRotation :execrows
UPDATE rotations SET version = @version, active_at = @active_at, retired_at = @retired_at
WHERE id = @id AND retired_at IS NULL;

-- name: DeleteMaterials :exec
DELETE FROM materials WHERE name = ANY(@names::text[]);

-- name: NodeTrusts :exec
-- A node that strays has the negative of its version: it lacks every one until it has walked on.
UPDATE nodes SET trust_version = @trust_version
WHERE id = @id AND trust_version <> @trust_version AND (trust_version >= 0 OR @may_return::boolean);

-- name: TrustLag :one
-- Of the nodes that aren't disabled, how many lack a version of the trust, how many of these are connected or have strayed, and how many
-- hold what the old key issued and could still use it: a certificate can be renewed for 30 days behind its end, a
-- bus JWT lasts for 30 days. When one from before that was kept was made isn't known, but that it was before its certificate's end.
SELECT count(*) FILTER (WHERE n.trust_version < @version) AS lacking,
       count(*) FILTER (WHERE n.trust_version < @version AND (d.connected_until > now() OR n.trust_version < 0)) AS connected,
       count(*) FILTER (WHERE @kind::text = 'authority' AND n.authority <> @name::text AND n.certificate_expires_at + interval '30 days' > now()
                           OR @kind::text = 'bus' AND n.bus_issuer <> @name::text AND coalesce(n.bus_issued_at, n.certificate_expires_at) + interval '30 days' > now()) AS holding
FROM nodes n
LEFT JOIN node_lanes d ON d.node = n.id AND d.lane = 2
WHERE n.enabled;

-- name: ListLaggards :many
-- Nodes that aren't disabled and lack the newest trust, or hold what another than the first key issued.
SELECT n.id, n.name, n.environment, n.trust_version, coalesce(d.connected_until > now(), false)::boolean AS connected,
       (n.authority <> @authority::text AND n.certificate_expires_at + interval '30 days' > now())::boolean AS old_certificate,
       (n.bus_issuer <> @bus_issuer::text AND coalesce(n.bus_issued_at, n.certificate_expires_at) + interval '30 days' > now())::boolean AS old_jwt
FROM nodes n
LEFT JOIN node_lanes d ON d.node = n.id AND d.lane = 2
WHERE n.enabled AND (n.trust_version < @version
   OR n.authority <> @authority::text AND n.certificate_expires_at + interval '30 days' > now()
   OR n.bus_issuer <> @bus_issuer::text AND coalesce(n.bus_issued_at, n.certificate_expires_at) + interval '30 days' > now())
ORDER BY n.id
LIMIT @most;

-- name: LockPeppers :many
SELECT version FROM peppers
WHERE environment = @environment
ORDER BY version FOR UPDATE;

-- name: CountPepperKeys :many
SELECT p.version, p.entry_key, count(k.id) AS keys,
       count(k.id) FILTER (WHERE k.expires_at <= now()) AS expired
FROM peppers p
LEFT JOIN api_keys k ON k.environment = p.environment AND k.pepper = p.version
WHERE p.environment = @environment
GROUP BY p.version, p.entry_key
ORDER BY p.version;

-- name: NamesOfPepperKeys :many
SELECT name FROM api_keys
WHERE environment = @environment AND pepper = @pepper
ORDER BY name
LIMIT @most;

-- name: DeletePeppers :exec
DELETE FROM peppers
WHERE environment = @environment AND version = ANY(@versions::integer[]);

-- name: LockSealed :exec
LOCK TABLE materials, directory_entries, proposals, idempotency_keys, webhooks, second_factors, sign_in_providers IN EXCLUSIVE MODE;

-- name: ListMaterials :many
SELECT name, sealed FROM materials ORDER BY name;

-- name: ResealMaterial :exec
UPDATE materials SET sealed = @sealed WHERE name = @name;

-- name: ListSealedEntries :many
SELECT environment, key, entry FROM directory_entries
WHERE sealed
ORDER BY environment, key;

-- name: ResealEntry :exec
UPDATE directory_entries SET entry = @entry
WHERE environment = @environment AND key = @key AND sealed;

-- name: TryLockReplicas :one
-- Every replica that runs holds it shared.
SELECT pg_try_advisory_xact_lock(@lock::bigint) AS alone;

-- name: TrustVersion :one
SELECT coalesce(max(version), 0)::bigint AS version FROM trust_links;

-- name: ListSealedKeys :many
SELECT key FROM directory_entries
WHERE environment = @environment AND sealed
ORDER BY key;

-- name: ForgetMaterials :exec
DELETE FROM materials;

-- name: ForgetTrust :exec
DELETE FROM trust_links;

-- name: EndRotations :exec
UPDATE rotations SET active_at = coalesce(active_at, @at), retired_at = @at
WHERE retired_at IS NULL;

-- name: DisableNodes :exec
UPDATE nodes SET enabled = false WHERE enabled;

-- name: ForgetJoinTokens :exec
DELETE FROM join_tokens;

-- name: ListSecretIDs :many
SELECT id FROM secrets WHERE environment = @environment ORDER BY id;
