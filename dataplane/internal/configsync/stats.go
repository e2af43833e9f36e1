package configsync

import "sync/atomic"

// laneStats counts what happens on a lane.
type laneStats struct {
	deltas, snapshots, beats, acks, nacks, mismatches, refusedHeads, streams atomic.Uint64
	connected                                                                atomic.Bool
}

// LaneStats is what happened on a lane since the start of the process.
type LaneStats struct {
	Deltas    uint64 // received
	Snapshots uint64 // received
	Beats     uint64 // received
	Acks      uint64 // states put in force
	Nacks     uint64 // states refused
	// Mismatches counts digests that weren't the signed ones: an alarm, any is one too many.
	Mismatches uint64
	// RefusedHeads counts heads not signed as they must be, of another environment or lane, or
	// leading back: an alarm.
	RefusedHeads uint64
	Streams      uint64 // opened
	Connected    bool   // a stream is open and a head was verified on it
}

func (s *laneStats) read() LaneStats {
	return LaneStats{
		Deltas:       s.deltas.Load(),
		Snapshots:    s.snapshots.Load(),
		Beats:        s.beats.Load(),
		Acks:         s.acks.Load(),
		Nacks:        s.nacks.Load(),
		Mismatches:   s.mismatches.Load(),
		RefusedHeads: s.refusedHeads.Load(),
		Streams:      s.streams.Load(),
		Connected:    s.connected.Load(),
	}
}
