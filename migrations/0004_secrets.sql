-- +goose Up

-- Material of the control plane itself (signing key, authority's key, bus keys), sealed under the
-- root key, which is never in this database.
CREATE TABLE materials (
    name       text COLLATE "C" PRIMARY KEY,
    sealed     bytea            NOT NULL,
    created_at timestamptz      NOT NULL
);
