package state

import (
	"errors"
	"fmt"
	"sync"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Lane is one lane's state on disk. One goroutine writes it.
type Lane struct {
	store *Store
	kind  edgev1.Lane
	name  string
	stats laneStats

	mu       sync.Mutex
	root     uint64 // generation of the checkpoint that it begins with; 0: none
	next     uint64 // generation that nothing has yet
	log      *appendLog
	rootSize int64
	logsSize int64 // of all logs since the root, in bytes
	mergeAt  int64 // of the logs
	merging  bool
	stray    string // a file that isn't to be there, and couldn't be removed
}

func newLane(s *Store, kind edgev1.Lane, name string) *Lane {
	l := &Lane{store: s, kind: kind, name: name, next: 1}
	l.log = &appendLog{lane: l}
	l.stats.durable.Store(true)
	return l
}

// what names a file for its sealer: one put in another's place doesn't open.
func (l *Lane) what(generation uint64, role string) string {
	return nameOf(l.name, generation, role) + "\x00" + l.store.environment
}

// Highest returns the highest position that the lane ever held.
func (l *Lane) Highest() Position {
	f := l.store.marks.get()
	return *f.highest(l.kind)
}

// Blocked tells whether a position is refused because the process crashed on it.
func (l *Lane) Blocked(at Position) bool {
	blocked := l.store.Blocked()
	return l.kind == edgev1.Lane_LANE_CONFIGURATION && blocked.Epoch == at.Epoch && at.Number <= blocked.Number
}

// Append adds a delta, and returns once it lasts. When it doesn't, nothing has changed, and the same or a longer delta from the same
// position may be appended later.
func (l *Lane) Append(d *Delta) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store.Frozen() {
		return ErrFrozen
	}
	err := l.append(d)
	l.measure()
	return l.stats.wrote(err)
}

func (l *Lane) measure() { l.stats.bytes.Store(l.rootSize + l.logsSize) }

func (l *Lane) append(d *Delta) error {
	at, err := positionOf(d.Head)
	if err != nil {
		return err
	}
	record, err := d.marshal(l.kind)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if len(record) > maxFrame {
		return fmt.Errorf("state: a delta has %d bytes, at most %d", len(record), maxFrame)
	}
	if err := l.clean(); err != nil {
		return err
	}
	l.rotate()
	size, err := l.log.write(record)
	if err != nil {
		return fmt.Errorf("state: append to the log: %w", err)
	}
	if err := l.hold(at); err != nil {
		return err
	}
	l.log.keep(size)
	l.logsSize += size
	return nil
}

// hold marks a position as held. A revision begins its trial.
func (l *Lane) hold(at Position) error {
	err := l.store.marks.change(func(f *facts) {
		if highest := f.highest(l.kind); highest.Before(at) {
			*highest = at
		}
		if l.kind != edgev1.Lane_LANE_CONFIGURATION {
			return
		}
		f.Trial, f.Crashes = at, 0
		if f.Blocked.Before(at) {
			f.Blocked = Position{}
		}
	})
	if err == nil && l.kind == edgev1.Lane_LANE_CONFIGURATION {
		select {
		case l.store.tried <- struct{}{}:
		default: // it is told already
		}
	}
	return err
}

// clean takes back what an earlier write left. The marks go first: they must never name what was taken back.
func (l *Lane) clean() error {
	if err := l.store.marks.settle(); err != nil {
		return err
	}
	if l.stray != "" {
		if err := errors.Join(l.store.at.remove(l.stray), l.store.at.sync()); err != nil {
			return fmt.Errorf("state: take back a checkpoint: %w", err)
		}
		l.stray = ""
	}
	return nil
}

// leastMerge is the size of logs from which they are worth merging, in bytes.
const leastMerge = 1 << 20

// rotate begins a new log when the logs outgrow the checkpoint, and asks for them to be merged. What is appended next isn't among
// them: of the configuration the one before the last is always there to fall back to.
func (l *Lane) rotate() {
	if l.merging || l.logsSize < max(l.rootSize, l.mergeAt, leastMerge) || l.log.dirty || l.log.file == nil {
		return
	}
	if err := l.log.close(); err != nil {
		l.store.log.Warn("a full log can't be closed", "lane", l.name, "error", err)
	}
	l.log = &appendLog{lane: l, generation: l.next}
	l.next++
	l.merging = true
	l.store.merges <- l // holds one per lane
}

// refuse puts all of the lane's files aside.
func (l *Lane) refuse(reason error) {
	l.stats.refused.Add(1)
	if l.store.Frozen() { // the process that has it in force goes on with it
		l.store.log.Error("what the running process has kept can't be used", "lane", l.name, "reason", reason)
		return
	}
	names, err := l.store.at.list()
	if err != nil {
		l.store.log.Error("the state's folder can't be read", "error", err)
		return
	}
	if mine := generationsOf(l.name, names); !mine.empty() {
		l.store.refuse(mine.names(l.name), fmt.Errorf("lane %s: %w", l.name, reason))
	}
}

// remove removes files that nothing needs any more.
func (l *Lane) remove(g generations) {
	for _, name := range g.names(l.name) {
		if err := l.store.at.remove(name); err != nil {
			l.store.log.Warn("an old file of the node's state can't be removed", "file", name, "error", err)
		}
	}
}

func (l *Lane) generations() (generations, error) {
	names, err := l.store.at.list()
	return generationsOf(l.name, names), err
}

func (l *Lane) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.close()
}
