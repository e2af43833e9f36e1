package state

import (
	"errors"
	"fmt"
	"io"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Reader takes what is kept of a lane, and verifies it as if it came over the wire.
type Reader interface {
	// Snapshot takes a whole state. It comes first, if there is one.
	Snapshot(head *edgev1.SignedHead, compressed io.Reader) error
	// Delta takes a step from what was taken before.
	Delta(*Delta) error
	// Done is called once, behind the last step.
	Done() error
}

// Load reads a lane. After an error, the reader's own included, what is kept has been put aside: the lane is empty, and whatever the
// reader took must be dropped. Load comes before anything else is done with a lane, once.
func (l *Lane) Load(r Reader) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.load(r)
	defer l.measure()
	if err != nil {
		if closing := l.log.close(); closing != nil {
			err = errors.Join(err, closing)
		}
		l.refuse(err)
		l.root, l.rootSize, l.logsSize = 0, 0, 0
		l.log = &appendLog{lane: l, generation: l.next}
		l.next++
		return fmt.Errorf("state of lane %s: %w", l.name, err)
	}
	return nil
}

// replay is a lane being read.
type replay struct {
	lane    *Lane
	reader  Reader
	all     generations
	at      Position
	without Position // a revision to stop before; zero: none
	until   uint64   // with without: the generation of what comes after it; 0: none
	stopped bool     // before without
}

func (l *Lane) load(r Reader) error {
	all, err := l.generations()
	if err != nil {
		return err
	}
	l.next = all.last() + 1
	p := &replay{lane: l, reader: r, all: all}
	if err := p.chooseRoot(); err != nil {
		return err
	}
	if err := p.checkpoint(); err != nil {
		return err
	}
	if err := p.logs(); err != nil {
		return err
	}
	if highest := l.Highest(); p.without == (Position{}) && !p.all.empty() && p.at.Before(highest) {
		return fmt.Errorf("it ends at %d in epoch %d, and the node has held %d in epoch %d: somebody put back an older state", p.at.Number, p.at.Epoch, highest.Number, highest.Epoch)
	}
	if (p.at == Position{}) {
		return nil
	}
	if err := r.Done(); err != nil {
		return err
	}
	l.stats.loaded.Store(p.at.Number)
	return p.settle()
}

// chooseRoot finds where to begin: with the newest checkpoint, or before the revision that crashed the process.
func (p *replay) chooseRoot() error {
	l := p.lane
	l.root = p.all.root()
	f := l.store.marks.get()
	if l.kind != edgev1.Lane_LANE_CONFIGURATION || f.Crashes <= crashesBearable || f.Trial == (Position{}) {
		return nil
	}
	before, err := p.rootBefore(f.Trial)
	if err != nil {
		return err
	}
	if !before {
		l.store.log.Error("the process crashed twice soon after taking a revision, and there is none before it to fall back to", "revision", f.Trial.Number)
		return nil
	}
	p.without = f.Trial
	if _, after := p.all.split(l.root + 1); len(after.checkpoints) > 0 {
		p.until = after.checkpoints[0]
	}
	return nil
}

// rootBefore makes the newest checkpoint from before a position the root, and tells whether there is anything before it.
func (p *replay) rootBefore(at Position) (bool, error) {
	l := p.lane
	for i := len(p.all.checkpoints) - 1; i >= 0; i-- {
		c, err := l.openCheckpoint(p.all.checkpoints[i])
		if err != nil {
			return false, err
		}
		found := c.at.Before(at)
		if err := c.file.Close(); err != nil {
			return false, err
		}
		if found {
			l.root = p.all.checkpoints[i]
			return true, nil
		}
	}
	if len(p.all.logs) == 0 {
		return false, nil
	}
	first, err := p.firstOf(p.all.logs[0])
	if err != nil || !first.Before(at) || first == (Position{}) {
		return false, err
	}
	if len(p.all.checkpoints) > 0 && p.all.checkpoints[0] <= p.all.logs[0] {
		return false, nil // the logs follow a checkpoint
	}
	l.root = 0
	return true, nil
}

// firstOf returns where a log's first record leads; zero: it has none.
func (p *replay) firstOf(generation uint64) (Position, error) {
	f, err := p.lane.store.at.open(nameOf(p.lane.name, generation, logFile), false)
	if err != nil {
		return Position{}, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	records, err := openFrames(f, p.lane.store.key, p.lane.what(generation, logFile))
	if err != nil {
		return Position{}, nothingThere(err)
	}
	record, err := records.next()
	if err != nil {
		return Position{}, nothingThere(err)
	}
	d, err := unmarshalDelta(p.lane.kind, record)
	if err != nil {
		return Position{}, err
	}
	return positionOf(d.Head)
}

func nothingThere(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
		return nil
	}
	return err
}

