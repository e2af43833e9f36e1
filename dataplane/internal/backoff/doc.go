// Package backoff slows down who tries credentials. It counts failures in the node's own memory, by three things:
//
//   - a pair of address and credential (a username, a token's subject): five failures are free, then each doubles the wait, from a second to
//     five minutes. It is exact: who mistypes their own password waits, and nobody else does.
//   - a credential, from whatever address: fifty are free, then up to thirty seconds. It holds for pairs alone that have failed themselves: who
//     comes from a new address is heard once whatever others do, so that no owner is locked out by who guesses.
//   - an address (of IPv6 the /64): failures of fifty different credentials are free, then up to thirty seconds. It says that somebody there guesses; what to do with one
//     who may be somebody else behind the same address is the caller's: unknown credentials are refused unseen, known ones are looked at if that
//     is cheap or nobody has to wait for it.
//
// A minute of quiet forgives a failure. A success forgives the pair's, nobody else's: one good credential must not buy guesses at others.
//
// The table is bounded ([New]): when it is full, of a few the one that failed longest ago is forgotten, and counted. Nothing in it can be read back:
// keys are hashes under a seed of the process. It owns counting and waiting; refusing, and saying so (too_many_failures), is the stages'. Their metrics of
// verdicts tell how often by kind, and their traces of decisions by which rule.
package backoff
