package usage

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

const (
	// batchBytes and batchItems bound a batch; the bus takes a mebibyte.
	batchBytes = 512 << 10
	batchItems = 8192
	// journalBytes is from where on a journal is begun anew, once nearly all of it is over: it says journalShare times less than it has.
	// From journalMost on it is begun anew once it has doubled.
	journalBytes  = 4 << 20
	journalShare  = 8
	journalMost   = 32 << 20
	journalGrowth = 2
	// counterBytes and credentialBytes are about what a counter and a credential's count take.
	counterBytes    = 75
	credentialBytes = 52
)

// Origin names where batches come from.
type Origin struct {
	// Node and Environment are ids. The node is "" until it has joined: batches are made once it has a name.
	Node, Environment string
	// Boot is random per start of the process.
	Boot string
}

// batch is one numbered message; its bytes never change until it is stored.
type batch struct {
	number uint64
	data   []byte
}

// round is what was counted since the round before.
type round struct {
	tally

	events  []*usagev1.Event
	dropped uint64
}

func (r *round) empty() bool { return r.tally.empty() && len(r.events) == 0 && r.dropped == 0 }

// book is what one boot counted and the bus hasn't taken. What is in it is in its folder's journal first, if it has a folder that
// takes it.
type book struct {
	origin Origin
	log    *slog.Logger
	// earlier says that the boot has ended: all that it counted is on the disk, and stays there until the disk takes what is to be
	// said of it. A living boot counts on in memory instead.
	earlier bool

	mu       sync.Mutex
	folder   *spool.Folder // nil: memory alone
	durable  bool          // the journal says what the book holds
	began    time.Time
	heads    []uint64 // up to these the ring is in the book
	number   uint64   // of the batch under way, or the last one
	underway *batch
	tally    tally
	waiting  waiting
	allBytes int64  // of the journal when it was last begun
	scratch  []byte // for the next entry
	spare    []byte // for the next batch
}

// take adds a round, which was drained up to these positions, and returns how many counters folded. It calls written once the
// round survives the process: requests go on while the disk makes it last.
func (b *book) take(heads []uint64, more *round, written func()) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	events, dropped := b.waiting.admit(more.events)
	dropped += more.dropped
	if b.durable {
		_ = b.write(b.counts(heads, &more.tally, events, dropped), written) // else in memory
	} else {
		written()
	}
	b.heads = append(b.heads[:0], heads...)
	b.tally.merge(&more.tally)
	b.waiting.add(events, dropped)
	folded := b.tally.fold(b.log)
	if folded > 0 && b.durable {
		// What folded can't be told from what didn't by later entries.
		if err := b.begin(); err != nil {
			b.lose(err)
		}
	}
	b.shorten()
	return folded
}

// write writes an entry, and returns whether what it says may be done: it lasts, or the book goes on in memory. It calls written
// in between, when it survives the process or never will.
func (b *book) write(entry spool.Entry, written func()) bool {
	err := b.folder.Journal().Append(entry)
	written()
	if err == nil {
		err = b.folder.Journal().Sync()
	}
	if err != nil {
		b.lose(err)
	}
	return err == nil || !b.earlier
}

// lose ends the journal. That of a living boot goes: it would have a later one count again what is sent from here on. Where even
// that fails, its numbers keep it from counting twice: those that are used from here on are no longer new to who counts.
func (b *book) lose(err error) {
	b.durable = false
	if b.earlier {
		b.log.Error("usage of an earlier boot waits: the disk doesn't take what becomes of it", "boot", b.origin.Boot, "error", err)
		return
	}
	if forgotten := b.folder.Forget(); forgotten != nil {
		err = errors.Join(err, forgotten)
	}
	b.log.Error("usage is counted in memory alone: the disk doesn't take it. If the process dies, what the bus hasn't taken is lost", "error", err)
}

// begin writes the journal anew.
func (b *book) begin() error {
	if err := b.folder.Begin(b.all()); err != nil {
		return err //nolint:wrapcheck // says what
	}
	b.durable, b.allBytes = true, b.folder.Journal().Size()
	if len(b.heads) == 0 {
		return b.folder.DropRing() //nolint:wrapcheck // says what
	}
	return nil
}

// mend makes the book durable that isn't.
func (b *book) mend() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folder == nil || b.durable {
		return nil
	}
	return b.begin()
}

// join names the node that counted, where nobody has. What the journal says until then is without a name.
func (b *book) join(node string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.origin.Node = node
}

