package usage

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
)

const (
	// keepInterval is how long a request is in the ring alone: what a power loss may cost.
	keepInterval = 100 * time.Millisecond
	// mendInterval is between attempts to have a disk that failed, and between looks for boots that have ended: of very many not all are taken
	// up at once, nor those that the disk couldn't lock.
	mendInterval = 10 * time.Second
)

// Config is what a Ledger works with.
type Config struct {
	// Dir keeps what the bus hasn't taken; "": memory alone.
	Dir string
	// Origin names this boot; the node, if it has joined.
	Origin Origin
	// Log hears of disks that fail, and of what is given up.
	Log *slog.Logger
}

// Ledger holds what was counted and not yet taken by the bus: by this boot, and by earlier ones that died.
type Ledger struct {
	cfg      Config
	recorder *Recorder
	current  *book

	ring  *spool.Ring
	cap   minuteCap
	more  round // of the keeper, between two of them empty
	heads []uint64
	last  time.Time // that the disk was looked after

	mu      sync.Mutex
	origin  Origin
	earlier []*book

	folded, capped, refused, events, dropped atomic.Uint64
}

// Open returns the ledger of a boot, with what earlier ones left. A disk that fails is told of, and done without.
func Open(cfg Config) *Ledger {
	l := &Ledger{
		cfg: cfg, origin: cfg.Origin, recorder: NewRecorder(),
		current: &book{origin: cfg.Origin, log: cfg.Log, began: time.Now()},
	}
	if cfg.Dir == "" {
		return l
	}
	l.tend()
	return l
}

// Join names the node that counts, and that counted in earlier boots which ended before it had a name.
func (l *Ledger) Join(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.origin.Node = node
	for _, b := range append(slices.Clone(l.earlier), l.current) {
		b.join(node)
	}
}

// Recorder is what fills the ledger.
func (l *Ledger) Recorder() *Recorder { return l.recorder }

// tend looks after the disk: for boots that have ended, and for what it didn't take.
func (l *Ledger) tend() {
	l.last = time.Now()
	l.takeUp()
	if !l.durable() || slices.ContainsFunc(l.books(), (*book).lame) {
		l.mend()
	}
}

