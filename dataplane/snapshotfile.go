package dataplane

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/freshness"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/snapshotfile"
)

// snapshotFile is the file that a node starts from.
type snapshotFile struct {
	file   *os.File
	reader *snapshotfile.Reader
}

// openSnapshotFile opens the file that the node is to start from; nil: there is none. It has been read to its end once, so that none that was
// changed or cut short is taken in part.
func openSnapshotFile(cfg Config) (_ *snapshotFile, err error) {
	if cfg.Snapshot == "" {
		return nil, nil //nolint:nilnil // most nodes start without
	}
	key, err := snapshotfile.ParseKey(cfg.SnapshotKey)
	if err != nil {
		return nil, fmt.Errorf("SALLYPORT_SNAPSHOT_KEY: %w: the one that sallyport-control export printed", err)
	}
	s := new(snapshotFile)
	if s.file, err = os.Open(cfg.Snapshot); err != nil {
		return nil, fmt.Errorf("snapshot file: %w", err)
	}
	defer func() {
		if err != nil {
			s.close()
			err = fmt.Errorf("%s: %w", cfg.Snapshot, err)
		}
	}()
	if s.reader, err = snapshotfile.Open(s.file, key); err != nil {
		return nil, err //nolint:wrapcheck // the message names the file
	}
	for _, part := range []io.Reader{s.reader.Directory(), s.reader.Configuration()} {
		if _, err := io.Copy(io.Discard, part); err != nil {
			return nil, err //nolint:wrapcheck // as above
		}
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err //nolint:wrapcheck // as above
	}
	s.reader, err = snapshotfile.Open(s.file, key)
	return s, err //nolint:wrapcheck // as above
}

func (s *snapshotFile) close() {
	if s != nil {
		_ = s.file.Close() // it was only read
	}
}

// take puts in force what a snapshot file holds, where the node isn't as far.
func (n *node) take(s *snapshotFile) error {
	if s == nil {
		return nil
	}
	m := s.reader.Manifest()
	if at := m.GetMadeAt(); at.CheckValid() != nil {
		return errors.New("the snapshot file doesn't say when it was made")
	}
	directory, at, err := n.takeLane(edgev1.Lane_LANE_DIRECTORY, m.GetDirectory(), s.reader.Directory())
	if err != nil {
		return err
	}
	if _, _, err := n.takeLane(edgev1.Lane_LANE_CONFIGURATION, m.GetConfiguration(), s.reader.Configuration()); err != nil {
		return err
	}
	if directory {
		// The file is the control plane's word of that time; how long ago that was only the wall clock can tell.
		n.freshness.Restore(freshness.Record{Signed: at, Heard: at, Seen: at}, at, time.Now())
	}
	return nil
}

// takeLane takes a lane of the file. One that can't be taken (its signing key was retired since, or its revision is one that the process
// died on) ends the start of a node alone that has nothing to serve and nobody to ask: the others go on with what they have.
func (n *node) takeLane(kind edgev1.Lane, head *edgev1.SignedHead, compressed io.Reader) (taken bool, at time.Time, err error) {
	if taken, at, err = n.syncer.Take(kind, head, compressed); err != nil {
		held, directory := n.syncer.Epochs()
		if kind == edgev1.Lane_LANE_DIRECTORY {
			held = directory
		}
		if held == 0 && !n.joined.Load() {
			return false, time.Time{}, err //nolint:wrapcheck // says what
		}
		n.cfg.Logger.Error("the snapshot file is of no use; the node begins without it", "error", err)
	}
	_, err = io.Copy(io.Discard, compressed) // what wasn't taken
	return taken, at, err                    //nolint:wrapcheck // says what
}
