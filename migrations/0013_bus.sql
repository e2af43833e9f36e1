-- +goose Up

-- When the node's newest bus JWT was made, by the clock of the replica that made it: what ends it must
-- end all that was made until then.
ALTER TABLE nodes ADD COLUMN bus_issued_at timestamptz; -- NULL: before this was kept

-- Which nodes' bus JWTs the bus must turn away: those made until then. They outlive their nodes, and matter
-- for as long as such a JWT lives.
CREATE TABLE bus_revocations (
    bus_key       text COLLATE "C" PRIMARY KEY, -- public nkey
    node          text COLLATE "C" NOT NULL,    -- may be gone by now
    revoked_until timestamptz      NOT NULL
);
CREATE INDEX bus_revocations_until ON bus_revocations (revoked_until);