func (p *replay) checkpoint() error {
	l := p.lane
	if l.root == 0 {
		return nil
	}
	c, err := l.openCheckpoint(l.root)
	if err != nil {
		return fmt.Errorf("checkpoint %d: %w", l.root, err)
	}
	defer func() { _ = c.file.Close() }() // nothing was written
	err = p.reader.Snapshot(c.head, c)
	if err == nil {
		err = c.finish()
	}
	if err != nil {
		return fmt.Errorf("checkpoint %d: %w", l.root, err)
	}
	p.at = c.at
	l.rootSize, err = c.file.Size()
	return err
}

func (p *replay) logs() error {
	l := p.lane
	_, from := p.all.split(l.root)
	if p.until > 0 {
		before, _ := p.all.split(p.until)
		_, from = before.split(l.root)
	}
	l.log.generation = l.root
	for i, generation := range from.logs {
		last := i == len(from.logs)-1 || p.without != Position{}
		if err := p.one(generation, last); err != nil {
			return fmt.Errorf("log %d: %w", generation, err)
		}
		if p.stopped {
			break
		}
	}
	return nil
}

// one reads a log. Behind the last one the lane goes on.
func (p *replay) one(generation uint64, last bool) error {
	l := p.lane
	f, err := l.store.at.open(nameOf(l.name, generation, logFile), false)
	if err != nil {
		return err
	}
	records, err := openFrames(f, l.store.key, l.what(generation, logFile))
	if errors.Is(err, errTorn) && last { // nothing is in it: it is made anew
		l.log = &appendLog{lane: l, generation: generation}
		return f.Close()
	}
	if err == nil {
		err = p.records(records)
	}
	torn := errors.Is(err, errTorn)
	if err != nil && (!torn || !last) {
		return errors.Join(err, f.Close())
	}
	if torn {
		l.store.log.Warn("a log's last record was torn by a crash, and is cut", "lane", l.name, "log", generation, "records", records.index)
	}
	l.logsSize += records.at
	if err := l.log.close(); err != nil {
		return err
	}
	l.log = &appendLog{lane: l, generation: generation, file: f, seal: records.seal, index: records.index, size: records.at, dirty: torn || p.stopped}
	return nil
}

func (p *replay) records(records *frames) error {
	for {
		at, index, left := records.at, records.index, records.left
		record, err := records.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d, err := unmarshalDelta(p.lane.kind, record)
		if err != nil {
			return err
		}
		to, err := positionOf(d.Head)
		if err != nil {
			return err
		}
		if p.without != (Position{}) && !to.Before(p.without) {
			records.at, records.index, records.left = at, index, left
			p.stopped = true
			return nil
		}
		if err := p.reader.Delta(d); err != nil {
			return fmt.Errorf("record %d: %w", index, err)
		}
		p.at = to
	}
}

// settle ends a fall-back: what comes after the state taken is put aside, and the revision blocked. Else what nothing needs is removed.
func (p *replay) settle() error {
	l := p.lane
	if l.store.Frozen() {
		if p.without != (Position{}) {
			return fmt.Errorf("revision %d is one that the process crashes on", p.without.Number)
		}
		return nil // the next merge removes what nothing needs
	}
	if p.without == (Position{}) {
		if before, _ := p.all.split(l.root); l.kind != edgev1.Lane_LANE_CONFIGURATION {
			l.remove(before)
		}
		p.mark()
		return nil
	}
	l.store.log.Error("the process crashed twice soon after taking a revision: the one before it is in force, and the revision is refused until a newer one comes",
		"revision", p.without.Number, "in_force", p.at.Number)
	if err := l.log.cut(); err != nil {
		return err
	}
	if _, later := p.all.split(l.log.generation + 1); !later.empty() {
		l.store.refuse(later.names(l.name), fmt.Errorf("revision %d crashed the process", p.without.Number))
	}
	return l.store.marks.change(func(f *facts) {
		f.Blocked, f.Configuration = p.without, p.at
		f.Trial, f.Crashes = Position{}, 0
	})
}

// mark makes up for the marks that a crash kept from being written behind the last record: from now on the lane is there. The disk may
// not take it now; then it takes nothing else either, and nothing is acked.
func (p *replay) mark() {
	if !p.lane.Highest().Before(p.at) {
		return
	}
	if err := p.lane.hold(p.at); err != nil {
		p.lane.store.log.Error("where a lane is can't be marked", "lane", p.lane.name, "error", err)
	}
}
