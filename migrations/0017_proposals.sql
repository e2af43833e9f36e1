-- +goose Up

-- Batches that are made, reviewed and published by different people. A proposal's row changes under its version alone.
CREATE TABLE proposals (
    environment   text COLLATE "C" NOT NULL REFERENCES environments (id),
    id            text COLLATE "C" NOT NULL,
    version       bigint           NOT NULL,
    state         text             NOT NULL CHECK (state IN ('open', 'approved', 'stale', 'published', 'rejected', 'withdrawn', 'expired')),
    author_id     text             NOT NULL,
    summary       bytea            NOT NULL, -- sallyport.admin.v1.Proposal without what details hold
    details       bytea            NOT NULL, -- the same message: steps, base and plan, without secret material
    sealed        bytea,                     -- its operations as filed; gone once it is closed
    expires_at    timestamptz      NOT NULL,
    closed_at     timestamptz,
    closed_by     text             NOT NULL DEFAULT '',
    closed_by_id  text             NOT NULL DEFAULT '',
    revision      bigint           NOT NULL DEFAULT 0,
    sequence      bigint           NOT NULL DEFAULT 0,
    PRIMARY KEY (environment, id),
    CHECK ((sealed IS NULL) = (closed_at IS NOT NULL)),
    CHECK ((state IN ('open', 'approved', 'stale')) = (closed_at IS NULL))
);
CREATE INDEX proposals_open ON proposals (environment, expires_at) WHERE closed_at IS NULL;
CREATE INDEX proposals_dropped ON proposals (closed_at) WHERE closed_at IS NOT NULL AND state <> 'published';
