-- +goose Up

-- Tokens that let people and scripts use the admin API: their digests, never their texts.
CREATE TABLE access_tokens (
    id          text COLLATE "C" PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    description text             NOT NULL DEFAULT '',
    role        text             NOT NULL,
    digest      bytea            NOT NULL CHECK (octet_length(digest) = 32),
    created_at  timestamptz      NOT NULL,
    expires_at  timestamptz,
    CONSTRAINT access_tokens_name UNIQUE (name)
);
