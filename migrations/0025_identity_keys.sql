-- +goose Up

-- What identity tokens of an environment are signed with lies in its directory, sealed; here is when that was last renewed, when the next key is needed
-- no more, and what services may see of it. Keys of an epoch that has ended are given up: which of them had been retired by then nobody knows any more.
CREATE TABLE identity_keys (
    environment text COLLATE "C" PRIMARY KEY REFERENCES environments (id),
    version     integer          NOT NULL CHECK (version > 0), -- of the newest key
    epoch       bigint           NOT NULL,                     -- in which all of them were made
    entry_key   bytea            NOT NULL,
    rotated_at  timestamptz      NOT NULL,
    trim_at     timestamptz,                                   -- when the next key is needed no more; NULL: there is one alone
    public_set  bytea            NOT NULL,                     -- the public halves, as a JWKS
    FOREIGN KEY (environment, entry_key) REFERENCES directory_entries (environment, key) DEFERRABLE INITIALLY DEFERRED
);
