-- +goose Up

-- What is known of the keys of each token issuer, and when it is asked next. The row of an issuer that was deleted stays for the keys
-- that are good no more: a rollback may bring the issuer back, and must not bring them. There are as many as revisions made issuers.
CREATE TABLE issuer_keys (
    environment  text COLLATE "C" NOT NULL REFERENCES environments (id),
    issuer       text COLLATE "C" NOT NULL,
    keys         jsonb            NOT NULL DEFAULT '{}', -- good ones, retired ones, those of no use
    next_at      timestamptz,                            -- when the control plane asks next; null: it doesn't
    moved_at     timestamptz,                            -- since when its keys are looked for elsewhere, where nothing was found yet
    attempted_at timestamptz,
    fetched_at   timestamptz,                            -- of the last answer with a key set
    empty_at     timestamptz,                            -- since when it shows no key, while that isn't believed yet
    failures     integer          NOT NULL DEFAULT 0,    -- in a row
    error        text             NOT NULL DEFAULT '',
    lease        text COLLATE "C" NOT NULL DEFAULT '',   -- of the replica that asks now
    leased_until timestamptz      NOT NULL DEFAULT 'epoch',
    demand_at    timestamptz      NOT NULL DEFAULT 'epoch', -- when it may have been asked on demand as often as it may, again
    deleted_at   timestamptz,
    PRIMARY KEY (environment, issuer)
);
CREATE INDEX issuer_keys_due ON issuer_keys (next_at) WHERE next_at IS NOT NULL;
