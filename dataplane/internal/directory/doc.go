// Package directory is what the node knows to be the case now: consumers, API keys, secrets,
// peppers and blocks, each found in the node's own memory.
//
// It is made for reading. A look-up takes no lock, touches no counter and allocates nothing; API
// keys lie sorted in 4,096 pointer-free buckets that never change, each behind an atomic pointer,
// so that a million of them cost the garbage collector nothing. Consumers and secrets lie in the
// same scheme, by id.
//
// Who may come in is decided here alone: [Directory.Admit] holds a key against its bounds, its consumer and
// the blocks; [Directory.Denied] asks the same of what is still open; [Directory.AddressBlocked] is asked
// before anybody looks for a key. A block ends at its own time, whether or not its entry is gone by then.
// Without blocks each of these costs a look at a nil pointer.
//
// Changes come from one writer, package configsync, in two steps. Prepare and PrepareSnapshot work
// aside: they decode strictly, copy only the buckets that a change touches and compute the digest
// of the result, so that it can be compared with the signed one before anybody sees it. Commit then
// swaps. What is refused leaves no trace.
//
// The order of a Commit is such that no reader meets a key whose consumer, secret or pepper came
// with it and isn't there yet: what is referred to is added first and removed last. Beyond that
// references are soft: a key may name a consumer that the directory doesn't hold, and proves
// nobody then.
//
// The package knows nothing of streams, signatures or epochs (configsync), nor of what a key may be
// used for (policies/apikey). It is a leaf: it imports the contract alone.
package directory
