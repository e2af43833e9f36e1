-- name: InsertInquiry :execrows
-- Nothing is inserted when the node has as many open questions as it may have.
INSERT INTO inquiries (id, environment, node, question, deadline)
SELECT @id, @environment, @node, @question, now() + make_interval(secs => @within_seconds::float8)
WHERE (SELECT count(*) FROM inquiries i WHERE i.node = @node AND i.answer IS NULL AND i.deadline > now()) < @most::bigint;

-- name: TakeInquiries :many
UPDATE inquiries SET taken = true
WHERE id IN (
    SELECT i.id FROM inquiries i
    WHERE i.node = ANY(@nodes::text[]) AND NOT i.taken AND i.deadline > now()
    ORDER BY i.asked_at
    LIMIT @most
    FOR UPDATE SKIP LOCKED)
RETURNING id, environment, node, question, extract(epoch FROM deadline - now())::float8 AS left_seconds;

-- name: AnswerInquiry :execrows
UPDATE inquiries SET answer = @answer
WHERE id = @id AND answer IS NULL;

-- name: GetInquiryAnswer :one
SELECT answer FROM inquiries WHERE id = @id;

-- name: DeleteInquiry :exec
DELETE FROM inquiries WHERE id = @id;

-- name: SweepInquiries :exec
DELETE FROM inquiries WHERE deadline < now() - interval '10 seconds';

-- name: NotifyInquiries :exec
SELECT pg_notify('sallyport_inquiries', '');
