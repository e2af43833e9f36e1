package configsync

import (
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/position"
)

// Position returns what the node holds. While lanes are in two epochs it is the older.
func (s *Syncer) Position() position.Position {
	c, d := s.configuration.held.Load(), s.directory.held.Load()
	return position.Position{Epoch: min(c.epoch, d.epoch), Revision: c.number, Sequence: d.number}
}

// Heard returns where the directory in force is, whether it lasts or not.
func (s *Syncer) Heard() (epoch, sequence uint64) {
	now := s.directory.held.Load()
	return now.epoch, now.number
}

// Epochs returns the epoch that each lane is in.
func (s *Syncer) Epochs() (configuration, directory uint64) {
	return s.configuration.held.Load().epoch, s.directory.held.Load().epoch
}

// ConfigurationDigest returns the digest of the configuration in force; the directory knows its own.
func (s *Syncer) ConfigurationDigest() digest.Sum { return s.configuration.held.Load().digest }

// Ready is closed once both lanes have been applied: from then on the node can decide. For lanes off the disk
// the control plane was asked for news first, if it answered within the grace: a key revoked while the node was down is dead then.
func (s *Syncer) Ready() <-chan struct{} { return s.ready }

// Confirmed returns when the control plane last vouched for what the lanes hold, by the time signed
// in their heads. Zero: never.
func (s *Syncer) Confirmed() (configuration, directory time.Time) {
	return s.configuration.held.Load().time, s.directory.held.Load().time
}

// Stats returns what happened on the lanes.
func (s *Syncer) Stats() (configuration, directory LaneStats) {
	return s.configuration.stats.read(), s.directory.stats.read()
}
