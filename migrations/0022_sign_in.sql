-- +goose Up

-- What users sign in with by themselves: an argon2id digest.
CREATE TABLE user_passwords (
    user_id text COLLATE "C" PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    digest  text             NOT NULL,
    set_at  timestamptz      NOT NULL
);

-- Who may set a user's password, once: digests of what links hold. A user has one at a time.
CREATE TABLE invitations (
    user_id    text COLLATE "C" PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    digest     bytea            NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    created_at timestamptz      NOT NULL,
    expires_at timestamptz      NOT NULL
);

-- Authenticator apps (RFC 6238): their secrets, sealed under the root key.
CREATE TABLE second_factors (
    user_id    text COLLATE "C" PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed     bytea            NOT NULL,
    enabled_at timestamptz,              -- NULL: its first code hasn't been shown yet
    last_step  bigint           NOT NULL DEFAULT 0 -- of the last code that was taken: none is taken twice
);

-- Keyed digests of codes that stand for one of the app's, once.
CREATE TABLE recovery_codes (
    user_id text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest  bytea            NOT NULL CHECK (octet_length(digest) = 32),
    used_at timestamptz,
    PRIMARY KEY (user_id, digest)
);

-- How people sign in: one row that is always there.
CREATE TABLE sign_in_settings (
    singular         boolean PRIMARY KEY DEFAULT true CHECK (singular),
    second_factor    text    NOT NULL DEFAULT '',
    password_refused boolean NOT NULL DEFAULT false,
    idle_seconds     integer,         -- NULL: as by default
    lifetime_seconds integer,         -- NULL: as by default
    console_url      text    NOT NULL DEFAULT ''
);
INSERT INTO sign_in_settings DEFAULT VALUES;

-- OpenID providers at which people sign in.
CREATE TABLE sign_in_providers (
    id            text COLLATE "C" PRIMARY KEY,
    name          text COLLATE "C" NOT NULL,
    labels        jsonb            NOT NULL DEFAULT '{}',
    description   text             NOT NULL DEFAULT '',
    title         text             NOT NULL DEFAULT '',
    issuer        text             NOT NULL,
    client_id     text             NOT NULL,
    client_secret bytea,           -- sealed under the root key; NULL: it has none
    scopes        text[]           NOT NULL DEFAULT '{}',
    group_claim   text             NOT NULL DEFAULT '',
    domains       text[]           NOT NULL DEFAULT '{}',
    create_users  boolean          NOT NULL DEFAULT false,
    match_email   boolean          NOT NULL DEFAULT false,
    disabled      boolean          NOT NULL DEFAULT false,
    created_at    timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    CONSTRAINT sign_in_providers_name UNIQUE (name)
);

-- What groups of a provider's people give.
CREATE TABLE sign_in_provider_groups (
    provider    text COLLATE "C" NOT NULL REFERENCES sign_in_providers (id) ON DELETE CASCADE,
    position    integer          NOT NULL,
    group_name  text             NOT NULL,
    built_in    text COLLATE "C",
    role        text COLLATE "C" REFERENCES roles (id),
    environment text COLLATE "C" REFERENCES environments (id), -- NULL: everywhere
    team        text COLLATE "C",                              -- NULL: the whole environment
    PRIMARY KEY (provider, position),
    FOREIGN KEY (environment, team) REFERENCES teams (environment, id),
    CHECK (num_nonnulls(built_in, role) = 1),
    CHECK (team IS NULL OR environment IS NOT NULL)
);
CREATE INDEX sign_in_provider_groups_role ON sign_in_provider_groups (role) WHERE role IS NOT NULL;
CREATE INDEX sign_in_provider_groups_team ON sign_in_provider_groups (environment, team) WHERE team IS NOT NULL;

-- Who a provider's people are.
CREATE TABLE sign_in_identities (
    provider   text COLLATE "C" NOT NULL REFERENCES sign_in_providers (id) ON DELETE CASCADE,
    subject    text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz      NOT NULL,
    PRIMARY KEY (provider, subject),
    CONSTRAINT sign_in_identities_user UNIQUE (provider, user_id)
);
CREATE INDEX sign_in_identities_user_key ON sign_in_identities (user_id);

-- Sign-ins at a provider that have come back, until they couldn't any more: digests of their states. None comes back twice.
CREATE TABLE sign_in_returns (
    digest     bytea       PRIMARY KEY CHECK (octet_length(digest) = 32),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_returns_expires ON sign_in_returns (expires_at);

-- Times for which somebody is signed in: digests of what their browsers hold.
CREATE TABLE sessions (
    id            text COLLATE "C" PRIMARY KEY,
    digest        bytea            NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    user_id       text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider      text COLLATE "C" REFERENCES sign_in_providers (id) ON DELETE CASCADE, -- NULL: by password
    second_factor boolean          NOT NULL,
    address       text             NOT NULL,
    user_agent    text             NOT NULL,
    created_at    timestamptz      NOT NULL,
    last_seen_at  timestamptz      NOT NULL,
    expires_at    timestamptz      NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_provider ON sessions (provider) WHERE provider IS NOT NULL;

-- Bindings that a provider's groups gave go with it.
ALTER TABLE role_bindings ADD COLUMN provider text COLLATE "C" REFERENCES sign_in_providers (id) ON DELETE CASCADE; -- NULL: somebody made it
CREATE INDEX role_bindings_provider ON role_bindings (provider) WHERE provider IS NOT NULL;
