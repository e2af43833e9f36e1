-- name: SignInAccount :one
-- Whom somebody means who signs in: a name is a name, an address is an address.
SELECT u.id, u.name, u.email, u.disabled, p.digest AS password, f.sealed AS factor, f.enabled_at, COALESCE(f.last_step, 0)::bigint AS last_step
FROM users u
LEFT JOIN user_passwords p ON p.user_id = u.id
LEFT JOIN second_factors f ON f.user_id = u.id
WHERE u.id = @key::text OR u.name = @key::text OR lower(u.email) = lower(@key::text)
ORDER BY (lower(u.email) = lower(@key::text)) NULLS FIRST
LIMIT 1;

-- name: UserEntered :one
-- Whether somebody has ever been let in as the user, or could be.
SELECT (EXISTS (SELECT 1 FROM user_passwords p WHERE p.user_id = @user_id::text)
     OR EXISTS (SELECT 1 FROM sign_in_identities i WHERE i.user_id = @user_id::text)
     OR EXISTS (SELECT 1 FROM access_tokens t WHERE t.user_id = @user_id::text))::boolean;

-- name: UpsertPassword :exec
INSERT INTO user_passwords (user_id, digest, set_at) VALUES (@user_id, @digest, @set_at)
ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, set_at = excluded.set_at;

-- name: UpsertInvitation :exec
INSERT INTO invitations (user_id, digest, created_at, expires_at) VALUES (@user_id, @digest, @created_at, @expires_at)
ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at, expires_at = excluded.expires_at;

-- name: GetInvitation :one
SELECT i.user_id, u.name, u.email, u.disabled FROM invitations i JOIN users u ON u.id = i.user_id
WHERE i.digest = @digest AND i.expires_at > @now;

-- name: TakeInvitation :execrows
DELETE FROM invitations WHERE digest = @digest AND user_id = @user_id;

-- name: EndInvitation :exec
DELETE FROM invitations WHERE user_id = @user_id;

-- name: BeginSecondFactor :execrows
INSERT INTO second_factors (user_id, sealed) VALUES (@user_id, @sealed)
ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, last_step = 0
WHERE second_factors.enabled_at IS NULL;

-- name: EnableSecondFactor :execrows
UPDATE second_factors SET enabled_at = @enabled_at, last_step = @last_step
WHERE user_id = @user_id AND sealed = @sealed AND enabled_at IS NULL;

-- name: UseSecondFactorStep :execrows
UPDATE second_factors SET last_step = @step
WHERE user_id = @user_id AND last_step < @step AND enabled_at IS NOT NULL;

-- name: RemoveSecondFactor :execrows
DELETE FROM second_factors WHERE user_id = @user_id;

-- name: RemoveRecoveryCodes :exec
DELETE FROM recovery_codes WHERE user_id = @user_id;

-- name: InsertRecoveryCodes :exec
INSERT INTO recovery_codes (user_id, digest) SELECT @user_id, unnest(@digests::bytea[]);

-- name: UseRecoveryCode :execrows
UPDATE recovery_codes SET used_at = @used_at WHERE user_id = @user_id AND digest = @digest AND used_at IS NULL;

-- name: CountRecoveryCodes :one
SELECT count(*) FROM recovery_codes WHERE user_id = @user_id AND used_at IS NULL;

-- name: GetSignInSettings :one
SELECT * FROM sign_in_settings;

-- name: LockSignInSettings :one
SELECT * FROM sign_in_settings FOR UPDATE;

-- name: SetSignInSettings :exec
UPDATE sign_in_settings SET second_factor = @second_factor, password_refused = @password_refused, idle_seconds = @idle_seconds,
    lifetime_seconds = @lifetime_seconds, console_url = @console_url;

-- name: SessionCredential :many
-- A session with whom it is for and their roles: one row for each role, one without when there is none.
SELECT sqlc.embed(s), u.name AS user_name, u.disabled AS user_disabled, COALESCE(p.disabled, false)::boolean AS provider_disabled,
       g.second_factor AS second_factor_setting, g.password_refused, g.idle_seconds, g.lifetime_seconds,
       b.id AS binding, b.built_in, r.name AS role_name, r.permissions, b.environment, b.team
