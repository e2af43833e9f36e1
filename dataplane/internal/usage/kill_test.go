package usage

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/usage/spool"
	"github.com/sallyport/sallyport/proto/id"
)

// copyOf copies a spool as a kill would leave it now. The copy is nobody's: its locks are held by no process.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// drained is what a bus was told in the end, after a new process took up a spool.
func drained(t *testing.T, dir string, bus *bus) sums {
	t.Helper()
	ledger := Open(config(t, dir, "after"))
	if n := ledger.refused.Load(); n != 0 {
		t.Fatalf("%d boots were refused", n)
	}
	if !NewSender(ledger, bus, slog.New(slog.DiscardHandler)).round(t.Context()) {
		t.Fatal("something is left")
	}
	if err := ledger.close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the bus has all, and %v is left on the disk, %v", left, err)
	}
	return bus.sums(t)
}

// The process is killed after each step that it makes, and another one takes up what it left: what was recorded until then is counted
// once, whatever of it was drained, in a batch, sent, stored or acknowledged.
func TestKilledAtAnyStepEachRequestIsCountedOnce(t *testing.T) {
	dir, bus := t.TempDir(), newBus()
	ledger := Open(config(t, dir, "first"))
	defer func() { _ = ledger.close() }()
	recorded := 0
	step := func(what string) {
		t.Helper()
		drained(t, copyOf(t, dir), bus.clone()).expect(t, recorded)
		if t.Failed() {
			t.Fatalf("killed after: %s", what)
		}
	}
	record := func(n int) {
		for range n {
			ledger.Recorder().Record(uint32(recorded%7), request(recorded))
			recorded++
		}
		step("recorded")
	}
	step("opened")
	for range 3 {
		record(40)
		ledger.keep()
		step("kept")
		record(10)
		batch := ledger.current.next()
		step("a batch is made")
		record(5)
		if err := bus.Publish(t.Context(), fmt.Sprintf("%s.first.%d", testNode, batch.number), batch.data); err != nil {
			t.Fatal(err)
		}
		step("the bus has stored it, and its answer was not heard")
		ledger.keep()
		step("kept while a batch is under way")
		ledger.current.stored()
		step("stored")
		if err := ledger.current.begin(); err != nil {
			t.Fatal(err)
		}
		step("the journal is begun anew")
	}
}

// The kill tears what was being written: the journal ends in the middle of its last entry.
func TestKilledInTheMiddleOfAnEntryEachRequestIsCountedOnce(t *testing.T) {
	dir := t.TempDir()
	ledger := Open(config(t, dir, "first"))
	defer func() { _ = ledger.close() }()
	for n := range 30 {
		ledger.Recorder().Record(uint32(n), request(n))
	}
	size := func() int64 { return ledger.current.folder.Journal().Size() }
	tear := func(name string, before int64) {
		t.Helper()
		for cut := before; cut < size(); cut += max((size()-before)/7, 1) {
			torn := copyOf(t, dir)
			if err := os.Truncate(filepath.Join(torn, "first", "journal"), cut); err != nil {
				t.Fatal(err)
			}
			drained(t, torn, newBus()).expect(t, 30)
			if t.Failed() {
				t.Fatalf("torn in %s, %d bytes of %d", name, cut-before, size()-before)
			}
		}
	}
	before := size()
	ledger.keep()
	tear("counts", before)
	before = size()
	ledger.current.next()
	tear("a batch", before)
}

// Boots that die one after the other leave each a part, and die while they send what others left.
func TestManyBootsThatDieLeaveEachRequestCountedOnce(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			dir, bus := t.TempDir(), newBus()
			bus.fail = func(int) (bool, error) {
				switch random.IntN(5) {
				case 0:
					return false, os.ErrDeadlineExceeded
				case 1:
					return true, os.ErrDeadlineExceeded
				}
				return true, nil
			}
			recorded := 0
			for boot := range 6 {
				ledger := Open(config(t, dir, fmt.Sprint("boot", boot)))
				sender := NewSender(ledger, bus, slog.New(slog.DiscardHandler))
				for range random.IntN(12) {
					for range random.IntN(60) {
						ledger.Recorder().Record(random.Uint32(), request(recorded))
						recorded++
					}
					switch random.IntN(4) {
					case 0:
						sender.round(t.Context())
					case 1, 2:
						ledger.keep()
					}
				}
				killed := copyOf(t, dir)
				if err := ledger.close(); err != nil {
					t.Fatal(err)
				}
				dir = killed
			}
			bus.fail = nil
			drained(t, dir, bus).expect(t, recorded)
		})
	}
}

