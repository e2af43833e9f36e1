// Package limiter counts callers against limits in the node's own memory.
//
// It owns the arithmetic of a limit ([Limit], [Window]: GCRA, exact, in integers) and the bounded [Table] of cells, one
// per caller and table. It doesn't own what a caller is told apart by, nor what becomes of a verdict (policies/ratelimit),
// nor the clock: each call is given the time, in nanoseconds of one monotonic clock.
//
// Data flows: caller's properties → [Hasher] → [Key] → [Table.Take] → [Verdict].
//
// # GCRA
//
// The generic cell rate algorithm keeps one time per cell: the theoretical arrival time (TAT), until which what was
// taken so far would need to drip out at an even rate. A request moves it by the emission interval T = window/requests,
// and passes if the TAT then lies at most burst·T ahead. That is a bucket of burst tokens which refills one each T,
// without a timer and without a window's edge at which twice the limit fits.
//
// T is rarely a whole number of nanoseconds, so times are kept as nanoseconds plus a fraction with the window's
// requests as denominator: nothing is ever rounded, and three requests per second are three.
//
// # Shares
//
// Of a limit over the whole fleet a node has a share ([Shares]): an nth of the rate, a whole number of requests at once.
// What a cell holds is a time, how long until the whole allowance is back, which means the same under every share: when the
// share changes, each cell stays as full, in proportion, as it is. A smaller share holds at once, a larger one after the time
// in which a bucket refills: what a node that left had let through is over by then. So at no time do the shares that nodes
// count against, each with all that it holds, sum to more than the limit.
//
// # Bound
//
// A table keeps at most the cells it was made for. When it is full, only a cell that is back at its full allowance gives
// way, for it says nothing that a new one wouldn't: forgetting any other would hand its caller a fresh allowance, which
// is what somebody who floods the table with new keys would be after. When none is to be had, new callers share one
// overflow cell.
package limiter
