// Package usage counts what a node answered, and sends the counts back.
//
// It owns the counters per (minute, route, consumer, status class, verdict), the batches made of them, and their way to
// JetStream: one batch is under way at a time, under a number that names it for ever, and is kept and sent again until
// the bus says that it is stored. It does not own the connection, which a Publisher hides, nor what the counts are used for.
//
// Data flows: Finish of an exchange → Recorder.Record (a stripe of its own, no lock that requests share) → Collect →
// batch → Publisher. When the bus is away for long, counts fold into ever coarser
// buckets: minutes, hours, verdicts and routes are lost in that order, counts and consumers never.
package usage
