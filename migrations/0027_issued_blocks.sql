-- +goose Up

-- A block may name what an issuer vouches for: one token, by its claim "jti", or everybody of a claim "sub". The issuer is named by id and may
-- be gone, as whom other blocks name.
ALTER TABLE blocks
    ADD COLUMN issuer   text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN token_id text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN subject  text COLLATE "C" NOT NULL DEFAULT '',
    DROP CONSTRAINT blocks_check,
    ADD CONSTRAINT blocks_target CHECK (
        (consumer <> '')::integer + (api_key <> '')::integer + (address_range <> '')::integer + (token_id <> '')::integer + (subject <> '')::integer = 1),
    ADD CONSTRAINT blocks_issuer CHECK ((issuer <> '') = (token_id <> '' OR subject <> ''));
CREATE INDEX blocks_token ON blocks (environment, issuer, token_id) WHERE token_id <> '';
CREATE INDEX blocks_subject ON blocks (environment, issuer, subject) WHERE subject <> '';