// takeUp reads what earlier boots left.
func (l *Ledger) takeUp() {
	folders, err := spool.Earlier(l.cfg.Dir)
	if err != nil {
		l.cfg.Log.Error("usage of an earlier boot can't be read now; it stays on the disk", "error", err)
	}
	var found []*book
	for _, folder := range folders {
		if b := l.read(folder); b != nil {
			found = append(found, b)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range found {
		b.join(l.origin.Node) // it may have got its name meanwhile
	}
	l.earlier = append(l.earlier, found...)
	slices.SortStableFunc(l.earlier, func(a, b *book) int { return a.began.Compare(b.began) })
}

// read reads one boot's folder; nil: nothing is in it to send.
func (l *Ledger) read(folder *spool.Folder) *book {
	if !folder.Begun() {
		if err := folder.Remove(); err != nil {
			l.cfg.Log.Warn("what a boot left that never counted can't be removed", "boot", folder.Boot, "error", err)
		}
		return nil
	}
	l.mu.Lock()
	origin := l.origin
	l.mu.Unlock()
	origin.Boot = folder.Boot
	b := &book{origin: origin, log: l.cfg.Log, folder: folder, earlier: true}
	if err := folder.Read(b.apply); err != nil {
		l.refused.Add(1)
		aside, failed := folder.Refuse()
		l.cfg.Log.Error("usage of an earlier boot can't be believed, and isn't counted; it was put aside",
			"boot", folder.Boot, "aside", aside, "error", errors.Join(err, failed))
		return nil
	}
	l.readRing(b)
	if err := b.mend(); err != nil {
		l.cfg.Log.Warn("usage of an earlier boot waits until the disk takes something", "boot", folder.Boot, "error", err)
	}
	counters, _ := b.left()
	l.cfg.Log.Info("usage of an earlier boot waits to be sent", "boot", folder.Boot, "counters", counters, "batches_before", b.number)
	return b
}

// readRing adds what the ring holds beyond the journal. From then on the book is the journal alone.
func (l *Ledger) readRing(b *book) {
	if len(b.heads) == 0 {
		return
	}
	var recorded tally
	if err := b.folder.Replay(b.heads, recorded.record); err != nil {
		l.refused.Add(1)
		l.cfg.Log.Error("what an earlier boot recorded last can't be read, and isn't counted", "boot", b.origin.Boot, "error", err)
	}
	l.capped.Add(uint64(l.cap.limit(&recorded)))
	b.tally.merge(&recorded)
	b.heads = nil
	b.tally.fold(l.cfg.Log)
}

// mend has the disk again, or for the first time. What earlier boots left comes first: it gives the room of their rings back.
func (l *Ledger) mend() {
	for _, b := range l.books() {
		if err := b.mend(); err != nil {
			l.cfg.Log.Error("usage isn't on the disk, which doesn't take it", "boot", b.origin.Boot, "error", err)
		}
	}
	if err := l.openRing(); err != nil {
		l.cfg.Log.Error("usage is recorded in memory alone: if the process dies, what was recorded last is lost", "error", err)
	}
}

func (l *Ledger) openRing() error {
	if l.ring != nil {
		return l.ring.Err() //nolint:wrapcheck // says what
	}
	folder, ring, err := spool.Create(l.cfg.Dir, l.cfg.Origin.Boot)
	if err != nil {
		return err //nolint:wrapcheck // says what
	}
	l.current.mu.Lock()
	defer l.current.mu.Unlock()
	l.current.folder, l.current.heads = folder, make([]uint64, spool.Stripes)
	if err := l.current.begin(); err != nil {
		l.current.folder, l.current.heads = nil, nil
		return errors.Join(err, ring.Unmap(), folder.Remove())
	}
	l.ring = ring
	l.recorder.ring.Store(ring)
	return nil
}

// run keeps what is recorded until ctx ends. It is the ring's one owner.
func (l *Ledger) run(ctx context.Context) {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		var wake <-chan struct{}
		if l.ring != nil {
			wake = l.ring.Wake()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-wake:
		}
		l.keep()
	}
}

// keep moves what was recorded into the book of this boot.
func (l *Ledger) keep() {
	more := &l.more
	l.recorder.collect(&more.tally)
	l.heads = l.heads[:0]
	if l.ring != nil {
		l.heads = l.ring.Drain(l.heads, more.record)
	}
	l.capped.Add(uint64(l.cap.limit(&more.tally)))
	more.events, more.dropped = l.recorder.events.take()
	l.events.Add(uint64(len(more.events)))
	l.dropped.Add(more.dropped)
	if !more.empty() {
		l.folded.Add(uint64(l.current.take(l.heads, more, func() {
			if l.ring != nil {
				l.ring.Release(l.heads)
			}
		})))
	}
	more.reset()
	more.events = nil
	if l.cfg.Dir != "" && time.Since(l.last) >= mendInterval {
		l.tend()
	}
}

// durable tells whether what is recorded now survives the process.
func (l *Ledger) durable() bool {
	_, durable := l.current.left()
	ring := l.recorder.ring.Load()
	return durable && ring != nil && ring.Err() == nil
}

// books are all that has something to send, the oldest first.
func (l *Ledger) books() []*book {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(slices.Clone(l.earlier), l.current)
}

// done drops the book of an earlier boot, of which the bus has all.
func (l *Ledger) done(b *book) {
	if b == l.current {
		return
	}
	l.mu.Lock()
	l.earlier = slices.DeleteFunc(l.earlier, func(other *book) bool { return other == b })
	l.mu.Unlock()
	if err := b.end(); err != nil {
		l.cfg.Log.Warn("what an earlier boot counted was taken by the bus, and can't be removed; it will be sent again, and counts once",
			"boot", b.origin.Boot, "error", err)
	}
}

// close lets go of the disk, with what was recorded late in its journal.
func (l *Ledger) close() error {
	l.keep()
	var failed error
	for _, b := range l.books() {
		failed = errors.Join(failed, b.end())
	}
	return failed
}
