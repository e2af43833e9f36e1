package audit

import "sync/atomic"

// Stats counts what this replica did for the record. Root exports them as metrics.
type Stats struct {
	Denied    atomic.Uint64 // events of what was denied
	Unsaid    atomic.Uint64 // denials without an event of their own: they came too fast, or the database was away
	Alarms    atomic.Uint64 // the record isn't what it was
	Alarming  atomic.Int64  // environments for which nothing is signed any more
	Witnessed atomic.Uint64 // heads that nodes showed
	Signed    atomic.Uint64 // heads
}
