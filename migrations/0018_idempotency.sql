-- +goose Up

-- Requests that were made under an Idempotency-Key, and what was answered. Nothing here tells the key, the request, or the answer.
CREATE TABLE idempotency_keys (
    scope       bytea            NOT NULL PRIMARY KEY, -- digest of actor, operation, path and key
    actor       text COLLATE "C" NOT NULL,
    request     bytea            NOT NULL,             -- keyed digest of the request
    holder      bytea            NOT NULL,             -- the attempt that carries it out; another one can't commit
    state       text             NOT NULL CHECK (state IN ('reserved', 'committed', 'kept')),
    lease_until timestamptz      NOT NULL,             -- until then the holder is taken to be at it
    revision    bigint           NOT NULL DEFAULT 0,   -- what it committed
    sequence    bigint           NOT NULL DEFAULT 0,
    objects     text[]           NOT NULL DEFAULT '{}',
    sealed      bytea,                                 -- the answer
    created_at  timestamptz      NOT NULL,
    CHECK ((sealed IS NOT NULL) = (state = 'kept'))
);
CREATE INDEX idempotency_keys_actor ON idempotency_keys (actor);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
