-- +goose Up

-- What becomes of an API key. rotated_requests is how often it had been used, as far as nodes had said, when it was rotated.
ALTER TABLE api_keys
    ADD COLUMN routes               text[]           NOT NULL DEFAULT '{}', -- and services, by id; may be gone by now
    ADD COLUMN retire_after_seconds bigint           NOT NULL DEFAULT 0 CHECK (retire_after_seconds >= 0), -- of silence; 0: never
    ADD COLUMN rotated_from         text COLLATE "C" NOT NULL DEFAULT '', -- may be gone by now
    ADD COLUMN rotated_at           timestamptz,                          -- NULL: it wasn't, or before this step
    ADD COLUMN rotated_requests     bigint           NOT NULL DEFAULT 0,
    ADD COLUMN watched              boolean          NOT NULL DEFAULT false,
    ADD COLUMN imported             boolean          NOT NULL DEFAULT false;

-- A key is one consumer's, also when two import it at once.
CREATE UNIQUE INDEX api_keys_digest ON api_keys (environment, entry_key);
CREATE INDEX api_keys_retiring ON api_keys (environment, id) WHERE retire_after_seconds > 0;

-- From where a credential was used.
CREATE INDEX usage_events_credential ON usage_events (environment, credential, time_ms)
    WHERE credential <> '00000000-0000-0000-0000-000000000000';
