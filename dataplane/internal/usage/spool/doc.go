// Package spool keeps on a node's disk what was counted and not yet taken by the bus, so that a process that dies at any
// instruction loses none of it and nothing of it counts twice.
//
// Each start of the process has a folder, named after its boot and locked while it lives. In it lie two files:
//
//   - The ring takes a record of every request, on the request's own path. It is memory that is mapped from a file: the kernel keeps
//     what was stored there, whatever becomes of the process. A record is claimed by one compare-and-swap on a stripe that requests
//     practically never share, and ends with a word that is stored last and is the checksum of all the others, of the record's
//     position and of a number that this file alone has: half a record, or one of an earlier lap, is no record. There is no lock, no call into
//     the kernel, no allocation.
//   - The journal takes, ten times a second, what has been added up of the ring meanwhile, together with the positions up to
//     which the ring is in it, in one entry with one checksum: an entry is there whole, and then the ring's records below its
//     positions count for nothing; or it isn't, and then they are still in the ring. It is written and synced by the one goroutine that
//     owns it. The same file keeps the batches made of the counts, each before it is first sent.
//
// Records, and not counters in place: adding to a counter in shared memory is four stores, between which the process may
// die, and finding it is a lookup in a table; a record is one append, whole or not there, at less than the lookup's
// price. Its bound is how much the owner may fall behind, not how many counters there are. What doesn't fit is told
// to the caller, who counts it in memory: no request ever waits or fails for its being counted.
//
// The ring is never synced, the journal is: a page that the kernel is writing out stops whoever stores into it, and
// requests wait for no disk. So a power loss costs what was recorded since the last entry, at most a tenth of a second, and a
// page that the power loss tore is found out by the records' checksums.
//
// Files are read as something that anybody may have changed: sizes are bounded, checksums checked; what is wrong in any
// other way than a crash leaves it is put aside under another name, not counted. They are not sealed with a
// key: they hold no secret (ids, sums, and for single requests what the access log has), and who can write this disk has
// the node's identity beside them, with which to report whatever usage they like.
//
// The package knows no counters and no bus (usage does). Data flows: Append → Drain → usage → Journal, and back once, at
// the next start.
package spool
