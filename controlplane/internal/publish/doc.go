// Package publish is the one way to write: it takes a batch of operations on objects of both lanes and
// makes of it, in one transaction, at most one revision and n directory entries, or returns everything
// that is wrong with it and writes nothing. A single write is a batch of one; a dry run is the same
// without the commit; a rollback is a batch whose operations are an earlier revision's objects.
//
// The order in which things are locked is the same for all, so that no two writers can together break a
// reference, and none waits for the other in a circle:
//
//  0. the proposal that the batch publishes, if it publishes one;
//  1. the environment's row, if the batch touches configuration: then its head is caught up, and the
//     whole result is validated while nobody else can change it;
//  2. the teams that it refers to, shared; then the directory's rows that the batch changes or refers to, in the order of collections and ids;
//     behind them the key sets of the issuers that it changes;
//  3. the directory's counter, last of what is written about and shortly: sequence and digest are drawn behind it;
//  4. behind everything, right before the commit, the head of the environment's audit chain ([audit.Draft]); the global chain's
//     head behind an environment's, where an event goes into both. Nothing is locked behind these.
//
// What the author may write is held against what is committed, behind these locks: an author who is bound to a team finds
// that team's objects alone.
//
// Peppers change by [Publisher.RotatePepper] alone. It locks the environment's peppers where a batch locks rows: no
// key is made meanwhile with one that goes.
//
// The package owns that order and what an operation means (create, put, patch, delete, rotate). What a
// configuration may be is package catalog's, what rows and entries are is package directory's, SQL is
// package postgres's ([Store], [Tx]).
//
// Data flows Batch → operations → Candidate and directory plan → Refusals, or Tx → Result.
package publish
