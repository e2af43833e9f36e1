-- +goose Up

-- Who is let in no more, whatever they show: a consumer, an API key, or a range of client addresses. What a block names may
-- be gone: a block outlives it, so that nobody gets in by being deleted and restored.
CREATE TABLE blocks (
    environment   text COLLATE "C" NOT NULL REFERENCES environments (id),
    id            text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    labels        jsonb            NOT NULL DEFAULT '{}',
    description   text             NOT NULL DEFAULT '',
    consumer      text COLLATE "C" NOT NULL DEFAULT '',
    api_key       text COLLATE "C" NOT NULL DEFAULT '',
    address_range text COLLATE "C" NOT NULL DEFAULT '',
    expires_at    timestamptz,                   -- NULL: never
    entry_key     bytea            NOT NULL,
    created_at    timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    PRIMARY KEY (environment, id),
    CONSTRAINT blocks_name UNIQUE (environment, name),
    CHECK ((consumer <> '')::integer + (api_key <> '')::integer + (address_range <> '')::integer = 1),
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX blocks_consumer ON blocks (environment, consumer) WHERE consumer <> '';
CREATE INDEX blocks_api_key ON blocks (environment, api_key) WHERE api_key <> '';
CREATE INDEX blocks_expiry ON blocks (expires_at) WHERE expires_at IS NOT NULL;

-- The commits that denied somebody something: a node that holds the sequence holds all of the commit. They, what they
-- denied and what nodes said of them are kept for a while and then forgotten together.
CREATE TABLE denial_commits (
    environment  text COLLATE "C" NOT NULL REFERENCES environments (id),
    sequence     bigint           NOT NULL CHECK (sequence > 0), -- the commit's last
    author_id    text             NOT NULL,
    author       text             NOT NULL,
    committed_at timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, sequence)
);
CREATE INDEX denial_commits_age ON denial_commits (committed_at);

-- One object that a commit denied. It says nothing secret, and stays when the object goes.
CREATE TABLE denials (
    environment     text COLLATE "C" NOT NULL,
    sequence        bigint           NOT NULL, -- of the object's entry
    commit_sequence bigint           NOT NULL CHECK (commit_sequence >= sequence),
    collection      text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    cause           text             NOT NULL,
    takes_effect_at timestamptz      NOT NULL,
    lifted_by       bigint           NOT NULL DEFAULT 0, -- the sequence that took it back; 0: none did
    PRIMARY KEY (environment, sequence),
    FOREIGN KEY (environment, commit_sequence) REFERENCES denial_commits (environment, sequence) ON DELETE CASCADE
);
CREATE INDEX denials_commit ON denials (environment, commit_sequence);
CREATE INDEX denials_id ON denials (environment, collection, id, sequence);
CREATE INDEX denials_name ON denials (environment, collection, name, sequence);

-- When a node that had enrolled by then was first known to hold a commit on its disk.
CREATE TABLE denial_acks (
    environment     text COLLATE "C" NOT NULL,
    commit_sequence bigint           NOT NULL,
    node            text COLLATE "C" NOT NULL, -- may be gone by now
    acked_at        timestamptz      NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, commit_sequence, node),
    FOREIGN KEY (environment, commit_sequence) REFERENCES denial_commits (environment, sequence) ON DELETE CASCADE
);
