-- name: RevisionDigestAt :one
SELECT digest FROM revisions
WHERE environment = @environment AND number = @number;
