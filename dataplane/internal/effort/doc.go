// Package effort bounds what inspecting requests costs a node: time of a processor, per address, per credential and in all, and how many
// inspections are at work at once.
//
// It owns the [Meter]: what callers have cost lately, the turns and their order. It owns no verdict on a request but that there is no time for it, and no
// inspection. An inspection is one or several pieces of work ([Meter.Do]); each runs on the goroutine that asks.
//
// # What a piece costs
//
// On Linux it is what the kernel says of its thread, to which the goroutine is locked while it is at it: nothing of others is booked, however often it is
// interrupted, and what it has the garbage collector do there and then is. What the collector does behind it on other threads isn't. Elsewhere it is wall time.
// Locking and looking costs some 1 µs a piece.
//
// # Who is refused
//
// A caller has spent what its pieces cost, by its address (of IPv6 the /64) and by its credential; it comes back evenly, all of [Allowance] within its Refill.
// Who has spent all of it is refused, before anything is done. What a piece costs is known behind it, so one that is let in may cost more than is left: a debt
// of ten allowances at most.
//
// The node has spent what all of them cost, and gets its share of its processors back. From half of what it may, that of each caller's allowance which counts
// shrinks, from all of it to a twentieth; so it does where dear pieces wait that look as if they took longer than anybody waits. What the caller's own that wait look
// like counts as spent then: a byte looks like what a caller's have cost lately. So the first to be refused are
// those who have cost most, and nobody who has cost less than a twentieth is, for what others did.
//
// # Whose turn it is
//
// So many pieces are at work at once; half of the turns, at least one, may be dear ones. A piece is dear that looks dear, or whose caller has spent more than a
// twentieth; any other is light. A light piece waits for no dear one while the node has a turn for it, and a dear one has one turn whatever the light ones do.
// Of the node's share the light ones are entitled to three quarters, the dear ones to the fourth; either may use what the other leaves.
//
// Of one class those go first who are due first: a piece is due as much later than it came as it and its caller's others look dear, and eight
// times as long as its caller's have cost lately (half of which is forgotten every 30 s). Nobody starves: later ones are due later. The line is bounded, in length (who is due last gives way, a dear piece before a light one) and in time.
//
// # Why threads, and more of them
//
// Go takes a processor (a P) from a goroutine each 10 ms at best, so that with as many inspections as processors each other request waits that long. On a
// machine with 2 processors, one dear inspection that never ended moved the p99 of a small request from 0.07 to 2–4 ms, two of them to 30 ms. With a thread of their own and
// as many more Ps, which the kernel schedules, it stayed at 0.06–0.09 ms, beside one of them. So the first piece widens the process by one P for each dear turn and one more ([Config.Widen]).
// A lower priority of those threads was measured, and left out: a thread that the kernel keeps waiting holds up the collector, and the locks of Go's runtime (p99 20–40 ms, once a second).
package effort
