-- +goose Up

-- Every object of an environment's configuration as it is now. The bytes are the truth; name, labels
-- and etag are drawn from them when they are written.
CREATE TABLE objects (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    collection  text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    stored      bytea            NOT NULL CHECK (octet_length(stored) BETWEEN 1 AND 262144),
    etag        text COLLATE "C" NOT NULL,
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, collection, id),
    -- Deferred, so that two objects can swap names in one batch.
    CONSTRAINT objects_name UNIQUE (environment, collection, name) DEFERRABLE INITIALLY DEFERRED
);

-- Which object refers to which, in either lane; drawn from the field options.
CREATE TABLE object_references (
    environment     text COLLATE "C" NOT NULL,
    from_collection text COLLATE "C" NOT NULL,
    from_id         text COLLATE "C" NOT NULL,
    pointer         text COLLATE "C" NOT NULL,
    to_collection   text COLLATE "C" NOT NULL,
    to_id           text COLLATE "C" NOT NULL,
    PRIMARY KEY (environment, from_collection, from_id, pointer),
    FOREIGN KEY (environment, from_collection, from_id)
        REFERENCES objects (environment, collection, id) ON DELETE CASCADE
);
CREATE INDEX object_references_target ON object_references (environment, to_collection, to_id);

-- Numbered states of a configuration, gap-free from 1.
CREATE TABLE revisions (
    environment     text COLLATE "C" NOT NULL REFERENCES environments (id),
    number          bigint           NOT NULL CHECK (number > 0),
    epoch           bigint           NOT NULL,
    digest          bytea            NOT NULL CHECK (octet_length(digest) = 32),
    sequence_needed bigint           NOT NULL,
    author_id       text             NOT NULL,
    author          text             NOT NULL,
    message         text             NOT NULL,
    rollback_to     bigint           CHECK (rollback_to < number),
    changes         integer          NOT NULL CHECK (changes > 0),
    created_at      timestamptz      NOT NULL,
    PRIMARY KEY (environment, number)
);

-- What each revision changed: replayed in order they give objects.
CREATE TABLE revision_changes (
    environment text COLLATE "C" NOT NULL,
    revision    bigint           NOT NULL,
    collection  text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    before      bytea, -- NULL: it was made
    after       bytea, -- NULL: it was deleted
    PRIMARY KEY (environment, revision, collection, id),
    FOREIGN KEY (environment, revision) REFERENCES revisions (environment, number),
    CHECK (before IS NOT NULL OR after IS NOT NULL)
);
CREATE INDEX revision_changes_object ON revision_changes (environment, collection, id, revision);
