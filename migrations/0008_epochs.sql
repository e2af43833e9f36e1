-- +goose Up

-- The states that an environment's directory was in, one for each write of entries: what tells a node that is behind from
-- one that comes out of another history. The oldest are removed as new ones come.
CREATE TABLE directory_heads (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    epoch       bigint           NOT NULL CHECK (epoch > 0),
    sequence    bigint           NOT NULL CHECK (sequence >= 0),
    digest      bytea            NOT NULL CHECK (octet_length(digest) = 32),
    created_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, epoch, sequence)
);

INSERT INTO directory_heads (environment, epoch, sequence, digest, created_at)
SELECT e.id, e.epoch, c.sequence, c.digest, now()
FROM environments e
JOIN directory_counters c ON c.environment = e.id;

-- Every epoch but an environment's first, and why it began.
CREATE TABLE epochs (
    environment   text COLLATE "C" NOT NULL REFERENCES environments (id),
    epoch         bigint           NOT NULL CHECK (epoch > 1),
    opened_at     timestamptz      NOT NULL,
    opened_by     text COLLATE "C" NOT NULL, -- a node, by id, a replica or an operator
    prover        text COLLATE "C" NOT NULL, -- the node that proved that there was more; '': none did
    reason        text             NOT NULL,
    -- What the database had: where the history before ends now.
    ended_epoch    bigint NOT NULL CHECK (ended_epoch > 0 AND ended_epoch < epoch),
    ended_revision bigint NOT NULL CHECK (ended_revision >= 0),
    ended_sequence bigint NOT NULL CHECK (ended_sequence >= 0),
    -- The furthest that anybody has proved it went; 0: nothing is known to be gone.
    lost_epoch    bigint NOT NULL,
    lost_revision bigint NOT NULL CHECK (lost_revision >= 0),
    lost_sequence bigint NOT NULL CHECK (lost_sequence >= 0),
    -- Until when nodes that hold nothing wait for what another is asked for; NULL: they are served.
    recall_until  timestamptz,
    PRIMARY KEY (environment, epoch)
);

-- States of gone histories from which denials were taken back, so that each is asked for once.
CREATE TABLE recalls (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    epoch       bigint           NOT NULL CHECK (epoch > 0), -- that the state is of
    sequence    bigint           NOT NULL CHECK (sequence >= 0),
    digest      bytea            NOT NULL CHECK (octet_length(digest) = 32),
    node        text COLLATE "C" NOT NULL, -- that held it
    into_epoch  bigint           NOT NULL CHECK (into_epoch > epoch),
    taken       integer          NOT NULL CHECK (taken >= 0), -- denials
    recalled_at timestamptz      NOT NULL,
    PRIMARY KEY (environment, epoch, sequence, digest)
);

-- The epoch of what a node refused last: its number says nothing in another.
ALTER TABLE node_lanes ADD COLUMN refused_epoch bigint NOT NULL DEFAULT 0;
UPDATE node_lanes l SET refused_epoch = e.epoch
FROM nodes n
JOIN environments e ON e.id = n.environment
WHERE n.id = l.node AND l.refused > 0;
