-- name: DirectoryHead :one
SELECT e.epoch, c.sequence, c.digest, p.recall_until
FROM environments e
JOIN directory_counters c ON c.environment = e.id
LEFT JOIN epochs p ON p.environment = e.id AND p.epoch = e.epoch
WHERE e.id = @environment;

-- name: DirectoryDigestAt :one
SELECT (SELECT h.digest FROM directory_heads h WHERE h.environment = @environment AND h.epoch = @epoch AND h.sequence = @sequence)::bytea AS digest,
       EXISTS (SELECT 1 FROM directory_heads h WHERE h.environment = @environment AND (h.epoch, h.sequence) <= (@epoch::bigint, @sequence::bigint)) AS kept;

-- name: InsertDirectoryHead :exec
INSERT INTO directory_heads (environment, epoch, sequence, digest, created_at)
VALUES (@environment, @epoch, @sequence, @digest, now());

-- name: AdvanceEpoch :execrows
UPDATE environments SET epoch = @epoch WHERE id = @environment AND epoch = @epoch_before;

-- name: InsertEpoch :exec
INSERT INTO epochs (environment, epoch, opened_at, opened_by, prover, reason, ended_epoch, ended_revision, ended_sequence, lost_epoch, lost_revision, lost_sequence, recall_until)
VALUES (@environment, @epoch, @opened_at, @opened_by, @prover, @reason, @ended_epoch, @ended_revision, @ended_sequence, @lost_epoch, @lost_revision, @lost_sequence, @recall_until);

-- name: CurrentEpoch :one
SELECT sqlc.embed(p), (SELECT coalesce(sum(r.taken), 0) FROM recalls r WHERE r.environment = p.environment AND r.into_epoch = p.epoch)::bigint AS taken
FROM environments e
JOIN epochs p ON p.environment = e.id AND p.epoch = e.epoch
WHERE e.id = @environment;

-- name: ListEpochs :many
SELECT sqlc.embed(e), (SELECT coalesce(sum(r.taken), 0) FROM recalls r WHERE r.environment = e.environment AND r.into_epoch = e.epoch)::bigint AS taken
FROM epochs e
WHERE e.environment = @environment AND e.epoch < @before
ORDER BY e.epoch DESC
LIMIT @most;

-- name: WitnessRevision :execrows
UPDATE epochs p SET lost_epoch = @lost_epoch, lost_revision = @lost::bigint
WHERE p.environment = @environment AND p.epoch = (SELECT v.epoch FROM environments v WHERE v.id = @environment) AND p.epoch > @lost_epoch AND p.ended_epoch <= @lost_epoch AND @lost::bigint > greatest(p.lost_revision, p.ended_revision);

-- name: WitnessSequence :execrows
UPDATE epochs p SET lost_epoch = @lost_epoch, lost_sequence = @lost::bigint
WHERE p.environment = @environment AND p.epoch = (SELECT v.epoch FROM environments v WHERE v.id = @environment) AND p.epoch > @lost_epoch AND p.ended_epoch <= @lost_epoch AND @lost::bigint > greatest(p.lost_sequence, p.ended_sequence);

-- name: SettleEpoch :execrows
UPDATE epochs SET recall_until = NULL
WHERE environment = @environment AND epoch = @epoch AND recall_until IS NOT NULL;

-- name: WasRecalled :one
SELECT EXISTS (
    SELECT 1 FROM recalls
    WHERE environment = @environment AND epoch = @epoch AND sequence = @sequence AND digest = @digest
);

-- name: InsertRecall :exec
INSERT INTO recalls (environment, epoch, sequence, digest, node, into_epoch, taken, recalled_at)
SELECT @environment::text, @epoch::bigint, @sequence::bigint, @digest::bytea, @node::text, e.epoch, @taken::integer, @recalled_at::timestamptz FROM environments e WHERE e.id = @environment::text
ON CONFLICT (environment, epoch, sequence, digest) DO UPDATE SET taken = recalls.taken + excluded.taken;

-- name: LiveApiKeys :many
SELECT id, entry_key, expires_at, created_at
FROM api_keys
WHERE environment = @environment AND entry_key = ANY(@keys::bytea[]);

-- name: LiveConsumers :many
SELECT id FROM consumers
WHERE environment = @environment AND id = ANY(@ids::text[]) AND NOT suspended;

-- name: LiveBlocks :many
SELECT id, expires_at FROM blocks
WHERE environment = @environment AND id = ANY(@ids::text[]);
