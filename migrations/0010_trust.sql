-- +goose Up

-- What nodes believe in, as it was announced: each version is signed by a key of the one before it
-- (the first by its own), so that a node that was away walks from what it has to what is now.
CREATE TABLE trust_links (
    version    bigint PRIMARY KEY CHECK (version > 0),
    bundle     bytea            NOT NULL, -- sallyport.edge.v1.TrustBundle
    signature  bytea            NOT NULL CHECK (octet_length(signature) = 64),
    key_id     text COLLATE "C" NOT NULL,
    created_at timestamptz      NOT NULL
);

-- Which key took the place of which, and when. Names only: ids, fingerprints, public keys, versions.
CREATE TABLE rotations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text COLLATE "C" NOT NULL CHECK (kind IN ('signing', 'authority', 'bus', 'pepper', 'root')),
    environment  text COLLATE "C" NOT NULL DEFAULT '', -- of a pepper
    old          text COLLATE "C" NOT NULL,
    new          text COLLATE "C" NOT NULL,
    version      bigint           NOT NULL DEFAULT 0, -- of the trust that its newest step made
    announced_at timestamptz      NOT NULL,
    active_at    timestamptz,
    retired_at   timestamptz,
    CHECK (retired_at IS NULL OR active_at IS NOT NULL)
);
CREATE UNIQUE INDEX rotations_open ON rotations (kind) WHERE retired_at IS NULL;

-- What a node believes in (negative: in a version that this database lost), and by whom its certificate and its bus JWT
-- were issued. Empty: by the first.
ALTER TABLE nodes
    ADD COLUMN trust_version bigint           NOT NULL DEFAULT 0,
    ADD COLUMN authority     text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN bus_issuer    text COLLATE "C" NOT NULL DEFAULT '';

-- The pepper that a key's digest was made with. The reference keeps a pepper from going while a key comes.
ALTER TABLE api_keys
    ADD COLUMN pepper integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT api_keys_pepper FOREIGN KEY (environment, pepper) REFERENCES peppers (environment, version);
CREATE INDEX api_keys_pepper ON api_keys (environment, pepper);
