// Package configsync keeps a node's configuration and directory as the control plane has them.
//
// Each of the two lanes has a stream of its own over one connection, so that a big snapshot or a
// slow compile never stands before a revocation:
//
//  1. Hello says what the node holds.
//  2. A delta, a snapshot in chunks or a beat comes in, each under a signed head: signature,
//     environment, lane and position are checked first.
//  3. It is applied aside, and its digest compared with the head's.
//  4. A configuration waits until the directory is where it needs it, and is compiled.
//  5. It is put in force, whole, kept on the disk (package state), and acked once it lasts there; or refused,
//     whole, with the reasons, and what the node held stays.
//
// Whom to believe may change while the node runs (Trust): announcements come on the directory's stream, before what
// needs them. A configuration whose key isn't known waits for that a little. What lies on the disk is verified by keys
// that were retired since, too, up to where the node was then.
//
// A digest that doesn't match raises an alarm and is answered by asking for a snapshot. A stream
// that ends is opened again, after a pause that grows and jitters; meanwhile the node serves what
// it holds. Data flows one way: from the streams into the directory and the compiler, through
// lane.apply alone. What a node kept comes in once, by Restore, and what a snapshot file holds beyond that by Take; both are
// verified as if they came over the wire.
//
// A database that went back is told by its nodes: the Hello carries the signed head of what the node holds, and before a new epoch's
// snapshot the control plane may ask what the directory holds (Recall). The answer proves itself by digests, and holds no secret. A head
// of a later epoch is newer, whatever its number.
//
// What must hold whatever happens (one whole revision in force, no key from beyond its revocation, never back) is shown on random
// histories of a fleet of real nodes, with crashes, lies on the wire and spoiled files (fleet_property_test.go; SALLYPORT_SEED replays one).
//
// The package knows nothing of how a configuration is compiled (Compiler does) nor of how the
// connection proves who is who (package enroll). It opens no file: package state does.
package configsync
