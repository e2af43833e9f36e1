// Package freshness knows how long ago the control plane last vouched for what the directory holds, which is where revocations come
// from. An environment's max_staleness bounds that: beyond it the routes that authenticate stop.
//
//   - Only the directory lane counts, and only a signed head that names what the node holds: one that names more says that something is
//     missing. A node that refuses a revision of the configuration still hears of every revocation.
//   - A word renews freshness if the time signed in it is later than that of the word before on the same stream, or than any before. A
//     replica that has lost its database goes on sending the time of its last read, and vouches for nothing. Where the control plane's
//     clock is set back, the second word counts.
//   - The age is counted from the receipt, by the node's monotonic clock: setting the wall clock neither revives a stale node nor ends a
//     fresh one. On Linux that clock stands still while the machine is suspended.
//   - Over a restart it is counted by the wall clock, from a Record that Keep has made every few seconds. A clock that shows a time before
//     the last one that was recorded proves nothing, and no record does neither: such a node is stale until it hears of the control plane. A
//     snapshot file counts as a word heard when it was signed.
package freshness
