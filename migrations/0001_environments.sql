-- +goose Up

-- An environment, and the head of its configuration. A batch that touches configuration locks this
-- row first (FOR NO KEY UPDATE, so that rows which merely refer to it can be written meanwhile).
CREATE TABLE environments (
    id              text COLLATE "C" PRIMARY KEY,
    name            text COLLATE "C" NOT NULL,
    description     text             NOT NULL DEFAULT '',
    epoch           bigint           NOT NULL CHECK (epoch > 0),
    revision        bigint           NOT NULL CHECK (revision >= 0),
    digest          bytea            NOT NULL CHECK (octet_length(digest) = 32),
    sequence_needed bigint           NOT NULL CHECK (sequence_needed >= 0),
    created_at      timestamptz      NOT NULL,
    CONSTRAINT environments_name UNIQUE (name)
);

-- The head of an environment's directory. Every write of entries locks this row last.
CREATE TABLE directory_counters (
    environment text COLLATE "C" PRIMARY KEY REFERENCES environments (id),
    sequence    bigint NOT NULL CHECK (sequence >= 0),
    digest      bytea  NOT NULL CHECK (octet_length(digest) = 32)
);
