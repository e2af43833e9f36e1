package edgetest

import (
	"context"
	"encoding/binary"
	"maps"
	"sync"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Store is a fleet.LaneStore in memory, for one environment. It is also its own fleet.Wakes.
type Store struct {
	Environment string

	mu     sync.Mutex
	lanes  map[edgev1.Lane]*memory
	reads  map[string]int
	failed error
	wakes  []chan string
}

type memory struct {
	epoch  uint64
	states []state // by number
}

type state struct {
	objects map[digest.Key]*edgev1.ObjectChange
	entries map[digest.Key]*edgev1.EntryChange
	changed []digest.Key
	digest  digest.Sum
}

// NewStore returns a store whose lanes are empty, at number 0 of epoch 1.
func NewStore(environment string) *Store {
	s := &Store{Environment: environment, lanes: make(map[edgev1.Lane]*memory), reads: make(map[string]int)}
	for _, lane := range []edgev1.Lane{edgev1.Lane_LANE_CONFIGURATION, edgev1.Lane_LANE_DIRECTORY} {
		s.lanes[lane] = &memory{epoch: 1, states: []state{{digest: new(digest.Set).Head()}}}
	}
	return s
}

// PutObject makes the next revision: an object's new bytes; none: it is gone.
func (s *Store) PutObject(id string, object []byte) (revision uint64) {
	change := &edgev1.ObjectChange{Collection: "routes", Id: id, Object: object}
	return s.commit(edgev1.Lane_LANE_CONFIGURATION, func(next *state) {
		key := digest.KeyOf(change.GetCollection(), id)
		next.objects[key] = change
		next.changed = []digest.Key{key}
	})
}

// PutEntry makes the next sequence: an entry's new bytes; none: it is gone.
func (s *Store) PutEntry(id string, entry []byte) (sequence uint64) {
	key := digest.KeyOf("consumers", id)
	return s.commit(edgev1.Lane_LANE_DIRECTORY, func(next *state) {
		next.entries[key] = &edgev1.EntryChange{Key: key[:], Entry: entry}
		next.changed = []digest.Key{key}
	})
}

// GoBack makes a lane forget everything after a number, as a restored dump does.
func (s *Store) GoBack(lane edgev1.Lane, number uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lanes[lane].states = s.lanes[lane].states[:number+1]
}

// Fail makes every read fail from now on; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// Reads returns how often something was read: "delta", "snapshot".
func (s *Store) Reads(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[what]
}

func (s *Store) commit(lane edgev1.Lane, change func(*state)) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.lanes[lane]
	last := m.states[len(m.states)-1]
	next := state{objects: maps.Clone(last.objects), entries: maps.Clone(last.entries)}
	if next.objects == nil {
		next.objects, next.entries = make(map[digest.Key]*edgev1.ObjectChange), make(map[digest.Key]*edgev1.EntryChange)
	}
	change(&next)
	set := new(digest.Set)
	for key, o := range next.objects {
		if len(o.GetObject()) > 0 {
			set.Put(key, digest.HashOf(o.GetObject()))
		}
	}
	for key, e := range next.entries {
		if len(e.GetEntry()) > 0 {
			set.Put(key, digest.HashOf(e.GetEntry()))
		}
	}
	next.digest = set.Head()
	m.states = append(m.states, next)
	for _, wake := range s.wakes {
		select {
		case wake <- s.Environment:
		default:
		}
	}
	return uint64(len(m.states) - 1)
}

// Subscribe implements fleet.Wakes.
func (s *Store) Subscribe() (<-chan string, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wake := make(chan string, 1)
	s.wakes = append(s.wakes, wake)
	return wake, func() {}
}

func (s *Store) head(lane edgev1.Lane) (fleet.LaneHead, state, error) {
	if s.failed != nil {
		return fleet.LaneHead{}, state{}, s.failed
	}
	m := s.lanes[lane]
	last := m.states[len(m.states)-1]
	return fleet.LaneHead{Epoch: m.epoch, Number: uint64(len(m.states) - 1), Digest: last.digest[:]}, last, nil
}

