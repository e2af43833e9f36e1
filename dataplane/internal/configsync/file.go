package configsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Take puts in force what a snapshot file holds of a lane, verified and kept as if it came over the wire. It comes after Restore and before
// Run; the directory goes first. false: the node holds as much, or was further already. A file is nobody's word that what it holds is
// still so: it renews no freshness. It returns when the lane's head was signed.
func (s *Syncer) Take(kind edgev1.Lane, signed *edgev1.SignedHead, compressed io.Reader) (taken bool, at time.Time, err error) {
	l := s.configuration
	if kind == edgev1.Lane_LANE_DIRECTORY {
		l = s.directory
	}
	h, err := l.verifier.verify(signed)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("the %s in the file: %w", l.name, err)
	}
	now := l.held.Load()
	holds := state.Position{Epoch: now.epoch, Number: now.number}
	if now.epoch > 0 && !holds.Before(h.position()) || h.position().Before(l.disk.highest()) {
		l.log.Info("the node is as far as the snapshot file, or was further: nothing is taken of it", "number", h.number, "held", now.number, "highest", l.disk.highest().Number)
		return false, h.time, nil
	}
	// What the configuration needs of the directory is there already, or never comes.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.arrived = time.Time{}
	if err := l.snapshot(ctx, h, compressed); err != nil {
		if errors.Is(err, context.Canceled) {
			err = fmt.Errorf("it needs sequence %d of the directory, which the node lacks", h.sequenceNeeded)
		}
		return false, time.Time{}, fmt.Errorf("the %s in the file: %w", l.name, err)
	}
	l.log.Info("in force, off a snapshot file", "number", h.number, "epoch", h.epoch, "signed", h.time)
	return true, h.time, nil
}

// Connect gives the syncer the connection that Run needs, and what to believe in from then on. It comes before Run, where New wasn't given them.
func (s *Syncer) Connect(connection grpc.ClientConnInterface, trust Trust) {
	s.config.Connection = connection
	s.configuration.verifier.trust, s.directory.verifier.trust = trust, trust
}

// Alone says that there is nobody to ask for news, for now: a node that holds both lanes is ready. What memory was needed to read them goes
// back to the system, which is Run's business otherwise.
func (s *Syncer) Alone() {
	s.configuration.wasAsked()
	s.directory.wasAsked()
	select {
	case <-s.whole:
		s.returnMemory()
	default:
	}
}
