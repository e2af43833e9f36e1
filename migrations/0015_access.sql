-- +goose Up

-- Persons who use the admin API.
CREATE TABLE users (
    id          text COLLATE "C" PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    email       text,            -- NULL: none is known
    disabled    boolean          NOT NULL DEFAULT false,
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    CONSTRAINT users_name UNIQUE (name)
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

-- Whom objects of an environment belong to.
CREATE TABLE teams (
    environment text COLLATE "C" NOT NULL REFERENCES environments (id),
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    PRIMARY KEY (environment, id),
    CONSTRAINT teams_name UNIQUE (environment, name)
);

-- Roles that somebody made. Those that are built in are the build's.
CREATE TABLE roles (
    id          text COLLATE "C" PRIMARY KEY,
    name        text COLLATE "C" NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    description text             NOT NULL DEFAULT '',
    permissions text[]           NOT NULL DEFAULT '{}',
    created_at  timestamptz      NOT NULL,
    updated_at  timestamptz      NOT NULL,
    CONSTRAINT roles_name UNIQUE (name)
);

-- A token that was made before has the role that it says, as ever, and belongs to nobody.
ALTER TABLE access_tokens
    ADD COLUMN user_id           text COLLATE "C" REFERENCES users (id),        -- NULL: it is a service token
    ADD COLUMN scope_environment text COLLATE "C" REFERENCES environments (id), -- NULL: it isn't narrowed to one
    ADD COLUMN scope_permissions text[] NOT NULL DEFAULT '{}';                  -- none: it isn't narrowed to some
CREATE INDEX access_tokens_user ON access_tokens (user_id) WHERE user_id IS NOT NULL;

-- Who has which role, and where.
CREATE TABLE role_bindings (
    id           text COLLATE "C" PRIMARY KEY,
    name         text COLLATE "C" NOT NULL,
    labels       jsonb            NOT NULL DEFAULT '{}',
    description  text             NOT NULL DEFAULT '',
    user_id      text COLLATE "C" REFERENCES users (id),
    access_token text COLLATE "C" REFERENCES access_tokens (id) ON DELETE CASCADE, -- to end a token must always be possible
    built_in     text COLLATE "C",
    role         text COLLATE "C" REFERENCES roles (id),
    environment  text COLLATE "C" REFERENCES environments (id), -- NULL: everywhere
    team         text COLLATE "C",                              -- NULL: the whole environment
    created_at   timestamptz      NOT NULL,
    updated_at   timestamptz      NOT NULL,
    CONSTRAINT role_bindings_name UNIQUE (name),
    CONSTRAINT role_bindings_team FOREIGN KEY (environment, team) REFERENCES teams (environment, id),
    CHECK (num_nonnulls(user_id, access_token) = 1),
    CHECK (num_nonnulls(built_in, role) = 1),
    CHECK (team IS NULL OR environment IS NOT NULL)
);
CREATE INDEX role_bindings_user ON role_bindings (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX role_bindings_access_token ON role_bindings (access_token) WHERE access_token IS NOT NULL;
CREATE INDEX role_bindings_role ON role_bindings (role) WHERE role IS NOT NULL;
CREATE INDEX role_bindings_team_key ON role_bindings (environment, team) WHERE team IS NOT NULL;

ALTER TABLE consumers ADD COLUMN team text COLLATE "C"; -- NULL: the environment's own
ALTER TABLE consumers ADD CONSTRAINT consumers_team FOREIGN KEY (environment, team) REFERENCES teams (environment, id);
CREATE INDEX consumers_team_key ON consumers (environment, team, name) WHERE team IS NOT NULL;

ALTER TABLE secrets ADD COLUMN team text COLLATE "C"; -- NULL: the environment's own
ALTER TABLE secrets ADD CONSTRAINT secrets_team FOREIGN KEY (environment, team) REFERENCES teams (environment, id);
CREATE INDEX secrets_team_key ON secrets (environment, team, name) WHERE team IS NOT NULL;
