-- +goose Up

-- Sets of nodes of one environment.
CREATE TABLE node_groups (
    id          text COLLATE "C" PRIMARY KEY,
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    CONSTRAINT node_groups_name UNIQUE (environment, name)
);

ALTER TABLE join_tokens ADD COLUMN node_group text COLLATE "C"; -- NULL: none
ALTER TABLE join_tokens ADD CONSTRAINT join_tokens_group FOREIGN KEY (node_group) REFERENCES node_groups (id);
CREATE INDEX join_tokens_node_group ON join_tokens (node_group) WHERE node_group IS NOT NULL;

ALTER TABLE nodes
    ADD COLUMN node_group text COLLATE "C", -- NULL: none
    ADD COLUMN labels     jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN boot       text        NOT NULL DEFAULT '', -- of its newest process
    ADD COLUMN started_at timestamptz,                     -- that process, by the node's clock
    ADD COLUMN left_at    timestamptz;                     -- it said goodbye; NULL: it has its share of the fleet's limits
ALTER TABLE nodes ADD CONSTRAINT nodes_group FOREIGN KEY (node_group) REFERENCES node_groups (id);
CREATE INDEX nodes_node_group ON nodes (node_group) WHERE node_group IS NOT NULL;

-- Which process a stream is of: during a hand-over a node has two.
ALTER TABLE node_lanes
    ADD COLUMN boot       text        NOT NULL DEFAULT '',
    ADD COLUMN started_at timestamptz NOT NULL DEFAULT '0001-01-01T00:00:00Z';

-- Questions to nodes whose stream another replica has. They live for seconds: a crash of the database may lose them.
CREATE UNLOGGED TABLE inquiries (
    id          uuid PRIMARY KEY,
    environment text COLLATE "C" NOT NULL,
    node        text COLLATE "C" NOT NULL,
    question    bytea            NOT NULL CHECK (octet_length(question) <= 65536),
    asked_at    timestamptz      NOT NULL DEFAULT now(),
    deadline    timestamptz      NOT NULL,
    taken       boolean          NOT NULL DEFAULT false, -- by the replica that asks the node
    answer      bytea CHECK (octet_length(answer) <= 262144)
);
CREATE INDEX inquiries_open ON inquiries (node) WHERE NOT taken;
