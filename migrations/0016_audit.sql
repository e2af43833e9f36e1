-- +goose Up

-- Who did what: one chain of events for each environment, and a global one ('').
CREATE TABLE audit_heads (
    chain  text COLLATE "C" PRIMARY KEY, -- the environment's id; '': the global chain
    number bigint           NOT NULL,    -- of the newest event; 0: there is none
    hash   bytea            NOT NULL     -- of the newest event; zeros: there is none
);
INSERT INTO audit_heads SELECT '', 0, decode(repeat('00', 32), 'hex');
INSERT INTO audit_heads SELECT id, 0, decode(repeat('00', 32), 'hex') FROM environments;

-- What counts is record, of which the hash is. All other columns are drawn from it, to be looked up by.
CREATE TABLE audit_events (
    chain        text COLLATE "C"   NOT NULL,
    number       bigint             NOT NULL,
    record       bytea              NOT NULL,
    previous     bytea              NOT NULL,
    hash         bytea              NOT NULL,
    id           text COLLATE "C"   NOT NULL,
    at           timestamptz        NOT NULL,
    actor        text COLLATE "C"   NOT NULL,
    actor_name   text COLLATE "C"   NOT NULL,
    operation    text COLLATE "C"   NOT NULL,
    outcome      text COLLATE "C"   NOT NULL,
    code         text COLLATE "C"   NOT NULL,
    request_id   text COLLATE "C"   NOT NULL,
    address      text COLLATE "C"   NOT NULL,
    environment  text COLLATE "C"   NOT NULL,
    opened_epoch bigint             NOT NULL,
    objects      text[] COLLATE "C" NOT NULL, -- of each change: collection, id, collection/name
    PRIMARY KEY (chain, number)
);
CREATE UNIQUE INDEX audit_events_id ON audit_events (id);
CREATE INDEX audit_events_at ON audit_events (chain, at);
CREATE INDEX audit_events_actor ON audit_events (chain, actor, number);
CREATE INDEX audit_events_request ON audit_events (request_id) WHERE request_id <> '';
CREATE INDEX audit_events_outcome ON audit_events (chain, outcome, number) WHERE outcome <> 'done';
CREATE INDEX audit_events_epoch ON audit_events (environment, opened_epoch) WHERE opened_epoch > 0;
CREATE INDEX audit_events_objects ON audit_events USING gin (objects);

-- Against slips, not against who owns the database: those the chain is for.
-- +goose StatementBegin
CREATE FUNCTION audit_events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed nor removed';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_events_stay BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_stay();
CREATE TRIGGER audit_events_stay_whole BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_events_stay();

-- The newest signed head that each node has shown, and the newest that the control plane has signed (node '').
CREATE TABLE audit_witnesses (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    node        text COLLATE "C" NOT NULL,
    epoch       bigint           NOT NULL,
    number      bigint           NOT NULL,
    signed      bytea            NOT NULL, -- a SignedAuditHead
    shown_at    timestamptz      NOT NULL,
    PRIMARY KEY (environment, node)
);
