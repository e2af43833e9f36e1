-- +goose Up

-- The directory as nodes hold it: the latest entry of each key. It alone has the bytes, their hash
-- and their sequence; the typed tables below say what they mean to people. A key whose entry is gone
-- stays as a tombstone, so that any node can be told.
CREATE TABLE directory_entries (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    key         bytea            NOT NULL CHECK (octet_length(key) = 32),
    sequence    bigint           NOT NULL CHECK (sequence > 0),
    entry       bytea,                               -- as sent, or sealed; NULL: gone
    hash        bytea CHECK (octet_length(hash) = 16), -- of the entry as sent, never of its sealed form
    sealed      boolean          NOT NULL DEFAULT false,
    PRIMARY KEY (environment, key),
    CONSTRAINT directory_entries_sequence UNIQUE (environment, sequence),
    CHECK ((entry IS NULL) = (hash IS NULL)),
    CHECK (entry IS NOT NULL OR NOT sealed)
);

CREATE TABLE consumers (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    metadata    jsonb            NOT NULL DEFAULT '{}',
    suspended   boolean          NOT NULL DEFAULT false,
    entry_key   bytea            NOT NULL,
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, id),
    CONSTRAINT consumers_name UNIQUE (environment, name),
    -- Deferred: entries are written last, behind the counter's lock.
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE api_keys (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    consumer    text COLLATE "C" NOT NULL,
    scopes      text[]           NOT NULL DEFAULT '{}',
    expires_at  timestamptz,                  -- NULL: never
    addresses   text[]           NOT NULL DEFAULT '{}',
    prefix      text             NOT NULL,
    last_four   text             NOT NULL,
    rotated_to  text COLLATE "C" NOT NULL DEFAULT '', -- may be gone by now
    entry_key   bytea            NOT NULL,    -- the key's digest
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, id),
    CONSTRAINT api_keys_name UNIQUE (environment, name),
    FOREIGN KEY (environment, consumer) REFERENCES consumers (environment, id),
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX api_keys_consumer ON api_keys (environment, consumer, name);

CREATE TABLE secrets (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    entry_key   bytea            NOT NULL,
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, id),
    CONSTRAINT secrets_name UNIQUE (environment, name),
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE peppers (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    version     integer          NOT NULL CHECK (version > 0),
    entry_key   bytea            NOT NULL,
    created_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, version),
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);
