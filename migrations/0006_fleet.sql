-- +goose Up

-- What lets nodes enrol. The token's text is never here: lookup may be shown, digest is SHA-256 of
-- the rest.
CREATE TABLE join_tokens (
    id          text COLLATE "C" PRIMARY KEY,
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    name        text COLLATE "C" NOT NULL,
    description text             NOT NULL DEFAULT '',
    lookup      text COLLATE "C" NOT NULL,
    digest      bytea            NOT NULL CHECK (octet_length(digest) = 32),
    expires_at  timestamptz      NOT NULL,
    max_uses    integer          NOT NULL CHECK (max_uses > 0),
    uses        integer          NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND max_uses),
    created_at  timestamptz      NOT NULL,
    CONSTRAINT join_tokens_name UNIQUE (environment, name),
    CONSTRAINT join_tokens_lookup UNIQUE (lookup)
);

-- The edge processes that have enrolled.
CREATE TABLE nodes (
    id                     text COLLATE "C" PRIMARY KEY,
    environment            text COLLATE "C" NOT NULL REFERENCES environments (id),
    name                   text             NOT NULL, -- that it gave itself; not unique
    enabled                boolean          NOT NULL DEFAULT true,
    join_token             text COLLATE "C" NOT NULL, -- may be gone by now
    bus_key                text COLLATE "C" NOT NULL, -- public nkey
    enrolled_at            timestamptz      NOT NULL,
    certificate_expires_at timestamptz      NOT NULL
);
CREATE INDEX nodes_environment ON nodes (environment, id);

-- What is known of a node in each lane: whether a replica has its stream open, what it holds, what it
-- refused last. Nodes say all of this again when they come back, so that these rows are written
-- without waiting for the disk.
CREATE TABLE node_lanes (
    node            text COLLATE "C" NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    lane            smallint         NOT NULL CHECK (lane IN (1, 2)), -- sallyport.edge.v1.Lane
    session         bytea            NOT NULL CHECK (octet_length(session) = 16), -- sorts by when the stream was opened
    connected_until timestamptz,     -- NULL: the stream ended
    seen_at         timestamptz      NOT NULL,
    build           text             NOT NULL DEFAULT '',
    capability      bigint           NOT NULL DEFAULT 0,
    epoch           bigint           NOT NULL DEFAULT 0,
    number          bigint           NOT NULL DEFAULT 0,
    digest          bytea            NOT NULL DEFAULT '',
    held_at         timestamptz,
    refused         bigint           NOT NULL DEFAULT 0,
    refused_at      timestamptz,
    errors          jsonb            NOT NULL DEFAULT '[]',
    PRIMARY KEY (node, lane)
) WITH (fillfactor = 70);
