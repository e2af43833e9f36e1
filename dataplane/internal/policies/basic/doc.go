// Package basic is the stage of the kind "basic": it proves a consumer by a username and password (RFC 7617).
//
// A request, step by step: the Authorization with the scheme Basic is taken apart; two of any scheme are refused. The directory is asked for the
// username. A password that this node has checked before against the same digest is known good by a keyed hash (cache) and costs
// nothing. Any other asks the back-off first (package backoff), then waits for its turn (turns): two digests are computed at a time, 64
// requests wait for up to five seconds, and whoever comes beyond is told to come back (authentication_busy). A username that nobody has is compared
// with a digest that nothing fits, at the same cost. Expiry, address pins, the consumer's state and blocks are held against on each request,
// whatever the cache says; then scopes.
//
// From an address that guesses nobody waits for a turn: who gets none at once is refused with too_many_failures, as are those whose
// password is wrong, known username or not. So a good password behind a shared address is still heard, and a guesser learns nothing and keeps nobody waiting.
//
// It owns all that. It doesn't own what passwords are compared by (proto/password), nor the passwords (directory). No password, nor any part of
// one, is in an error, a reason or a log, and none is kept.
package basic
