// Package streams ends exchanges that outlive the reason why they were let in.
//
// A request is decided on once, when it begins. One that goes on for hours (server-sent events, a long download or upload, a long
// poll; later WebSocket and gRPC) must not live on what was true then: when its key is revoked or expires, its consumer is suspended
// or deleted, its address is blocked, it ends within a second.
//
//  1. Every request takes a Seat once it may pass (Enter) and leaves it at its end (Leave). That is two uncontended locks of a stripe;
//     the seat is the exchange's own memory. No timer, no allocation.
//  2. A ticker (Run) looks at the oldest seats of each stripe. Those older than a quarter of a second are long: they go into the index,
//     by caller, and their caller is asked about once more, since it may have been denied in the meantime.
//  3. When the directory has changed, and twice a second since time passes too, each distinct caller in the index is asked about:
//     once, however many streams it has. Those of a caller who isn't let in any more are ended.
//  4. To end one is to cancel the context that its upstream is asked under. The listener then gives up on the answer in a way
//     that the client can tell from a whole one. What hangs in a client that takes nothing is cut off.
//
// Who may stay is for Admission to say (package directory). What a stream needs of its configuration is for the exchange to let go of
// (pipeline.Exchange.LetGo); nothing here refers to a snapshot.
package streams
