package samples

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/proto/id"
)

const (
	// Most is what a node keeps by default, in bytes: half of it of requests that passed, half of those that were refused.
	Most = 16 << 20
	// MaxAge bounds how long a sample is kept, whatever a policy says.
	MaxAge = 24 * time.Hour
	// share of its half is what one sample may take at most.
	share = 16
	// sweepEvery is how often expired samples are looked for.
	sweepEvery = 30 * time.Second
)

// Ring keeps samples. It is safe for concurrent use; nil keeps none.
type Ring struct {
	seal  cipher.AEAD
	clock func() time.Time

	guarded sync.Mutex
	passed  shelf
	refused shelf
	dropped uint64
}

// New returns a ring of at most so many bytes, under a key of its own.
func New(most int, clock func() time.Time) (*Ring, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the seal of samples: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the seal of samples: %w", err)
	}
	return &Ring{
		seal: seal, clock: clock,
		passed: shelf{most: most / 2, routes: make(map[id.ID]*queue)}, refused: shelf{most: most / 2, routes: make(map[id.ID]*queue)},
	}, nil
}

// shelf holds samples of one sort. It is its ring's to guard.
type shelf struct {
	most, bytes int
	routes      map[id.ID]*queue
}

// queue are the samples of a route, the oldest first.
type queue struct {
	entries []entry
	bytes   int
}

// entry is a sealed sample.
type entry struct {
	sealed      []byte
	policy      id.ID
	taken, ends time.Time
}

// beside is what an entry takes beside its bytes, roughly.
const beside = 128

func (e *entry) size() int { return len(e.sealed) + beside }

// put adds an entry; the route that has the most makes room, the oldest of it first. It returns how many were dropped for it.
func (s *shelf) put(route id.ID, e entry) (dropped uint64) {
	if e.size() > s.most/share {
		return 1
	}
	q := s.routes[route]
	if q == nil {
		q = new(queue)
		s.routes[route] = q
	}
	q.entries = append(q.entries, e)
	q.bytes += e.size()
	s.bytes += e.size()
	for s.bytes > s.most {
		s.dropOldest(s.largest(), 1)
		dropped++
	}
	return dropped
}

// largest returns the route that has the most bytes; of several the one with the lowest id.
func (s *shelf) largest() id.ID {
	var largest id.ID
	most := -1
	for route, q := range s.routes {
		if q.bytes > most || q.bytes == most && slices.Compare(route[:], largest[:]) < 0 {
			largest, most = route, q.bytes
		}
	}
	return largest
}

// dropOldest drops the n oldest entries of a route.
func (s *shelf) dropOldest(route id.ID, n int) {
	q := s.routes[route]
	for i := range n {
		s.bytes -= q.entries[i].size()
		q.bytes -= q.entries[i].size()
	}
	q.entries = slices.Delete(q.entries, 0, n)
	if len(q.entries) == 0 {
		delete(s.routes, route)
	}
}

// sweep drops what is over. Policies may keep for different times, so each entry is looked at.
func (s *shelf) sweep(now time.Time) {
	for route, q := range s.routes {
		q.entries = slices.DeleteFunc(q.entries, func(e entry) bool {
			if now.Before(e.ends) {
				return false
			}
			s.bytes -= e.size()
			q.bytes -= e.size()
			return true
		})
		if len(q.entries) == 0 {
			delete(s.routes, route)
		}
	}
}

// keep seals a sample and keeps it.
func (r *Ring) keep(route, policy id.ID, s *Sample, keep time.Duration) {
	now := r.clock()
	plain := s.append(make([]byte, 0, s.size()))
	e := entry{sealed: r.seal.Seal(nil, nil, plain, route[:]), policy: policy, taken: now, ends: now.Add(min(keep, MaxAge))}
	clear(plain)
	r.guarded.Lock()
	defer r.guarded.Unlock()
	shelf := &r.passed
	if s.Refused {
		shelf = &r.refused
	}
	r.dropped += shelf.put(route, e)
}

// Stats are what a ring holds.
type Stats struct {
	// Samples and Bytes are kept now.
	Samples, Bytes int
	// Dropped were kept no longer, or not at all, for want of room, since the start.
	Dropped uint64
}

// Stats returns what the ring holds.
func (r *Ring) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.guarded.Lock()
	defer r.guarded.Unlock()
	all := Stats{Bytes: r.passed.bytes + r.refused.bytes, Dropped: r.dropped}
	for _, s := range [...]*shelf{&r.passed, &r.refused} {
		for _, q := range s.routes {
			all.Samples += len(q.entries)
		}
	}
	return all
}

// Taken is a sample with the time at which it was taken.
type Taken struct {
	Sample Sample
	At     time.Time
}

// Of yields a route's samples that a policy had kept, the newest first, those that were refused and those that passed in turn.
func (r *Ring) Of(route, policy id.ID) iter.Seq[Taken] {
	return func(yield func(Taken) bool) {
		if r == nil {
			return
		}
		for _, e := range r.entriesOf(route, policy) {
			plain, err := r.seal.Open(nil, nil, e.sealed, route[:])
			if err != nil {
				continue // the process's own key sealed it: memory is broken
			}
			s, err := parse(plain)
			clear(plain)
			if err == nil && !yield(Taken{s, e.taken}) {
				return
			}
		}
	}
}

// entriesOf returns the entries of a route, still sealed.
func (r *Ring) entriesOf(route, policy id.ID) []entry {
	r.guarded.Lock()
	defer r.guarded.Unlock()
	now := r.clock()
	var shelves [2][]entry
	for i, s := range [...]*shelf{&r.refused, &r.passed} {
		q := s.routes[route]
		if q == nil {
			continue
		}
		for _, e := range slices.Backward(q.entries) {
			if e.policy == policy && now.Before(e.ends) {
				shelves[i] = append(shelves[i], e)
			}
		}
	}
	var all []entry
	for i := range max(len(shelves[0]), len(shelves[1])) {
		for _, s := range shelves {
			if i < len(s) {
				all = append(all, s[i])
			}
		}
	}
	return all
}

// Sweep drops what is over.
func (r *Ring) Sweep() {
	r.guarded.Lock()
	defer r.guarded.Unlock()
	now := r.clock()
	r.passed.sweep(now)
	r.refused.sweep(now)
}

// Run drops what is over until ctx ends, so that nothing stays for want of requests.
func (r *Ring) Run(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.Sweep()
		}
	}
}
