-- name: LockForProposals :one
-- Held while one is filed, so that their number is what it was counted to be.
SELECT id FROM environments WHERE id = @environment FOR NO KEY UPDATE;

-- name: CountOpenProposals :one
SELECT count(*) FROM proposals WHERE environment = @environment AND closed_at IS NULL;

-- name: InsertProposal :exec
INSERT INTO proposals (environment, id, version, state, author_id, summary, details, sealed, expires_at)
VALUES (@environment, @id, 1, @state, @author_id, @summary, @details, @sealed, @expires_at);

-- name: GetProposal :one
SELECT * FROM proposals WHERE environment = @environment AND id = @id;

-- name: ListProposals :many
SELECT id, version, state, author_id, summary, expires_at, closed_at, closed_by, closed_by_id, revision, sequence FROM proposals
WHERE environment = @environment AND (@before::text = '' OR id < @before::text)
  AND (@state::text = '' OR state = @state::text) AND (@author_id::text = '' OR author_id = @author_id::text)
ORDER BY id DESC
LIMIT @most;

-- name: UpdateProposal :execrows
UPDATE proposals SET version = version + 1, state = @state, summary = @summary, details = coalesce(sqlc.narg(details), details), sealed = @sealed, expires_at = @expires_at,
    closed_at = @closed_at, closed_by = @closed_by, closed_by_id = @closed_by_id
WHERE environment = @environment AND id = @id AND version = @version AND closed_at IS NULL;

-- name: LockProposal :one
SELECT version FROM proposals
WHERE environment = @environment AND id = @id AND state = 'approved'
FOR UPDATE;

-- name: PublishProposal :execrows
UPDATE proposals SET version = version + 1, state = 'published', sealed = NULL, closed_at = @closed_at,
    closed_by = @closed_by, closed_by_id = @closed_by_id, revision = @revision, sequence = @sequence
WHERE environment = @environment AND id = @id AND version = @version AND closed_at IS NULL;

-- name: ExpireProposals :execrows
UPDATE proposals p SET version = p.version + 1, state = 'expired', sealed = NULL, closed_at = p.expires_at
WHERE p.closed_at IS NULL AND p.expires_at <= @at AND (p.environment, p.id) IN (
    SELECT q.environment, q.id FROM proposals q
    WHERE q.closed_at IS NULL AND q.expires_at <= @at
    LIMIT @most
    FOR UPDATE SKIP LOCKED
);

-- name: ForgetProposals :execrows
DELETE FROM proposals p WHERE (p.environment, p.id) IN (
    SELECT q.environment, q.id FROM proposals q
    WHERE q.closed_at < @closed_before AND q.state <> 'published'
    LIMIT @most
    FOR UPDATE SKIP LOCKED
);

-- name: ListSealedProposals :many
SELECT environment, id, sealed FROM proposals WHERE sealed IS NOT NULL ORDER BY environment, id;

-- name: ResealProposal :exec
UPDATE proposals SET sealed = @sealed WHERE environment = @environment AND id = @id;

-- name: WithdrawSealedProposals :exec
UPDATE proposals SET version = version + 1, state = 'withdrawn', sealed = NULL, closed_at = @at, closed_by = 'system', closed_by_id = 'system'
WHERE closed_at IS NULL;
