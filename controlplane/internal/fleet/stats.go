package fleet

import "sync/atomic"

// Stats counts what the fleet's part of this replica did. Root exports them as metrics.
type Stats struct {
	Enrolled        atomic.Uint64 // nodes given an identity
	EnrolRefused    atomic.Uint64 // join attempts refused
	Renewed         atomic.Uint64 // certificates renewed
	RenewalsRefused atomic.Uint64 // renewals refused
	DeltasRead      atomic.Uint64 // deltas read from the database, each for all nodes
	SnapshotsBuilt  atomic.Uint64 // snapshots built, each for all nodes
	DeltasSent      atomic.Uint64 // deltas sent, one node each
	SnapshotsSent   atomic.Uint64 // snapshots sent, one node each
	Beats           atomic.Uint64 // beats sent
	Acks            atomic.Uint64 // states applied by a node
	Nacks           atomic.Uint64 // states refused by a node
	Mismatches      atomic.Uint64 // digests of nodes that differ from ours
	Ahead           atomic.Uint64 // Hellos ahead of the database, refused
	AnswersDeferred atomic.Uint64 // flushes of answers that failed and were tried again
	Sessions        atomic.Int64  // open streams
}