func TestWhatAnEarlierBootLeftIsSentUnderItsNameFirst(t *testing.T) {
	dir, bus := t.TempDir(), newBus()
	first := Open(config(t, dir, "zfirst")) // names have no order
	defer func() { _ = first.close() }()
	first.Recorder().Record(0, request(1))
	first.keep()
	underway := first.current.next()
	first.Recorder().Record(0, request(2)) // in the ring alone
	dir = copyOf(t, dir)
	second := Open(config(t, dir, "asecond"))
	defer func() { _ = second.close() }()
	second.Recorder().Record(0, request(3))
	second.keep()
	if !NewSender(second, bus, slog.New(slog.DiscardHandler)).round(t.Context()) {
		t.Fatal("something is left")
	}
	var got []string
	for _, batch := range bus.order {
		got = append(got, fmt.Sprint(batch.GetBoot(), " ", batch.GetNumber()))
	}
	if want := "[zfirst 1 zfirst 2 asecond 1]"; fmt.Sprint(got) != want {
		t.Errorf("sent %v, want %v", got, want)
	}
	if !bytes.Equal(bus.messages[testNode+".zfirst.1"], underway.data) {
		t.Error("a batch that may have been sent changed")
	}
}

// While one process takes over from another both live: neither touches what the other counts, until it has ended.
func TestTwoBootsAtOnceLeaveEachOtherAloneAndTheLaterTakesUpWhatIsLeft(t *testing.T) {
	dir, bus := t.TempDir(), newBus()
	old := Open(config(t, dir, "old"))
	old.Recorder().Record(0, request(0))
	later := Open(config(t, dir, "later"))
	defer func() { _ = later.close() }()
	if n := len(later.books()); n != 1 {
		t.Fatalf("the later process has %d books, want its own alone", n)
	}
	later.Recorder().Record(0, request(1))
	old.Recorder().Record(0, request(2))
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	later.keep()
	later.tend()
	if !NewSender(later, bus, slog.New(slog.DiscardHandler)).round(t.Context()) {
		t.Fatal("something is left")
	}
	bus.sums(t).expect(t, 3)
}

func TestWhatAnotherNodeCountedIsPutAside(t *testing.T) {
	dir := t.TempDir()
	first := Open(config(t, dir, "first"))
	defer func() { _ = first.close() }()
	first.Recorder().Record(0, request(1))
	dir = copyOf(t, dir)
	cfg := config(t, dir, "second")
	cfg.Origin.Node = "node_other"
	second := Open(cfg)
	defer func() { _ = second.close() }()
	if got := second.refused.Load(); got != 1 || len(second.books()) != 1 {
		t.Errorf("%d boots refused, %d taken up; want the one to be refused", got, len(second.books())-1)
	}
	if _, err := os.Stat(filepath.Join(dir, "refused-first")); err != nil {
		t.Errorf("it wasn't put aside: %v", err)
	}
}

func TestCountsThatFoldedAreCountedOnceAfterAKill(t *testing.T) {
	dir := t.TempDir()
	ledger := Open(config(t, dir, "first"))
	defer func() { _ = ledger.close() }()
	const minutes = pendingCounters + 100
	for n := range minutes {
		q := request(1)
		q.TimeMs += int64(n) * msPerMinute
		ledger.Recorder().Record(uint32(n), q)
		if n%30_000 == 0 {
			ledger.keep()
		}
	}
	ledger.keep()
	ledger.current.next() // a batch of what folded
	if ledger.folded.Load() == 0 {
		t.Fatal("nothing folded")
	}
	if got := drained(t, copyOf(t, dir), newBus()).requests; got != minutes {
		t.Errorf("%d requests were counted, want %d", got, minutes)
	}
}

func TestTheJournalStaysShortWhileTheBusIsAway(t *testing.T) {
	ledger := Open(config(t, t.TempDir(), "first"))
	defer func() { _ = ledger.close() }()
	const counters, rounds = 4000, 40
	for range rounds {
		for n := range counters {
			q := request(1)
			q.Consumer = id.ID{byte(n), byte(n >> 8)}
			ledger.Recorder().Record(uint32(n), q)
		}
		ledger.keep()
	}
	if got, most := ledger.current.bytes(), int64(journalBytes+counters*200); got > most {
		t.Errorf("the journal of %d counters has %d bytes, want %d at most", counters, got, most)
	}
	if got := drained(t, copyOf(t, ledger.cfg.Dir), newBus()).requests; got != counters*rounds {
		t.Errorf("%d requests were counted, want %d", got, counters*rounds)
	}
}

