-- name: InsertAccessToken :exec
INSERT INTO access_tokens (id, name, description, role, digest, created_at, expires_at, user_id, scope_environment, scope_permissions)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: LockAccessTokens :exec
LOCK TABLE access_tokens IN SHARE ROW EXCLUSIVE MODE;

-- name: AnyAccessToken :one
SELECT EXISTS (SELECT FROM access_tokens);

-- name: AccessToken :one
SELECT * FROM access_tokens
WHERE id = sqlc.arg(id_or_name) OR name = sqlc.arg(id_or_name);

-- name: AccessTokens :many
SELECT * FROM access_tokens
WHERE name > sqlc.arg(after) AND (sqlc.narg(user_id)::text IS NULL OR user_id = sqlc.narg(user_id))
ORDER BY name
LIMIT sqlc.arg(at_most);

-- name: DeleteAccessToken :execrows
DELETE FROM access_tokens
WHERE id = sqlc.arg(id_or_name) OR name = sqlc.arg(id_or_name);

-- name: Credential :many
-- A token with whom it belongs to and the roles of either; one row for each role, one without a role when there is none.
SELECT sqlc.embed(t), u.name AS user_name, u.disabled AS user_disabled,
       b.id AS binding, b.built_in, r.name AS role_name, r.permissions, b.environment, b.team
FROM access_tokens t
LEFT JOIN users u ON u.id = t.user_id
LEFT JOIN role_bindings b ON (b.user_id = t.user_id OR b.access_token = t.id)
LEFT JOIN roles r ON r.id = b.role
WHERE t.id = @id;

-- name: GrantsOf :many
SELECT b.id AS binding, b.built_in, r.name AS role_name, r.permissions, b.environment, b.team
FROM role_bindings b
LEFT JOIN roles r ON r.id = b.role
WHERE b.user_id = @subject OR b.access_token = @subject;

-- name: ResolveUser :one
SELECT id FROM users WHERE id = @key OR name = @key;

-- name: ResolveAccessToken :one
SELECT id FROM access_tokens WHERE id = @key OR name = @key;

-- name: ResolveRole :one
SELECT id FROM roles WHERE id = @key OR name = @key;

-- name: ResolveEnvironment :one
SELECT id FROM environments WHERE id = @key OR name = @key;

-- name: ResolveTeam :one
SELECT id FROM teams WHERE environment = @environment AND (id = @key OR name = @key);

-- name: InsertUser :exec
INSERT INTO users (id, name, labels, description, email, disabled, created_at, updated_at)
VALUES (@id, @name, @labels, @description, @email, @disabled, @created_at, @updated_at);

-- name: FindUser :one
SELECT * FROM users WHERE id = @key OR name = @key;

-- name: LockUser :one
SELECT * FROM users WHERE id = @key OR name = @key FOR UPDATE;

-- name: SelectUsers :many
SELECT * FROM users
WHERE users.name > @after
  AND (sqlc.narg(name)::text IS NULL OR users.name = sqlc.narg(name))
  AND (sqlc.narg(email)::text IS NULL OR lower(users.email) = lower(sqlc.narg(email)))
  AND users.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE users.labels @> unequal.pair)
  AND users.labels ?& @present::text[]
  AND NOT users.labels ?| @absent::text[]
ORDER BY users.name
LIMIT @most;

-- name: UpdateUser :exec
UPDATE users
SET name = @name, labels = @labels, description = @description, email = @email, disabled = @disabled, updated_at = @updated_at
WHERE id = @id;

-- name: DeleteUser :exec
DELETE FROM users WHERE id = @id;

-- name: UserReferrers :many
SELECT 'access-token' AS kind, id, name, '/user' AS pointer FROM access_tokens WHERE user_id = @id::text
UNION ALL
SELECT 'role-binding', id, name, '/user' FROM role_bindings WHERE user_id = @id::text AND provider IS NULL
ORDER BY 1, 3
LIMIT @most;

-- name: InsertTeam :exec
INSERT INTO teams (environment, id, name, labels, description, created_at, updated_at)
VALUES (@environment, @id, @name, @labels, @description, @created_at, @updated_at);

-- name: FindTeam :one
SELECT * FROM teams WHERE environment = @environment AND (id = @key OR name = @key);

-- name: LockTeam :one
SELECT * FROM teams WHERE environment = @environment AND (id = @key OR name = @key) FOR UPDATE;

-- name: LockTeamsToShare :many
SELECT id, name FROM teams
WHERE environment = @environment AND (id = ANY(@keys::text[]) OR name = ANY(@keys::text[]))
ORDER BY id FOR KEY SHARE;

-- name: SelectTeams :many
SELECT * FROM teams
WHERE teams.environment = @environment
  AND teams.name > @after
  AND (sqlc.narg(name)::text IS NULL OR teams.name = sqlc.narg(name))
  AND (sqlc.narg(within)::text[] IS NULL OR teams.id = ANY(sqlc.narg(within)::text[]))
  AND teams.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE teams.labels @> unequal.pair)
  AND teams.labels ?& @present::text[]
  AND NOT teams.labels ?| @absent::text[]
ORDER BY teams.name
LIMIT @most;

-- name: UpdateTeam :exec
UPDATE teams
SET name = @name, labels = @labels, description = @description, updated_at = @updated_at
WHERE environment = @environment AND id = @id;

-- name: DeleteTeam :exec
DELETE FROM teams WHERE environment = @environment AND id = @id;

