// Package access says who may use the admin API, and for what.
//
// It owns access tokens (how they are made, stored, recognised and ended: [Tokens]), users, teams, roles and role bindings
// ([Books]), the permissions that operations name ([Permission]), which role holds which of them ([BuiltIn]), and where
// somebody holds them ([Grants]). Nobody gives, changes or takes what they don't hold themselves: that is decided here, for
// each of these collections.
//
// It does not own HTTP: the API face takes a token out of a request, asks [Tokens.Authenticate] who it is, holds the grants
// against the operation's permission, and puts the [Actor] into the context. Nor which objects a write touches: package
// publish holds them to the [Bounds] of its author. Nor how people sign in, which package signin does: a session becomes an [Actor] there.
// It does not own SQL either: [Store] and [Shelf] are implemented by the
// ground.
//
// Nothing is cached: one look per request finds the token, whether it and its user still count, and every grant.
//
// A token's secret exists in one answer only. What is stored is its SHA-256 digest: the secret has
// 256 random bits, so that a slow hash would protect nothing more and cost every request.
//
// ROLES.md, beside this, is the table of roles and permissions, and what teams see.
package access