// Begun anew right before it is sent the journal would be written twice.
func TestTheJournalOfManyCountersIsBegunAnewOnceTheyWereSentAndNotBefore(t *testing.T) {
	ledger := Open(config(t, t.TempDir(), "first"))
	defer func() { _ = ledger.close() }()
	book, bus := ledger.current, newBus()
	const counters, rounds = 30_000, 2
	for range rounds {
		for n := range counters {
			q := request(1)
			q.Consumer, q.Credential = id.ID{byte(n), byte(n >> 8)}, id.ID{1, byte(n), byte(n >> 8)}
			ledger.Recorder().Record(uint32(n), q)
		}
		ledger.keep()
	}
	before := book.bytes()
	if before < journalBytes || book.allBytes > journalBytes/journalShare {
		t.Errorf("before it was sent the journal has %d bytes, and was begun with %d", before, book.allBytes)
	}
	if !NewSender(ledger, bus, slog.New(slog.DiscardHandler)).round(t.Context()) {
		t.Fatal("something is left")
	}
	if after := book.bytes(); after > before/2 || book.allBytes > 2*before/journalShare {
		t.Errorf("once it was sent the journal has %d bytes, and was begun with %d", after, book.allBytes)
	}
	if got := drained(t, copyOf(t, ledger.cfg.Dir), bus).requests; got != counters*rounds {
		t.Errorf("%d requests were counted, want %d", got, counters*rounds)
	}
}

func TestARingThatIsTakenAwayCostsNoCount(t *testing.T) {
	dir, bus := t.TempDir(), newBus()
	ledger := Open(config(t, dir, "first"))
	for n := range 100 {
		ledger.Recorder().Record(uint32(n), request(n))
	}
	ledger.keep()
	if err := os.Truncate(filepath.Join(dir, "first", "ring"), 0); err != nil {
		t.Fatal(err)
	}
	for n := 100; n < 200; n++ {
		ledger.Recorder().Record(uint32(n), request(n))
	}
	ledger.keep()
	sender := NewSender(ledger, bus, slog.New(slog.DiscardHandler))
	if stats := sender.Stats(); stats.Durable || stats.Unspooled != 100 {
		t.Errorf("%+v: want it to say that 100 requests are in memory alone", stats)
	}
	if !sender.round(t.Context()) {
		t.Fatal("something is left")
	}
	bus.sums(t).expect(t, 200)
	if err := ledger.close(); err != nil {
		t.Fatal(err)
	}
}

func TestADiskThatTakesNothingAtFirstIsHadLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "usage")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	ledger := Open(config(t, dir, "first"))
	defer func() { _ = ledger.close() }()
	for n := range 100 {
		ledger.Recorder().Record(uint32(n), request(n))
	}
	ledger.keep()
	if ledger.durable() {
		t.Fatal("what isn't on the disk is said to be")
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	ledger.mend()
	for n := 100; n < 150; n++ {
		ledger.Recorder().Record(uint32(n), request(n))
	}
	if !ledger.durable() {
		t.Fatal("the disk is there again, and isn't used")
	}
	drained(t, copyOf(t, dir), newBus()).expect(t, 150)
}

// Whatever a journal says, it is taken or refused: nothing panics, and the batches made of it count what it counted.
func FuzzBook(f *testing.F) {
	empty := func() *book {
		return &book{origin: Origin{Node: "n", Environment: "e", Boot: "b"}, log: slog.New(slog.DiscardHandler)}
	}
	b := empty()
	all := b.all().Body
	b.scratch, b.began = nil, time.Now()
	more := round{dropped: 3}
	for n := range 20 {
		q := request(n)
		more.record(&q.Record)
		more.events = append(more.events, q.event())
	}
	events, dropped := b.waiting.admit(more.events)
	counts := b.counts([]uint64{1, 2, 3}, &more.tally, events, dropped).Body
	b.take(nil, &more, func() {})
	f.Add(all, counts, []byte{1}, uint8(entryStored))
	f.Add(all, counts, b.next().data, uint8(entryBatch))
	f.Fuzz(func(t *testing.T, all, second, third []byte, kind uint8) {
		b := empty()
		if b.apply(spool.Entry{Kind: entryAll, Body: all}) != nil || b.apply(spool.Entry{Kind: entryCounts, Body: second}) != nil {
			return
		}
		_ = b.apply(spool.Entry{Kind: kind, Body: third})
		if b.underway != nil {
			b.stored()
		}
		waits := b.tally.requests()
		for next := b.next(); next != nil; next = b.next() {
			message, err := b.read(next.data, next.number)
			if err != nil {
				t.Fatal(err)
			}
			var batched tally
			for _, c := range message.GetCounters() {
				key, counts, err := readCounter(c)
				if err != nil {
					t.Fatal(err)
				}
				batched.count(key, counts)
			}
			waits -= batched.requests()
			b.stored()
		}
		if waits != 0 {
			t.Errorf("the batches are %d requests short of what was counted", int64(waits))
		}
	})
}

// requests is the sum of all counters.
func (t *tally) requests() (n uint64) {
	for _, e := range t.counters.all() {
		n += e.counts.Requests
	}
	return n
}