// lame tells whether mend has something to do.
func (b *book) lame() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.durable
}

// next returns the batch under way, or makes one of what waits; nil: nothing waits. A batch is in the journal, synced, before it
// is first returned: from then on its number and its content belong together for ever.
func (b *book) next() *batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	waits := b.earlier && !b.durable
	if b.underway != nil || b.empty() || waits {
		return b.underway
	}
	data, taken := b.choose(b.spare[:0])
	if b.durable && !b.write(spool.Entry{Kind: entryBatch, Body: data}, func() {}) {
		return nil
	}
	b.tally.counters.drop(taken.counters)
	b.tally.credentials.drop(taken.credentials)
	b.waiting.remove(taken.events, taken.dropped)
	b.number++
	b.underway, b.spare = &batch{number: b.number, data: data}, nil
	return b.underway
}

func (b *book) empty() bool {
	return b.tally.empty() && len(b.waiting.events) == 0 && b.waiting.dropped == 0
}

// chosen is what a batch holds: so many of those that came first.
type chosen struct {
	counters, credentials, events int
	dropped                       uint64
}

// choose appends the next batch: counters first, then credentials, then single requests, as far as there is room.
func (b *book) choose(data []byte) ([]byte, chosen) {
	data = appendOrigin(data, b.origin, b.number+1)
	c := chosen{dropped: b.waiting.dropped}
	most, items := len(data)+batchBytes, 0
	fits := func(n int, add func(i int)) (added int) {
		for i := range n {
			before := len(data)
			if items == batchItems {
				return i
			}
			if add(i); len(data) > most {
				data = data[:before]
				return i
			}
			items++
		}
		return n
	}
	counters, credentials := b.tally.counters.all(), b.tally.credentials.all()
	c.counters = fits(len(counters), func(i int) { data = appendCounter(data, &counters[i].key, &counters[i].counts) })
	c.credentials = fits(len(credentials), func(i int) { data = appendCredential(data, &credentials[i].key, &credentials[i].counts) })
	c.events = fits(len(b.waiting.events), func(i int) { data = appendEvent(data, b.waiting.events[i]) })
	return appendNumber(data, tagEventsDropped, c.dropped), c
}

// stored drops the batch under way, which the bus has.
func (b *book) stored() {
	b.mu.Lock()
	defer b.mu.Unlock()
	number := b.underway.number
	b.underway, b.spare = nil, b.underway.data
	if !b.durable {
		return
	}
	// It needs no sync: if it is lost the batch is sent again, and counts once.
	if err := b.folder.Journal().Append(spool.Entry{Kind: entryStored, Body: binary.AppendUvarint(nil, number)}); err != nil {
		b.lose(err)
		return
	}
	b.shorten()
}

// shorten begins a journal anew that has outgrown what it says.
func (b *book) shorten() {
	if !b.durable || !b.outgrown(b.folder.Journal().Size()) {
		return
	}
	if err := b.begin(); err != nil {
		b.log.Warn("the journal of usage can't be begun anew; it goes on growing", "error", err)
	}
}

// outgrown tells whether a journal of that size is to be begun anew. While much is counted and sent that is best right after it was
// sent, when there is next to nothing to be written again.
func (b *book) outgrown(size int64) bool {
	if size <= max(journalBytes, journalGrowth*b.allBytes) {
		return false
	}
	says := counterBytes*b.tally.counters.len() + credentialBytes*b.tally.credentials.len() + b.waiting.bytes
	if b.underway != nil {
		says += len(b.underway.data)
	}
	return size > journalMost || size > journalShare*int64(says)
}

// idle tells whether nothing is left.
func (b *book) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.underway == nil && b.empty()
}

// end lets go of the folder: for good when nothing is left in it, else for a later boot.
func (b *book) end() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folder == nil {
		return nil
	}
	folder := b.folder
	b.folder = nil
	if b.underway == nil && b.empty() {
		return folder.Remove() //nolint:wrapcheck // says what
	}
	return folder.Close() //nolint:wrapcheck // says what
}

// left returns how many counters wait, those of a batch under way counted as one, and whether they outlive the process.
func (b *book) left() (counters int, durable bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counters = b.tally.counters.len() + b.tally.credentials.len()
	if b.underway != nil {
		counters++
	}
	return counters, b.durable
}

func (b *book) bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folder == nil || !b.durable {
		return 0
	}
	return b.folder.Journal().Size()
}
