// Package access says who may use the admin API, and for what.
//
// It owns access tokens (how they are made, stored, recognised and ended), the actor that a token
// stands for ([Actor]), the permissions that operations name ([Permission]), and which role holds
// which of them ([Allows]).
//
// It does not own HTTP: the API face takes a token out of a request, asks [Tokens.Authenticate] who
// it is, asks [Allows] for the operation's permission, and puts the actor into the context. It does
// not own SQL either: [Store] is implemented by the ground.
//
// A token's secret exists in one answer only. What is stored is its SHA-256 digest: the secret has
// 256 random bits, so that a slow hash would protect nothing more and cost every request.
package access
