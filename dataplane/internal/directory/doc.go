// Package directory is what the node knows to be the case now: consumers, API keys, secrets,
// peppers and blocks, each found in the node's own memory.
//
// It is made for reading. A look-up takes no lock, touches no counter and allocates nothing; API
// keys lie sorted in 4,096 buckets that never change, each behind an atomic pointer, their records
// free of pointers, so that a million of them cost the garbage collector nothing. Secrets lie in the
// same scheme, by id; consumers in chunks of 204, by number.
//
// And it is made to be small, since whoever runs nodes pays for each entry on every one of them. An API key takes 67 bytes: 29 of its
// digest (its bucket and its tag tell the rest), 2 of tag, 16 of id, 16 of hash, 3 of its consumer's number, and 0 to 3 of the index
// of its scopes, addresses, routes and marks, which it shares with others; 16 more if it ends. A consumer takes 58 and their name: 40 for readers, 6 to
// be found by id and 6 by name, 6 for the digest, their hash being made of them again when their bucket changes; 16 more if they have labels or
// metadata, and those. The key of such an entry isn't kept, since its id gives it. A million keys of 250,000 consumers are 87 MB so.
//
// Numbers are the writer's: given to each id that a key or a consumer names, never to a second one, and all anew once those of who is gone
// are the most of them (renumbered). What was found under one is held against the id before anybody is let in by it.
//
// Who may come in is decided here alone: [Directory.Admit] holds a key against its bounds, its consumer and
// the blocks; [Directory.Denied] asks the same of what is still open; [Directory.AddressBlocked] is asked
// before anybody looks for a key. A block ends at its own time, whether or not its entry is gone by then.
// Without blocks each of these costs a look at a nil pointer. Of a token ([Directory.AdmitToken]) it knows what may be held against it: when it
// ends, and what its issuer calls it and its bearer. The keys that issuers sign by are kept as they came ([Directory.KeySet]): what they mean is
// for package issuers to say.
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
