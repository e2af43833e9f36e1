// Package state keeps on a node's disk what its lanes applied, so that a node that starts again serves at once from its last good
// state, with nobody there to ask.
//
// Each lane has a checkpoint (a whole state, compressed as it came over the wire) and a log of the deltas since. Nothing is kept
// but what the control plane has signed: a checkpoint begins with its signed head, each record of a log is a delta with its own. What
// goes in by Append and Checkpoint.Commit is durable when they return, and comes out again by Load, in order, for the reader
// to verify as if it came over the wire: signature, environment, position, digest. When a log outgrows its checkpoint both are merged into
// a new one, beside the lane and never in its way.
//
// Files are sealed record by record (AES-256-GCM, a key of its own per file out of a random salt, a random nonce per record, the record's
// place authenticated with it). The key comes from the environment; else from a file beside the data, which then
// guards integrity only: who can read the disk can read the key. A log that ends in the middle of a record was torn by a crash and is cut
// at the last whole one. Anything else that is wrong makes a lane's files refused: they are put aside under another name, to be
// looked at, and the node starts empty.
//
// Beside the lanes lie the marks: the highest position each lane ever held, below which nothing is accepted in its epoch, and
// what is known of crashes, and how fresh the node was. A revision on which the process died twice within a minute of taking it is left for the one before it, and
// refused until a newer one comes. Only files put back all together, marks included, can't be told from the past they show.
//
// When the next process of the node takes over the state is frozen: all that was acked lies on the disk, and nothing is written, put aside or
// removed until one of the two thaws it. So the next process loads what the one before has in force, and whichever goes on, goes on from
// there. What can't be read then is the next process's fault, not the state's.
//
// The package opens files and seals; it verifies no signature and knows nothing of streams (configsync does). Data flows from
// configsync to the disk while the node runs, and back once, at its start.
package state
