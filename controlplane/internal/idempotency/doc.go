// Package idempotency makes requests safe to repeat (draft-ietf-httpapi-idempotency-key-header): one that comes again under the same key is
// answered as the first was, and nothing is done twice.
//
// A [Keeper] reserves the key before anything is done. The [Reservation] travels in the context, and the ground marks it as committed in the
// transaction that writes: of a process that dies before its answer is kept, the next attempt learns that it was carried out, and what
// it made. An attempt that was taken for dead and goes on can't commit: the key has another holder by then.
//
// The package owns what a reservation goes through (reserved → committed → kept, or released) and how answers are kept: sealed, for 24 h. What
// an answer is, its face knows; SQL is package postgres's ([Store]).
//
// Data flows Request → Begin → Reservation (in the context of the operation) → Keep or Release; or → Reply of an earlier attempt.
// A kept answer says what its caller might do where it was given; the face shows it only to that caller while they still may do all of it.
package idempotency