FROM sessions s
JOIN users u ON u.id = s.user_id
CROSS JOIN sign_in_settings g
LEFT JOIN sign_in_providers p ON p.id = s.provider
LEFT JOIN role_bindings b ON b.user_id = s.user_id
LEFT JOIN roles r ON r.id = b.role
WHERE s.digest = @digest;

-- name: InsertSession :exec
INSERT INTO sessions (id, digest, user_id, provider, second_factor, address, user_agent, created_at, last_seen_at, expires_at)
VALUES (@id, @digest, @user_id, @provider, @second_factor, @address, @user_agent, @created_at, @created_at, @expires_at);

-- name: EndOldestSessions :exec
-- Leaves the newest of a user's sessions.
DELETE FROM sessions WHERE sessions.user_id = @user_id AND sessions.id NOT IN (
    SELECT s.id FROM sessions s WHERE s.user_id = @user_id ORDER BY s.id DESC LIMIT @most
);

-- name: TouchSession :exec
UPDATE sessions SET last_seen_at = @at WHERE id = @id AND last_seen_at < @at;

-- name: RotateSession :execrows
UPDATE sessions SET digest = @digest, second_factor = second_factor OR @second_factor::boolean WHERE id = @id;

-- name: SelectSessions :many
SELECT * FROM sessions WHERE user_id = @user_id AND id > @after AND expires_at > @now ORDER BY id LIMIT @most;

-- name: EndSession :execrows
DELETE FROM sessions WHERE user_id = @user_id AND id = @id;

-- name: EndSessions :execrows
-- All of a user's, but for one.
DELETE FROM sessions WHERE user_id = @user_id AND id <> @keep::text;

-- name: EndSessionsOfProvider :exec
DELETE FROM sessions WHERE provider = @provider;

-- name: ForgetSessions :execrows
DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions s WHERE s.expires_at < @now LIMIT @most FOR UPDATE SKIP LOCKED);

-- name: ForgetSignInReturns :execrows
DELETE FROM sign_in_returns WHERE digest IN (SELECT r.digest FROM sign_in_returns r WHERE r.expires_at < @now LIMIT @most FOR UPDATE SKIP LOCKED);

-- name: ForgetInvitations :execrows
DELETE FROM invitations WHERE user_id IN (SELECT i.user_id FROM invitations i WHERE i.expires_at < @now LIMIT @most FOR UPDATE SKIP LOCKED);

-- name: TakeSignInReturn :execrows
INSERT INTO sign_in_returns (digest, expires_at) VALUES (@digest, @expires_at) ON CONFLICT DO NOTHING;

-- name: InsertSignInProvider :exec
INSERT INTO sign_in_providers (id, name, labels, description, title, issuer, client_id, client_secret, scopes, group_claim, domains, create_users,
    match_email, disabled, created_at, updated_at)
VALUES (@id, @name, @labels, @description, @title, @issuer, @client_id, @client_secret, @scopes, @group_claim, @domains, @create_users,
    @match_email, @disabled, @created_at, @updated_at);

-- name: UpdateSignInProvider :exec
UPDATE sign_in_providers
SET name = @name, labels = @labels, description = @description, title = @title, issuer = @issuer, client_id = @client_id,
    client_secret = COALESCE(@client_secret, client_secret), scopes = @scopes, group_claim = @group_claim, domains = @domains,
    create_users = @create_users, match_email = @match_email, disabled = @disabled, updated_at = @updated_at
WHERE id = @id;

-- name: DeleteSignInProvider :exec
DELETE FROM sign_in_providers WHERE id = @id;

-- name: FindSignInProvider :one
SELECT * FROM sign_in_providers WHERE id = @key OR name = @key;

