package directory

import (
	"context"
	"fmt"
	"sync"

	"github.com/sallyport/sallyport/proto/digest"
)

// Digests keeps each environment's directory digest in memory: 48 bytes an entry. It is only read and
// kept behind the lock of the environment's counter; replicas catch up with each other there.
type Digests struct {
	lock sync.Mutex
	sets map[string]*lane
}

// lane is an environment's index at a sequence. Its set is never written: changes go to a clone.
type lane struct {
	lock     sync.Mutex // of the set, which settles its sums when it is cloned
	sequence uint64
	set      *digest.Set
}

// NewDigests returns digests that know nothing yet.
func NewDigests() *Digests { return &Digests{sets: make(map[string]*lane)} }

// Source returns entries changed after a sequence, without their bytes; all of them after 0.
type Source interface {
	EntryHashes(ctx context.Context, environment string, after uint64) ([]Entry, error)
}

// Step is a change of one environment's digest that was computed and isn't committed.
type Step struct {
	Head        Head // as it will be
	environment string
	lane        *lane
}

// Prepare computes the digest after entries were added to a head, of which the caller holds the counter's
// lock. An index that is behind is caught up from the source; one that differs from the head is built
// anew, and if it still differs the database contradicts itself.
func (d *Digests) Prepare(ctx context.Context, source Source, environment string, at Head, entries []Entry) (Step, error) {
	set, err := d.at(ctx, source, environment, at)
	if err != nil {
		return Step{}, fmt.Errorf("digest of directory %s: %w", environment, err)
	}
	apply(set, entries)
	head := Head{Sequence: at.Sequence + uint64(len(entries)), Digest: set.Head()}
	return Step{Head: head, environment: environment, lane: &lane{sequence: head.Sequence, set: set}}, nil
}

// Commit keeps a step that was committed.
func (d *Digests) Commit(s Step) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if known := d.sets[s.environment]; known == nil || known.sequence < s.lane.sequence {
		d.sets[s.environment] = s.lane
	}
}

// at returns a set at a head, for the caller to change.
func (d *Digests) at(ctx context.Context, source Source, environment string, at Head) (*digest.Set, error) {
	d.lock.Lock()
	known := d.sets[environment]
	d.lock.Unlock()
	if known != nil && known.sequence <= at.Sequence {
		set, err := caughtUp(ctx, source, environment, known.clone(), known.sequence, at.Sequence)
		if err != nil {
			return nil, err
		}
		if set.Head() == at.Digest {
			return set, nil
		}
	}
	d.forget(environment, known)
	set, err := caughtUp(ctx, source, environment, new(digest.Set), 0, at.Sequence)
	if err != nil {
		return nil, err
	}
	if sum := set.Head(); sum != at.Digest {
		return nil, fmt.Errorf("at sequence %d it is %s, the database says %s", at.Sequence, sum, at.Digest)
	}
	return set, nil
}

// forget drops an index that contradicts the database.
func (d *Digests) forget(environment string, known *lane) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.sets[environment] == known {
		delete(d.sets, environment)
	}
}

func (l *lane) clone() *digest.Set {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.set.Clone()
}

func caughtUp(ctx context.Context, source Source, environment string, set *digest.Set, from, to uint64) (*digest.Set, error) {
	if from == to {
		return set, nil
	}
	entries, err := source.EntryHashes(ctx, environment, from)
	if err != nil {
		return nil, err
	}
	apply(set, entries)
	return set, nil
}

func apply(set *digest.Set, entries []Entry) {
	for _, e := range entries {
		if e.Gone {
			set.Delete(e.Key)
		} else {
			set.Put(e.Key, e.Hash)
		}
	}
}
