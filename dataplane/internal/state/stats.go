package state

import "sync/atomic"

type laneStats struct {
	writes, checkpoints, merges, failures, refused, loaded atomic.Uint64
	bytes                                                  atomic.Int64
	durable                                                atomic.Bool
}

// wrote takes note of how a write ended.
func (s *laneStats) wrote(err error) error {
	s.durable.Store(err == nil)
	if err != nil {
		s.failures.Add(1)
	} else {
		s.writes.Add(1)
	}
	return err
}

// Stats is what happened to a lane's state on disk since the start of the process.
type Stats struct {
	Writes      uint64 // deltas and checkpoints made durable
	Checkpoints uint64 // whole states taken from the wire
	Merges      uint64 // logs merged into a checkpoint
	Failures    uint64 // writes and merges that failed
	Refused     uint64 // times that what was kept was refused and put aside: an alarm
	Loaded      uint64 // revision or sequence that the process began with; 0: none
	Bytes       int64  // on disk: the checkpoint and the logs since
	Durable     bool   // the last write succeeded; else the node acks nothing: an alarm
}

// Stats returns what happened. It doesn't wait for the disk.
func (l *Lane) Stats() Stats {
	return Stats{
		Writes: l.stats.writes.Load(), Checkpoints: l.stats.checkpoints.Load(), Merges: l.stats.merges.Load(),
		Failures: l.stats.failures.Load(), Refused: l.stats.refused.Load(), Loaded: l.stats.loaded.Load(),
		Bytes: l.stats.bytes.Load(), Durable: l.stats.durable.Load(),
	}
}
