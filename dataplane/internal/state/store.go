package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Config is what a Store needs.
type Config struct {
	// Dir is where the files lie. It is made if need be, for its owner alone.
	Dir string
	// Key seals them: 32 bytes in base64, as SALLYPORT_STATE_KEY. Empty: a key is kept beside them.
	Key string
	// Environment of the node, by id: state of another one is refused.
	Environment string
	// Logger takes what an operator should know.
	Logger *slog.Logger
}

// Store is a node's state on disk. One process uses it at a time.
type Store struct {
	at          folder
	key         []byte
	environment string
	log         *slog.Logger
	marks       *marks
	stamp       string // of what is put aside

	configuration, directory *Lane
	merges                   chan *Lane
	tried                    chan struct{} // a trial has begun
	freeze                   freezing
}

// Open opens a node's state and takes note that the process runs.
func Open(config Config) (*Store, error) {
	if config.Dir == "" || config.Environment == "" || config.Logger == nil {
		return nil, errors.New("state: Dir, Environment and Logger are needed")
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	key, err := parseKey(config.Key)
	if config.Key == "" {
		key, err = ensureKey(config.Dir)
		config.Logger.Info("the node's state on disk is sealed with a key beside it, which guards its integrity only; set SALLYPORT_STATE_KEY to keep it secret")
	}
	if err != nil {
		return nil, err
	}
	return open(disk{config.Dir}, key, config.Environment, config.Logger)
}

func newStore(at folder, key []byte, environment string, log *slog.Logger) *Store {
	s := &Store{
		at: at, key: key, environment: environment, log: log,
		stamp:  refusedPrefix + strconv.FormatInt(time.Now().UnixNano(), 10) + "-",
		merges: make(chan *Lane, 2), tried: make(chan struct{}, 1),
	}
	s.configuration = newLane(s, edgev1.Lane_LANE_CONFIGURATION, "configuration")
	s.directory = newLane(s, edgev1.Lane_LANE_DIRECTORY, "directory")
	return s
}

func open(at folder, key []byte, environment string, log *slog.Logger) (*Store, error) {
	s := newStore(at, key, environment, log)
	if err := s.openMarks(); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if err := s.marks.change(begin); err != nil {
		log.Error("the node's state on disk can't be written: nothing is acked until it can", "error", err)
	}
	if err := s.sweep(); err != nil {
		return nil, err
	}
	return s, nil
}

// begin takes note of how the process before this one ended.
func begin(f *facts) {
	switch {
	case f.Trial == Position{} || !f.Running:
		f.Crashes = 0
	default:
		f.Crashes++
	}
	f.Running = true
}

// openMarks reads the marks. Lanes without them can't be told from older ones, and are put aside.
func (s *Store) openMarks() error {
	m, found, err := openMarks(s.at, s.key, s.environment)
	switch {
	case errors.Is(err, ErrDamaged):
		s.refuse([]string{marksFile}, err)
		for _, lane := range []*Lane{s.configuration, s.directory} {
			lane.refuse(errors.New("the marks beside it are refused"))
		}
		m, _, err = openMarks(s.at, s.key, s.environment)
	case err == nil && !found:
		for _, lane := range []*Lane{s.configuration, s.directory} {
			lane.refuse(errors.New("the marks beside it are missing"))
		}
	}
	s.marks = m
	return err
}

// sweep removes what a crash left half made.
func (s *Store) sweep() error {
	names, err := s.at.list()
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, temporary) {
			if err := s.at.remove(name); err != nil {
				s.log.Warn("a left-over of the node's state can't be removed", "file", name, "error", err)
			}
		}
	}
	return nil
}

// Lane returns a lane's state.
func (s *Store) Lane(lane edgev1.Lane) *Lane {
	if lane == edgev1.Lane_LANE_CONFIGURATION {
		return s.configuration
	}
	return s.directory
}

// trialLength is how long a process must live with a revision before a crash isn't blamed on it.
const trialLength = time.Minute

// crashesBearable is how many crashes a revision on trial is forgiven.
const crashesBearable = 1

// Run merges logs into checkpoints and ends trials, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	trial := time.NewTimer(trialLength)
	defer trial.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case lane := <-s.merges:
			s.merge(ctx, lane)
		case <-s.tried:
			trial.Reset(trialLength)
		case <-trial.C:
			if err := s.marks.change(func(f *facts) { f.Trial, f.Crashes = Position{}, 0 }); err != nil {
				if !errors.Is(err, ErrFrozen) {
					s.log.Error("the end of a revision's trial can't be kept", "error", err)
				}
				trial.Reset(trialLength)
			}
		}
	}
}

// Close takes note that the process stops in good order, which Freeze has done already. Nothing may be in use any more.
func (s *Store) Close() error {
	err := s.marks.change(func(f *facts) { f.Running = false })
	if s.Frozen() {
		err = nil
	}
	return errors.Join(err, s.configuration.close(), s.directory.close(), s.marks.file.Close())
}

// refuse puts files aside, and says so. Of what was put aside earlier nothing is kept.
func (s *Store) refuse(names []string, reason error) {
	s.log.Error("state on disk is refused and put aside; the node fetches it anew", "files", names, "as", s.stamp+"…", "reason", reason)
	all, err := s.at.list()
	for _, name := range all {
		if strings.HasPrefix(name, refusedPrefix) && !strings.HasPrefix(name, s.stamp) {
			err = errors.Join(err, s.at.remove(name))
		}
	}
	for _, name := range names {
		if slices.Contains(all, name) {
			err = errors.Join(err, s.at.rename(name, s.stamp+name))
		}
	}
	if err = errors.Join(err, s.at.sync()); err != nil {
		s.log.Error("refused state can't be put aside", "error", err)
	}
}

// Blocked returns the revision that is refused since the process crashed on it; zero: none.
func (s *Store) Blocked() Position { return s.marks.get().Blocked }