-- name: TeamReferrers :many
SELECT r.from_collection AS kind, r.from_id AS id, o.name AS name, r.pointer AS pointer
FROM object_references r
JOIN objects o ON o.environment = r.environment AND o.collection = r.from_collection AND o.id = r.from_id
WHERE r.environment = @environment::text AND r.to_collection = 'teams' AND r.to_id = @id::text
UNION ALL
SELECT 'consumers', c.id, c.name, '/team' FROM consumers c WHERE c.environment = @environment::text AND c.team = @id::text
UNION ALL
SELECT 'secrets', s.id, s.name, '/team' FROM secrets s WHERE s.environment = @environment::text AND s.team = @id::text
UNION ALL
SELECT 'role-bindings', b.id, b.name, '/team' FROM role_bindings b WHERE b.environment = @environment::text AND b.team = @id::text
UNION ALL
SELECT 'sign-in-providers', p.id, p.name, '/groups/' || g.position || '/team'
FROM sign_in_provider_groups g JOIN sign_in_providers p ON p.id = g.provider WHERE g.environment = @environment::text AND g.team = @id::text
ORDER BY 1, 3
LIMIT @most;

-- name: InsertRole :exec
INSERT INTO roles (id, name, labels, description, permissions, created_at, updated_at)
VALUES (@id, @name, @labels, @description, @permissions, @created_at, @updated_at);

-- name: FindRole :one
SELECT * FROM roles WHERE id = @key OR name = @key;

-- name: LockRole :one
SELECT * FROM roles WHERE id = @key OR name = @key FOR UPDATE;

-- name: SelectRoles :many
SELECT * FROM roles
WHERE roles.name > @after
  AND (sqlc.narg(name)::text IS NULL OR roles.name = sqlc.narg(name))
  AND roles.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE roles.labels @> unequal.pair)
  AND roles.labels ?& @present::text[]
  AND NOT roles.labels ?| @absent::text[]
ORDER BY roles.name
LIMIT @most;

-- name: UpdateRole :exec
UPDATE roles
SET name = @name, labels = @labels, description = @description, permissions = @permissions, updated_at = @updated_at
WHERE id = @id;

-- name: DeleteRole :exec
DELETE FROM roles WHERE id = @id;

-- name: RoleReferrers :many
SELECT 'role-binding' AS kind, id, name, '/role' AS pointer FROM role_bindings WHERE role = @id::text
UNION ALL
SELECT 'sign-in-provider', p.id, p.name, '/groups/' || g.position || '/role'
FROM sign_in_provider_groups g JOIN sign_in_providers p ON p.id = g.provider WHERE g.role = @id::text
ORDER BY 1, 3
LIMIT @most;

-- name: InsertRoleBinding :exec
INSERT INTO role_bindings (id, name, labels, description, user_id, access_token, built_in, role, environment, team, created_at, updated_at)
VALUES (@id, @name, @labels, @description, @user_id, @access_token, @built_in, @role, @environment, @team, @created_at, @updated_at);

-- name: FindRoleBinding :one
SELECT * FROM role_bindings WHERE id = @key OR name = @key;

-- name: LockRoleBinding :one
SELECT * FROM role_bindings WHERE id = @key OR name = @key FOR UPDATE;

-- name: SelectRoleBindings :many
SELECT * FROM role_bindings
WHERE role_bindings.name > @after
  AND (sqlc.narg(name)::text IS NULL OR role_bindings.name = sqlc.narg(name))
  AND (sqlc.narg(user_id)::text IS NULL OR role_bindings.user_id IN (SELECT u.id FROM users u WHERE u.id = sqlc.narg(user_id) OR u.name = sqlc.narg(user_id)))
  AND (sqlc.narg(access_token)::text IS NULL OR role_bindings.access_token IN (SELECT t.id FROM access_tokens t WHERE t.id = sqlc.narg(access_token) OR t.name = sqlc.narg(access_token)))
  AND (sqlc.narg(role)::text IS NULL OR role_bindings.built_in = sqlc.narg(role) OR role_bindings.role IN (SELECT r.id FROM roles r WHERE r.id = sqlc.narg(role) OR r.name = sqlc.narg(role)))
  AND (sqlc.narg(environment)::text IS NULL OR role_bindings.environment IN (SELECT e.id FROM environments e WHERE e.id = sqlc.narg(environment) OR e.name = sqlc.narg(environment)))
  AND (sqlc.narg(team)::text IS NULL OR role_bindings.team IN (SELECT m.id FROM teams m WHERE m.id = sqlc.narg(team) OR m.name = sqlc.narg(team)))
  AND (sqlc.narg(within)::text[] IS NULL OR role_bindings.environment = ANY(sqlc.narg(within)::text[]))
  AND role_bindings.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE role_bindings.labels @> unequal.pair)
  AND role_bindings.labels ?& @present::text[]
  AND NOT role_bindings.labels ?| @absent::text[]
ORDER BY role_bindings.name
LIMIT @most;

-- name: UpdateRoleBinding :exec
UPDATE role_bindings
SET name = @name, labels = @labels, description = @description, user_id = @user_id, access_token = @access_token, built_in = @built_in,
    role = @role, environment = @environment, team = @team, updated_at = @updated_at
WHERE id = @id;

-- name: DeleteRoleBinding :exec
DELETE FROM role_bindings WHERE id = @id;