// ConfigurationHead implements fleet.LaneStore.
func (s *Store) ConfigurationHead(context.Context, string) (fleet.LaneHead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, _, err := s.head(edgev1.Lane_LANE_CONFIGURATION)
	return head, err
}

// DirectoryHead implements fleet.LaneStore.
func (s *Store) DirectoryHead(context.Context, string) (fleet.LaneHead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, _, err := s.head(edgev1.Lane_LANE_DIRECTORY)
	return head, err
}

// ConfigurationDelta implements fleet.LaneStore.
func (s *Store) ConfigurationDelta(_ context.Context, _ string, from, to uint64) ([]*edgev1.ObjectChange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads["delta"]++
	if s.failed != nil {
		return nil, s.failed
	}
	states := s.lanes[edgev1.Lane_LANE_CONFIGURATION].states
	var changes []*edgev1.ObjectChange
	for _, key := range changedBetween(states, from, to) {
		changes = append(changes, states[to].objects[key])
	}
	return changes, nil
}

// DirectoryChanges implements fleet.LaneStore.
func (s *Store) DirectoryChanges(_ context.Context, _ string, from uint64) (fleet.LaneHead, []*edgev1.EntryChange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads["delta"]++
	head, last, err := s.head(edgev1.Lane_LANE_DIRECTORY)
	if err != nil {
		return head, nil, err
	}
	var changes []*edgev1.EntryChange
	for _, key := range changedBetween(s.lanes[edgev1.Lane_LANE_DIRECTORY].states, from, head.Number) {
		changes = append(changes, last.entries[key])
	}
	return head, changes, nil
}

func changedBetween(states []state, from, to uint64) []digest.Key {
	var keys []digest.Key
	seen := make(map[digest.Key]bool)
	for _, st := range states[from+1 : to+1] {
		for _, key := range st.changed {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// ConfigurationObjects implements fleet.LaneStore.
func (s *Store) ConfigurationObjects(context.Context, string) (fleet.LaneHead, []*edgev1.ObjectChange, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads["snapshot"]++
	head, last, err := s.head(edgev1.Lane_LANE_CONFIGURATION)
	var all []*edgev1.ObjectChange
	for _, o := range last.objects {
		if len(o.GetObject()) > 0 {
			all = append(all, o)
		}
	}
	return head, all, err
}

// DirectoryEntries implements fleet.LaneStore.
func (s *Store) DirectoryEntries(_ context.Context, _ string, each func(*edgev1.EntryChange) error) (fleet.LaneHead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads["snapshot"]++
	head, last, err := s.head(edgev1.Lane_LANE_DIRECTORY)
	if err != nil {
		return head, err
	}
	for _, e := range last.entries {
		if len(e.GetEntry()) == 0 {
			continue
		}
		if err := each(e); err != nil {
			return head, err
		}
	}
	return head, nil
}

// RevisionDigest implements fleet.LaneStore.
func (s *Store) RevisionDigest(_ context.Context, _ string, revision uint64) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := s.lanes[edgev1.Lane_LANE_CONFIGURATION].states
	if s.failed != nil || revision >= uint64(len(states)) {
		return nil, false, s.failed
	}
	sum := states[revision].digest
	return sum[:], true, nil
}

// DirectoryDigest implements fleet.LaneStore.
func (s *Store) DirectoryDigest(_ context.Context, _ string, epoch, sequence uint64) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.lanes[edgev1.Lane_LANE_DIRECTORY]
	if s.failed != nil || epoch != m.epoch || sequence >= uint64(len(m.states)) {
		return nil, s.failed == nil, s.failed
	}
	sum := m.states[sequence].digest
	return sum[:], true, nil
}

// Filler returns n bytes that no compressor shrinks, told apart by seed.
func Filler(n int, seed uint64) []byte {
	out := make([]byte, 0, n+8)
	for x := seed*0x9e3779b97f4a7c15 + 1; len(out) < n; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out = binary.LittleEndian.AppendUint64(out, x)
	}
	return out[:n]
}
