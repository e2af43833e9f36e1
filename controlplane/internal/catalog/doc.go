// Package catalog is the configuration of each environment, whole and in memory: what it is now, what
// it would be, and what it was.
//
//   - [Head] is one revision of one environment: immutable, indexed by id, name, referrer, match and
//     guard. A head with one object changed shares all but a few kilobytes with the one before.
//   - [Candidate] is a head with a batch's operations laid on top. Check validates the whole of it and
//     returns everything that is wrong, at a cost that follows the number of changed objects.
//     Bound to a team ([Candidate.Bind]), it finds nothing of others.
//   - [Catalog] keeps the newest head of each environment, catches it up from the database before every
//     read and, under the environment's row lock, before every write; and answers reads, revisions and
//     differences.
//
// It owns neither the transaction nor the directory (packages publish and directory), and no SQL: it
// reads through [Source] and [Store]. What one object may hold is the contract's to say (proto/resource);
// what only the whole can tell is checked here: references that exist, names that are unique, routes
// that can't tie, routes that are public or protected.
//
// Data flows database → Head → Candidate → package publish, which writes it and hands the new head back
// by [Catalog.Advance].
package catalog
