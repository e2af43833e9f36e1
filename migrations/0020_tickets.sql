-- +goose Up

-- What TLS session tickets of an environment are sealed with lies in its directory, sealed; here is when that was last renewed. Keys of an
-- epoch that has ended are given up: which of them had been retired by then nobody knows any more.
CREATE TABLE ticket_keys (
    environment text COLLATE "C" PRIMARY KEY REFERENCES environments (id),
    version     integer          NOT NULL CHECK (version > 0), -- of the newest key
    epoch       bigint           NOT NULL,                     -- in which all of them were made
    entry_key   bytea            NOT NULL,
    rotated_at  timestamptz      NOT NULL,
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);