-- name: LockSignInProvider :one
SELECT * FROM sign_in_providers WHERE id = @key OR name = @key FOR UPDATE;

-- name: ShareSignInProvider :one
SELECT * FROM sign_in_providers WHERE id = @id FOR SHARE;

-- name: SelectSignInProviders :many
SELECT * FROM sign_in_providers
WHERE sign_in_providers.name > @after
  AND (sqlc.narg(name)::text IS NULL OR sign_in_providers.name = sqlc.narg(name))
  AND sign_in_providers.labels @> @equal::jsonb
  AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(@unequal::jsonb) AS unequal (pair) WHERE sign_in_providers.labels @> unequal.pair)
  AND sign_in_providers.labels ?& @present::text[]
  AND NOT sign_in_providers.labels ?| @absent::text[]
ORDER BY sign_in_providers.name
LIMIT @most;

-- name: SignInProviderGroups :many
SELECT * FROM sign_in_provider_groups WHERE provider = ANY(@providers::text[]) ORDER BY provider, position;

-- name: DeleteSignInProviderGroups :exec
DELETE FROM sign_in_provider_groups WHERE provider = @provider;

-- name: InsertSignInProviderGroup :exec
INSERT INTO sign_in_provider_groups (provider, position, group_name, built_in, role, environment, team)
VALUES (@provider, @position, @group_name, @built_in, @role, @environment, @team);

-- name: DeleteProvidedRoleBindings :exec
DELETE FROM role_bindings WHERE provider = @provider;

-- name: DeleteProvidedRoleBindingsOf :exec
DELETE FROM role_bindings WHERE user_id = @user_id AND provider IS NOT NULL;

-- name: ProvidedRoleBindings :many
SELECT * FROM role_bindings WHERE user_id = @user_id AND provider = @provider ORDER BY id;

-- name: InsertProvidedRoleBinding :exec
INSERT INTO role_bindings (id, name, labels, description, user_id, built_in, role, environment, team, created_at, updated_at, provider)
VALUES (@id, @name, '{}', @description, @user_id, @built_in, @role, @environment, @team, @created_at, @created_at, @provider);

-- name: SignInIdentity :one
SELECT u.id, u.name, u.disabled FROM sign_in_identities i JOIN users u ON u.id = i.user_id
WHERE i.provider = @provider AND i.subject = @subject
FOR UPDATE OF u;

-- name: UserOfEmail :one
-- Who has an address, and may be who comes with it: nobody came as them from there.
SELECT u.id, u.name, u.disabled FROM users u
WHERE lower(u.email) = lower(@email) AND NOT EXISTS (SELECT 1 FROM sign_in_identities i WHERE i.provider = @provider AND i.user_id = u.id)
FOR UPDATE OF u;

-- name: InsertSignInIdentity :exec
INSERT INTO sign_in_identities (provider, subject, user_id, created_at) VALUES (@provider, @subject, @user_id, @created_at);

-- name: ListSealedSecondFactors :many
SELECT user_id, sealed FROM second_factors ORDER BY user_id;

-- name: ResealSecondFactor :exec
UPDATE second_factors SET sealed = @sealed WHERE user_id = @user_id;

-- name: ListSealedProviders :many
SELECT id, client_secret FROM sign_in_providers WHERE client_secret IS NOT NULL ORDER BY id;

-- name: ResealProvider :exec
UPDATE sign_in_providers SET client_secret = @client_secret WHERE id = @id;

-- name: ForgetPasswordsOfSecondFactors :exec
-- A password whose second factor can't be checked any more would be let in alone.
DELETE FROM user_passwords WHERE user_id IN (SELECT f.user_id FROM second_factors f);

-- name: ForgetSecondFactors :exec
DELETE FROM second_factors;

-- name: ForgetRecoveryCodes :exec
DELETE FROM recovery_codes;

-- name: ForgetClientSecrets :exec
UPDATE sign_in_providers SET client_secret = NULL;

-- name: ForgetAllSessions :exec
DELETE FROM sessions;
