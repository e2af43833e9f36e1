package configsync

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// incremental is a Compiler that goes by what it is told has changed, as the real one does, and lets nothing come in force that
// nobody signed as a whole.
type incremental struct {
	life *life

	mu      sync.Mutex
	objects map[Ref][]byte // in force
}

// Compile implements Compiler.
func (i *incremental) Compile(p Proposal) (func(), []*edgev1.ObjectError) {
	i.mu.Lock()
	next := maps.Clone(i.objects)
	i.mu.Unlock()
	if p.Whole || next == nil {
		next = maps.Collect(p.Objects.All())
	}
	for _, ref := range p.Changed {
		object, there := p.Objects.Get(ref)
		if next[ref] = object; !there {
			delete(next, ref)
		}
	}
	var errs []*edgev1.ObjectError
	for ref, object := range next {
		if bytes.HasPrefix(object, []byte("bad")) {
			errs = append(errs, &edgev1.ObjectError{Collection: ref.Collection, Id: ref.ID, Code: "bad", Message: "it is bad"})
		}
	}
	return func() {
		i.life.checkConfiguration(p.Revision, next)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.objects = next
	}, errs
}

func (i *incremental) inForce() map[Ref][]byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.objects
}

// checkConfiguration holds what comes in force against what was signed: it is one revision, byte for byte, and what it needs is there.
func (l *life) checkConfiguration(revision uint64, objects map[Ref][]byte) {
	at := l.Syncer.directory.held.Load()
	fault := fmt.Errorf("revision %d was never signed for with these %d objects", revision, len(objects))
	for _, m := range l.u.c.since(laneConfiguration, state.Position{}) {
		if m.number != revision || !maps.EqualFunc(m.content, objects, bytes.Equal) {
			continue
		}
		if m.needs == 0 || at.epoch > m.epoch || at.epoch == m.epoch && at.number >= m.needs {
			return
		}
		fault = fmt.Errorf("revision %d needs sequence %d of epoch %d, the directory is at %v", revision, m.needs, m.epoch, at.position())
	}
	l.u.c.broke("%v puts a mixed configuration in force: %v", l.u, fault)
}

// watch checks the node each time that one of its lanes moves.
func (l *life) watch(ctx context.Context) {
	for {
		moved := l.next()
		l.check()
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// next returns what is closed at the next move.
func (l *life) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

func (l *life) lane(lane edgev1.Lane) *lane {
	if lane == laneDirectory {
		return l.Syncer.directory
	}
	return l.configuration
}

// check checks what may be asked at any moment.
func (l *life) check() {
	for _, lane := range bothLanes {
		held := l.lane(lane).held.Load()
		if held.epoch == 0 {
			continue
		}
		if m := l.u.c.at(lane, held.position()); m == nil || !bytes.Equal(m.sum, held.digest[:]) {
			l.u.c.broke("%v holds %v of %v, which nobody signed for like that", l.u, held.position(), lane)
			return
		}
		l.u.rises(lane, held.position())
	}
	if held := l.Syncer.directory.held.Load(); held.epoch != 0 {
		l.checkKeys(held.position())
	}
}

// rises takes note of where a node is.
func (u *unit) rises(lane edgev1.Lane, to state.Position) {
	u.mu.Lock()
	floor := u.floor[lane]
	if floor.Before(to) {
		u.floor[lane] = to
	}
	u.mu.Unlock()
	if to.Before(floor) {
		u.c.broke("%v went back in %v, from %v to %v", u, lane, floor, to)
	}
}

// checkKeys asks for every key. The directory was at a position before, and may go on meanwhile: a key may be answered as any state from
// there on has it, and one that was revoked by then is dead.
func (l *life) checkKeys(at state.Position) {
	dead := l.u.c.revokedBy(at)
	keys := l.u.c.allKeys()
	admitted := make([]bool, len(keys))
	for i, key := range keys {
		_, denied := l.directory.Denied(directory.Bearer{Digest: key}, time.Now())
		admitted[i] = !denied
	}
	later := l.u.c.since(laneDirectory, at)
	for i, key := range keys {
		if _, found := l.directory.Key(key); slices.Contains(dead, key) && (found || admitted[i]) {
			l.u.c.broke("%v lets in key %d, which was revoked by %v", l.u, i, at)
		}
		if !slices.ContainsFunc(later, func(m *moment) bool { return m.admits[key] == admitted[i] }) {
			l.u.c.broke("%v lets in key %d: %v; no state from %v on says so", l.u, i, admitted[i], at)
		}
	}
}

// checkRestored checks what a process begins with: all that was acked, or nothing where somebody has spoiled it.
func (l *life) checkRestored() {
	u := l.u
	for _, lane := range bothLanes {
		at := l.lane(lane).held.Load().position()
		u.mu.Lock()
		floor := u.floor[lane]
		// The one way back: a revision on which the process died twice is left for the one before it.
		if blocked := l.store.Blocked(); lane == laneConfiguration && at.Before(floor) && (u.deaths > 1 || u.marksCut) && !blocked.Before(floor) {
			u.floor[lane], floor = at, at
		}
		u.mu.Unlock()
		if at.Epoch == 0 && u.mayLack[lane] {
			continue
		}
		if at.Before(floor) {
			u.c.broke("%v begins at %v of %v, and was at %v for good; it has died %d times, and refuses %v", u, at, lane, floor, u.deaths, l.store.Blocked())
		}
	}
	l.check()
}

// checkCurrent checks a node that was told everything and has nothing more to do.
func (l *life) checkCurrent() {
	head := l.u.c.head(laneDirectory)
	for i, key := range l.u.c.allKeys() {
		if _, denied := l.directory.Denied(directory.Bearer{Digest: key}, time.Now()); denied == head.admits[key] {
			l.u.c.broke("%v is current and lets in key %d: %v", l.u, i, !denied)
		}
	}
	if !maps.EqualFunc(l.compiler.inForce(), l.u.c.head(laneConfiguration).content, bytes.Equal) {
		l.u.c.broke("%v is current and has another configuration in force", l.u)
	}
	if sequence, sum := l.directory.Head(); sequence != head.number || !bytes.Equal(sum[:], head.sum) {
		l.u.c.broke("%v is current and its directory is another", l.u)
	}
}

// catchUp waits until a node that can be reached holds what the control plane does.
func (l *life) catchUp() {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for l.u.c.fault() == nil {
		moved := l.next()
		behind := false
		for _, lane := range bothLanes {
			behind = behind || l.lane(lane).held.Load().position() != l.u.c.head(lane).position()
		}
		if !behind {
			l.checkCurrent()
			return
		}
		select {
		case <-moved:
		case <-timeout.C:
			l.u.c.broke("%v doesn't catch up: it is at %v, the control plane at %v and %v", l.u, l.keptAt(),
				l.u.c.head(laneDirectory).position(), l.u.c.head(laneConfiguration).position())
		}
	}
}
