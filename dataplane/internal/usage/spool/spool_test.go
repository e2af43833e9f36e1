package spool

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

func open(t testing.TB) (string, *Folder, *Ring) {
	t.Helper()
	dir := t.TempDir()
	folder, ring, err := Create(dir, "boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	return dir, folder, ring
}

func numbered(n uint64) *Record {
	r := &Record{TimeMs: 1_780_000_000_000, Status: 200, Verdict: "allowed", RequestBytes: n, ResponseBytes: ^n, DurationUs: n * 3}
	binary.BigEndian.PutUint64(r.Route[:], n)
	binary.BigEndian.PutUint64(r.Consumer[4:], n)
	binary.BigEndian.PutUint64(r.Credential[8:], n)
	return r
}

func TestARecordComesOutAsItWentIn(t *testing.T) {
	_, folder, ring := open(t)
	want := numbered(77)
	want.Verdict, want.Status = "rate_limited", 429
	if !ring.Append(5, want) {
		t.Fatal("there is room, and it wasn't taken")
	}
	var drained, replayed []Record
	ring.Drain(nil, func(r *Record) { drained = append(drained, *r) })
	if err := folder.Replay(make([]uint64, Stripes), func(r *Record) { replayed = append(replayed, *r) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(drained, []Record{*want}) || !slices.Equal(replayed, []Record{*want}) {
		t.Errorf("drained %+v, replayed %+v, want %+v", drained, replayed, *want)
	}
}

// The file is read by another process than the one that died, from the positions that the journal has.
func TestWhatWasRecordedAndNotDrainedIsReplayedOnce(t *testing.T) {
	_, folder, ring := open(t)
	recorded := map[uint64]int{}
	var heads []uint64
	next := uint64(0)
	record := func(n int) {
		for range n {
			next++
			if !ring.Append(uint32(next%7), numbered(next)) {
				t.Fatal("no room")
			}
			recorded[next]++
		}
	}
	for range 9 { // some laps
		record(slots)
		heads = ring.Drain(nil, func(r *Record) { delete(recorded, r.RequestBytes) })
		ring.Release(heads)
	}
	record(100)
	if err := folder.Replay(heads, func(r *Record) { recorded[r.RequestBytes]-- }); err != nil {
		t.Fatal(err)
	}
	if len(recorded) != 100 {
		t.Fatalf("%d records were not drained, want 100", len(recorded))
	}
	for n, times := range recorded {
		if times != 0 {
			t.Fatalf("record %d was replayed %d times", n, 1-times)
		}
	}
}

func TestAFullRingTakesNothingUntilThereIsRoom(t *testing.T) {
	_, _, ring := open(t)
	for n := range uint64(Stripes * slots) {
		if !ring.Append(1, numbered(n)) { // one stripe takes what another has no room for
			t.Fatalf("record %d of %d wasn't taken", n, Stripes*slots)
		}
	}
	if ring.Append(1, numbered(0)) {
		t.Fatal("a full ring took a record: it wrote over one that isn't kept elsewhere")
	}
	select {
	case <-ring.Wake():
	default:
		t.Error("nobody was told that the ring fills up")
	}
	drained := map[uint64]bool{}
	heads := ring.Drain(nil, func(r *Record) { drained[r.RequestBytes] = true })
	if len(drained) != Stripes*slots {
		t.Errorf("%d records came out, want %d", len(drained), Stripes*slots)
	}
	if ring.Append(1, numbered(0)) {
		t.Fatal("what was drained and isn't released was written over")
	}
	ring.Release(heads)
	if !ring.Append(1, numbered(0)) {
		t.Error("room that was given back isn't used")
	}
}

func TestRecordsOfManyWritersAllArrive(t *testing.T) {
	_, _, ring := open(t)
	const writers, each = 8, 20_000
	var running sync.WaitGroup
	for w := range uint64(writers) {
		running.Go(func() {
			for n := range uint64(each) {
				for !ring.Append(uint32(w%3), numbered(w*each+n)) {
					runtime.Gosched() // until the drain below has made room
				}
			}
		})
	}
	seen := make([]int, writers*each)
	for total := 0; total < len(seen); {
		heads := ring.Drain(nil, func(r *Record) {
			if *r != *numbered(r.RequestBytes) {
				t.Fatalf("half a record came out: %+v", r)
			}
			seen[r.RequestBytes]++
			total++
		})
		ring.Release(heads)
	}
	running.Wait()
	if i := slices.IndexFunc(seen, func(n int) bool { return n != 1 }); i >= 0 {
		t.Errorf("record %d came out %d times", i, seen[i])
	}
}

// A process dies between two stores: the commit isn't there yet, or some word before it.
func TestHalfARecordIsNone(t *testing.T) {
	dir, _, ring := open(t)
	ring.Append(0, numbered(1))
	ring.Append(0, numbered(2))
	content, err := os.ReadFile(filepath.Join(dir, "boot", ringFile))
	if err != nil {
		t.Fatal(err)
	}
	for word := range recordWords {
		torn := slices.Clone(content)
		clear(torn[recordsAt+(recordWords+word)*wordBytes:][:wordBytes])
		if slices.Equal(torn, content) {
			continue // the word is 0
		}
		var got []uint64
		if err := replayContent(torn, nil, func(r *Record) { got = append(got, r.RequestBytes) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, []uint64{1}) {
			t.Errorf("without word %d of the second record %v were replayed, want the first alone", word, got)
		}
	}
}

func TestAFileCutShortUnderARunningProcessGivesTheRingUpAndNothingElse(t *testing.T) {
	dir, _, ring := open(t)
	if err := os.Truncate(filepath.Join(dir, "boot", ringFile), 0); err != nil {
		t.Fatal(err)
	}
	if ring.Append(3, numbered(1)) {
		t.Error("a record was taken into a file that isn't there")
	}
	if !errors.Is(ring.Err(), ErrBroken) {
		t.Errorf("the ring says %v, want %v", ring.Err(), ErrBroken)
	}
	ring.Drain(nil, func(*Record) { t.Error("something came out") })
}

func TestOfAFileThatWasCutShortInTheMiddleComesOutWhatIsBeforeTheCut(t *testing.T) {
	dir, _, ring := open(t)
	const stripe, records = 3, 200
	for n := range uint64(records) {
		ring.Append(stripe, numbered(n))
	}
	start := int64(recordsAt + stripe*stripeBytes)
	page := int64(os.Getpagesize())
	cut := (start/page + 2) * page
	if err := os.Truncate(filepath.Join(dir, "boot", ringFile), cut); err != nil {
		t.Fatal(err)
	}
	whole := uint64(cut-start) / (recordWords * wordBytes)
	var got uint64
	heads := ring.Drain(nil, func(r *Record) {
		if *r != *numbered(got) {
			t.Fatalf("record %d came out as %+v", got, *r)
		}
		got++
	})
	if got != whole || !errors.Is(ring.Err(), ErrBroken) || heads[stripe] != records {
		t.Errorf("%d records came out, want %d; the ring says %v, and was read up to %d", got, whole, ring.Err(), heads[stripe])
	}
}

func TestAVerdictIsNamedByTheFileItself(t *testing.T) {
	_, folder, ring := open(t)
	verdicts := map[string]bool{}
	for n := range 300 {
		r := numbered(uint64(n))
		r.Verdict = "code_" + string(rune('a'+n%26)) + string(rune('a'+n/26))
		verdicts[r.Verdict] = true
		ring.Append(uint32(n), r)
	}
	if err := folder.Replay(nil, func(r *Record) { delete(verdicts, r.Verdict) }); err != nil {
		t.Fatal(err)
	}
	if len(verdicts) > 0 {
		t.Errorf("lost: %v", slices.Collect(maps.Keys(verdicts)))
	}
	long := numbered(1)
	long.Verdict = string(make([]byte, maxName+1))
	if ring.Append(1, long) {
		t.Error("a verdict was taken that doesn't fit")
	}
}

func entries(t *testing.T, f *Folder) (bodies []string, err error) {
	t.Helper()
	err = f.Read(func(e Entry) error {
		bodies = append(bodies, string(e.Body))
		return nil
	})
	return bodies, err
}

func written(t *testing.T, bodies ...string) (path string, f *Folder) {
	t.Helper()
	dir, f, _ := open(t)
	if err := f.Begin(Entry{Kind: 1, Body: []byte(bodies[0])}); err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies[1:] {
		if err := f.Journal().Append(Entry{Kind: 2, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "boot", journalFile), f
}

func TestAJournalTornAnywhereInItsLastEntryEndsBeforeIt(t *testing.T) {
	path, f := written(t, "all", "one", "the last")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < frameHeader+len("the last"); cut++ {
		torn := whole[:len(whole)-cut]
		zeroed := append(slices.Clone(torn), make([]byte, cut)...)
		for _, content := range [][]byte{torn, zeroed} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := entries(t, f)
			if err != nil || !slices.Equal(got, []string{"all", "one"}) {
				t.Fatalf("%d bytes short it says %q, %v", cut, got, err)
			}
		}
	}
}

func TestAJournalChangedBeforeItsLastEntryIsNotBelieved(t *testing.T) {
	path, f := written(t, "all", "one", "the last")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range len(whole) - frameHeader - len("the last") {
		changed := slices.Clone(whole)
		changed[at] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		// A length that reaches beyond the end can't be told from a torn entry: it ends there.
		if got, err := entries(t, f); err == nil && len(got) > 2 {
			t.Fatalf("with byte %d changed it says %q", at, got)
		}
	}
}

func TestAJournalBegunAnewReplacesTheOldAtOneMoment(t *testing.T) {
	path, f := written(t, "all", "one")
	if err := f.Begin(Entry{Kind: 1, Body: []byte("all of it")}); err != nil {
		t.Fatal(err)
	}
	if err := f.Journal().Append(Entry{Kind: 2, Body: []byte("two")}); err != nil {
		t.Fatal(err)
	}
	if got, err := entries(t, f); err != nil || !slices.Equal(got, []string{"all of it", "two"}) {
		t.Errorf("it says %q, %v", got, err)
	}
	// A process that dies while it writes the new one leaves the old one.
	if err := os.WriteFile(path+temporary, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := entries(t, f); err != nil || len(got) != 2 {
		t.Errorf("it says %q, %v", got, err)
	}
}

func TestAFolderThatLivesIsNobodyElses(t *testing.T) {
	dir, f, _ := open(t)
	if err := f.Begin(Entry{Kind: 1}); err != nil {
		t.Fatal(err)
	}
	if earlier, err := Earlier(dir); err != nil || len(earlier) != 0 {
		t.Fatalf("%d folders are said to have ended, %v", len(earlier), err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	earlier, err := Earlier(dir)
	if err != nil || len(earlier) != 1 || earlier[0].Boot != "boot" {
		t.Fatalf("found %v, %v", earlier, err)
	}
	if _, err := earlier[0].Refuse(); err != nil {
		t.Fatal(err)
	}
	if earlier, err = Earlier(dir); err != nil || len(earlier) != 0 {
		t.Errorf("what was put aside is taken up again: %v, %v", earlier, err)
	}
}

// While one process of a node takes over from another one both look for boots that have ended, and both begin some.
func TestAFolderThatIsBeingMadeIsNobodyElses(t *testing.T) {
	dir := t.TempDir()
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			earlier, err := Earlier(dir)
			if err != nil {
				t.Error(err)
			}
			for _, f := range earlier {
				t.Errorf("%s is taken for ended", f.Boot)
				_ = f.Close()
			}
		}
	})
	var made []*Folder
	for n := range 8 {
		f, ring, err := Create(dir, "boot"+strconv.Itoa(n))
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Unmap(); err != nil {
			t.Fatal(err)
		}
		made = append(made, f)
	}
	close(stop)
	looking.Wait()
	for _, f := range made {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	}
}

func TestAFolderThatAProcessDiedOverIsRemoved(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{making + "old": 2 * makingMost, making + "new": 0} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(dir, name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	if earlier, err := Earlier(dir); err != nil || len(earlier) > 0 {
		t.Errorf("%v, %v", earlier, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != making+"new" {
		t.Errorf("left are %v, %v", left, err)
	}
}

// Whatever the bytes are, nothing comes out that wasn't recorded, and nothing twice.
func FuzzReplay(f *testing.F) {
	_, folder, ring := open(f)
	for n := range uint64(300) {
		ring.Append(uint32(n%5), numbered(n))
	}
	content, err := os.ReadFile(filepath.Join(folder.dir, ringFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte("x"), uint64(0))
	f.Add(uint32(recordsAt), []byte("some bytes of a record"), uint64(3))
	f.Add(uint32(headerBytes), []byte{1, 2, 3, 4, 5, 6, 7, 8, 255, 255, 255, 255, 255, 255, 255, 255}, uint64(0))
	changed := make([]byte, len(content))
	f.Fuzz(func(t *testing.T, at uint32, bytes []byte, head uint64) {
		copy(changed, content)
		copy(changed[at%ringBytes:], bytes)
		seen := map[uint64]bool{}
		_ = replayContent(changed, []uint64{head, head, 0}, func(r *Record) {
			if *r != *numbered(r.RequestBytes) || r.RequestBytes >= 300 || seen[r.RequestBytes] {
				t.Errorf("came out: %+v", r)
			}
			seen[r.RequestBytes] = true
		})
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(journalMagic + "12345678"))
	f.Add([]byte(journalMagic + "12345678" + "\x00\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(_ *testing.T, content []byte) {
		_ = readEntries(content, func(Entry) error { return nil })
	})
}

func BenchmarkAppend(b *testing.B) {
	_, _, ring := open(b)
	record := numbered(9)
	heads := make([]uint64, Stripes)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%(slots/2) == 0 {
			heads[0] = uint64(n)
			ring.Release(heads)
		}
		if !ring.Append(0, record) {
			b.Fatal("no room")
		}
	}
}

func BenchmarkDrain(b *testing.B) {
	_, _, ring := open(b)
	record := numbered(9)
	heads := make([]uint64, 0, Stripes)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		ring.Append(0, record)
		if n%(slots/2) == 0 {
			heads = ring.Drain(heads[:0], func(*Record) {})
			ring.Release(heads)
		}
	}
}
