// Package signin lets people in: by a password and a second factor, or at an OpenID provider; and keeps them in, by a session.
//
// It owns passwords ([Passwords]: argon2id), invitations and the second factor ([Accounts]: RFC 6238 and recovery codes), sign-in at
// providers ([Federation]: OpenID Connect, authorization code with PKCE) and what their groups give ([Providers]), sessions ([Sessions]),
// the settings of all that ([Settings]), and how fast passwords can be guessed ([Throttle]). It doesn't own users, roles and what they
// allow (package access, whose [access.Actor] a session becomes), nor cookies and redirects (the API face), nor SQL.
//
// What is kept of a secret: passwords as argon2id digests; what a browser or a link holds (256 random bits) as SHA-256; recovery codes as
// HMAC-SHA-256 under a key of the vault; what must be read again (an app's secret, a client's) sealed under the root key. Each is shown in
// one answer only.
//
// Nothing is cached but what providers say of themselves: one look per request finds the session, whether it and its user still count, and
// every grant. Sessions end by idleness, by age, by signing out, with a password change, when a user is disabled, and when a provider is
// changed in what decides who comes from it.
//
// Guesses are counted per replica, in bounded memory: with n replicas an attacker has n times as many, which is still some thousand a day
// for an account, against passwords of 12 characters and more. So a database that is slow or down slows nobody's guesses down, nor anybody
// else.
//
// Data flows: face → [Accounts] or [Federation] → [Admission], with a session's text that is shown once → cookie → [Sessions.Authenticate]
// → Actor.
package signin
