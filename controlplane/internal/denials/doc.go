// Package denials shows that somebody is let in no more: which nodes hold a sequence of the directory, and the proof of a
// revoked key, a suspended consumer, a block.
//
// A denial is recorded by package publish, in the transaction that makes it; which node held it when is recorded with what
// nodes answer (fleet's roster), one row per commit and node. Both are timed by the database's clock alone, so that a time
// between the two is never below what it was, whichever replicas they came through. This package puts them together
// ([Proofs]), and ends what has had its time ([Sweeper]): blocks that have expired, which nodes heed no longer by
// themselves, and records older than [Retention].
//
// It doesn't own nodes (fleet), nor what is denied (directory, publish).
package denials
