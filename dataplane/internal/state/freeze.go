package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// ErrFrozen is returned for what would be written while the state stands still between two processes of the node. What is refused with it
// isn't lost: the control plane offers it again, to the process that writes then.
var ErrFrozen = errors.New("the node's state is being handed over to its next process")

// freezing keeps a process from writing what another one reads, or has taken over.
type freezing struct {
	frozen atomic.Bool
	era    atomic.Uint64 // of how many freezes: what began before one isn't finished after it

	merging   sync.Mutex // held while logs are merged
	interrupt atomic.Pointer[context.CancelFunc]
	placing   sync.Mutex // held while a file beside the lanes is written
}

// OpenFrozen opens the state of a running process that has frozen it: it can be loaded, and nothing is written, put aside or removed before
// Thaw. What can't be read is an error here, and no reason to begin with nothing: the other process has it in force.
func OpenFrozen(config Config) (*Store, error) {
	if config.Dir == "" || config.Environment == "" || config.Logger == nil {
		return nil, errors.New("state: Dir, Environment and Logger are needed")
	}
	key, err := frozenKey(config)
	if err != nil {
		return nil, err
	}
	return openFrozen(disk{config.Dir}, key, config.Environment, config.Logger)
}

func openFrozen(at folder, key []byte, environment string, log *slog.Logger) (*Store, error) {
	s := newStore(at, key, environment, log)
	s.freeze.frozen.Store(true)
	m, found, err := readMarksOf(s.at, s.key, s.environment)
	if err == nil && !found {
		err = errors.New("there are no marks")
	}
	if err != nil {
		return nil, fmt.Errorf("state: what the running process has kept can't be read: %w", err)
	}
	m.frozen = true
	s.marks = m
	return s, nil
}

// frozenKey returns the key that the running process uses, or should: one of its own would open nothing.
func frozenKey(config Config) ([]byte, error) {
	if config.Key != "" {
		return parseKey(config.Key)
	}
	if _, err := os.Stat(filepath.Join(config.Dir, keyFile)); err != nil {
		return nil, fmt.Errorf("state: no key lies beside it: give this process the SALLYPORT_STATE_KEY of the running one: %w", err)
	}
	return ensureKey(config.Dir)
}

// Freeze makes the state stand still, as if the process had stopped in good order: once it returns all that was acked is on the disk, and
// nothing is written any more, until Thaw. After an error nothing has changed.
func (s *Store) Freeze() error {
	s.freeze.frozen.Store(true)
	s.freeze.era.Add(1)
	if interrupt := s.freeze.interrupt.Load(); interrupt != nil {
		(*interrupt)()
	}
	// Whoever is at work ends; whoever comes later sees that the state is frozen.
	for _, working := range []sync.Locker{&s.freeze.merging, &s.freeze.placing, &s.configuration.mu, &s.directory.mu} {
		await(working)
	}
	if err := s.marks.freeze(); err != nil {
		s.freeze.frozen.Store(false)
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// await returns once nobody who came before has the lock.
func await(lock sync.Locker) {
	lock.Lock()
	lock.Unlock() //nolint:staticcheck,gocritic // nothing is to be done behind it
}

// Thaw goes on writing where Freeze or OpenFrozen left off. Whoever calls it knows that nobody else has written since, and nobody else will.
func (s *Store) Thaw() {
	if err := s.sweep(); err != nil {
		s.log.Warn("what is left half made of the node's state can't be removed", "error", err)
	}
	if err := s.marks.thaw(); err != nil {
		s.log.Error("the node's state on disk can't be written: nothing is acked until it can", "error", err)
	}
	s.freeze.frozen.Store(false)
}

// Frozen tells whether the state stands still.
func (s *Store) Frozen() bool { return s.freeze.frozen.Load() }

// freeze writes that the process stops in good order: whatever ends it from here on isn't to be blamed on its revision.
func (m *marks) freeze() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.facts
	next.Running = false
	if err := m.write(next); err != nil {
		return err
	}
	m.frozen = true
	return nil
}

func (m *marks) thaw() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = false
	next := m.facts
	next.Running = true
	return m.write(next)
}

// merge merges a lane's logs, unless the state stands still; a freeze interrupts it.
func (s *Store) merge(ctx context.Context, lane *Lane) {
	s.freeze.merging.Lock()
	defer s.freeze.merging.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.freeze.interrupt.Store(&cancel)
	defer s.freeze.interrupt.Store(nil)
	if s.Frozen() { // looked at behind the store of what interrupts it
		cancel()
	}
	lane.merge(ctx)
}
