-- +goose Up

-- What happened that programs may want to act on: a feed for each environment. An event is written in the transaction that makes it
-- happen, behind the lock of its head, so that the order of numbers is that of commits and has no gap. Nothing here refers to environments:
-- a reference would wait for whoever writes one, who may wait for the head.
CREATE TABLE event_heads (
    environment text COLLATE "C" PRIMARY KEY,
    number      bigint           NOT NULL -- of the newest event
);
CREATE TABLE events (
    environment text COLLATE "C" NOT NULL,
    number      bigint           NOT NULL,
    id          text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    at          timestamptz      NOT NULL,
    message     bytea            NOT NULL, -- an Event, but for what the columns hold
    cause       text COLLATE "C",          -- what must be told once only; NULL: the audit event that it came with is told once anyhow
    PRIMARY KEY (environment, number)
);
CREATE UNIQUE INDEX events_cause ON events (environment, cause) WHERE cause IS NOT NULL;
CREATE INDEX events_at ON events (at);

CREATE TABLE webhooks (
    environment    text COLLATE "C" NOT NULL REFERENCES environments (id),
    id             text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    description    text             NOT NULL DEFAULT '',
    url            text             NOT NULL,
    types          text[]           NOT NULL, -- none: all
    disabled       boolean          NOT NULL,
    secret         bytea            NOT NULL, -- sealed
    former         bytea,                     -- sealed; the secret before, while both sign
    former_ends_at timestamptz,
    created_at     timestamptz      NOT NULL,
    updated_at     timestamptz      NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT webhooks_name UNIQUE (environment, name)
);

CREATE TABLE webhook_deliveries (
    webhook      text COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    environment  text COLLATE "C" NOT NULL,
    number       bigint           NOT NULL,
    state        text COLLATE "C" NOT NULL, -- waiting, delivered, dead
    attempts     integer          NOT NULL DEFAULT 0,
    due_at       timestamptz      NOT NULL, -- while it waits; a courier that has taken it puts it off first
    status       integer          NOT NULL DEFAULT 0,
    error        text             NOT NULL DEFAULT '',
    delivered_at timestamptz,
    PRIMARY KEY (webhook, number),
    FOREIGN KEY (environment, number) REFERENCES events (environment, number) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (environment, number);
