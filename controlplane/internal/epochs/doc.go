// Package epochs keeps the database's histories apart.
//
// Numbers of revisions and sequences only grow, so that a node knows what is newer. That ends when the database goes back: a
// dump was restored, or a failover lost the tail. What shows it is a state that the control plane has signed and the database
// doesn't know: the Hello of a node brings it under our own signature, or a replica remembers having read it ([Evidence]). Nobody
// else can make one. The package then begins a new epoch ([Epochs.Open]), in one transaction with what it records about it; it
// judges behind the locks, so that any number of nodes and replicas that prove the same begin one epoch together.
//
// What is gone stays gone, but for what denies. Before a node of another history is served, it is asked for what its directory
// holds ([Recall]):
//
//  1. the sums of its 4,096 buckets, which must digest to a head that we signed;
//  2. of the buckets that differ from the database's: the hashes of their entries, which must give the sum;
//  3. of the entries that the database hasn't: their bytes, which must have the hash.
//
// So a node can't invent anything, and what it doesn't show counts against the credential. From the comparison come operations for
// package publish, the one way to write: API keys that the node no longer holds are deleted, consumers that it holds as suspended
// are suspended, API keys that end earlier on the node end then, blocks that it holds and that haven't expired are made again, keys of token issuers that it holds
// as retired are retired. A key
// made after the head's time is younger than the history that is gone, and stays. Who has been asked, or holds a state that the database knows, is served at once. Who holds nothing would let in whom the lost history revoked: it
// waits until the node that proved has been asked, at most for [Bound].
//
// The package doesn't own the stream (fleet and edgeapi do), nor the forms of entries (directory), nor SQL ([Store]).
//
// Data flows Evidence → Open → Recall → findings → publish.Batch → directory.
package epochs
