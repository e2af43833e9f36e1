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
// # Bound
//
// A table keeps at most the cells it was made for. When it is full, only a cell that is back at its full allowance gives
// way, for it says nothing that a new one wouldn't: forgetting any other would hand its caller a fresh allowance, which
// is what somebody who floods the table with new keys would be after. When none is to be had, new callers share one
// overflow cell.
package limiter
