package directory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/proto/identitykey"
)

const (
	// setMemory is for how long a set is given without looking again. A leaked key is gone from it that much later.
	setMemory = time.Second
	// maxSets bounds how many are remembered; beyond that all are looked up again.
	maxSets = 4096
	// setLookups is how many are looked up at once: anybody may ask, and the database is for others too.
	setLookups = 4
)

// SetSource has the public halves of identity keys.
type SetSource interface {
	// IdentitySet returns those of an environment, by its id or name; false: it has none, or isn't there.
	IdentitySet(ctx context.Context, idOrName string) (set []byte, known bool, err error)
}

// IdentitySets tells anybody the public halves of an environment's identity keys. It is safe for concurrent use.
type IdentitySets struct {
	source SetSource
	now    func() time.Time
	slots  chan struct{}
	none   []byte

	mu    sync.Mutex
	known map[string]knownSet
}

type knownSet struct {
	set    []byte
	lookAt time.Time
}

// NewIdentitySets returns the sets of a source.
func NewIdentitySets(source SetSource, now func() time.Time) *IdentitySets {
	return &IdentitySets{source: source, now: now, slots: make(chan struct{}, setLookups), none: identitykey.Set(nil), known: map[string]knownSet{}}
}

// Of returns the set of an environment as JSON, by its id or name, and whether there is a key in it. That of an environment that has no keys is empty, and so is that of one that isn't
// there: who may not see environments learns of none.
func (s *IdentitySets) Of(ctx context.Context, idOrName string) (set []byte, some bool, err error) {
	if set, ok := s.remembered(idOrName); ok {
		return set, true, nil
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, false, fmt.Errorf("wait to look up identity keys: %w", ctx.Err())
	}
	if set, ok := s.remembered(idOrName); ok {
		return set, true, nil // somebody has looked meanwhile
	}
	set, known, err := s.source.IdentitySet(ctx, idOrName)
	if err != nil {
		return nil, false, fmt.Errorf("look up identity keys: %w", err)
	}
	if !known {
		return s.none, false, nil
	}
	s.remember(idOrName, set)
	return set, true, nil
}

func (s *IdentitySets) remembered(idOrName string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[idOrName]
	return k.set, ok && s.now().Before(k.lookAt)
}

func (s *IdentitySets) remember(idOrName string, set []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxSets {
		clear(s.known)
	}
	s.known[idOrName] = knownSet{set: set, lookAt: s.now().Add(setMemory)}
}
