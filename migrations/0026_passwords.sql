-- +goose Up

-- Usernames and passwords that prove consumers. What a password is compared by lies in its entry, sealed; the password itself nowhere.
CREATE TABLE passwords (
    environment     text COLLATE "C" NOT NULL REFERENCES environments (id),
    id              text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    labels          jsonb            NOT NULL DEFAULT '{}',
    description     text             NOT NULL DEFAULT '',
    consumer        text COLLATE "C" NOT NULL,
    username        text COLLATE "C" NOT NULL,
    scopes          text[]           NOT NULL DEFAULT '{}',
    expires_at      timestamptz,                  -- NULL: never
    addresses       text[]           NOT NULL DEFAULT '{}',
    password_set_at timestamptz      NOT NULL,
    entry_key       bytea            NOT NULL,    -- of the username
    created_at      timestamptz      NOT NULL,
    updated_at      timestamptz      NOT NULL,
    PRIMARY KEY (environment, id),
    CONSTRAINT passwords_name UNIQUE (environment, name),
    CONSTRAINT passwords_username UNIQUE (environment, username),
    FOREIGN KEY (environment, consumer) REFERENCES consumers (environment, id),
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX passwords_consumer ON passwords (environment, consumer, name);
CREATE INDEX passwords_entry ON passwords (environment, entry_key);
