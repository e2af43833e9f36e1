package usage

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk is a file system with room for one ring and little more; only root may have one.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=14m"); err != nil {
		t.Skipf("needs to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill fills a disk, and returns what makes room again.
func fill(t *testing.T, dir string) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	page := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(page)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFullDiskCostsNoCountAndIsHadAgainOnceThereIsRoom(t *testing.T) {
	dir := smallDisk(t)
	spool, bus := filepath.Join(dir, "usage"), newBus()
	ledger := Open(config(t, spool, "first"))
	defer func() { _ = ledger.close() }()
	sender := NewSender(ledger, bus, slog.New(slog.DiscardHandler))
	recorded := 0
	record := func(n int) {
		for range n {
			ledger.Recorder().Record(uint32(recorded), request(recorded))
			recorded++
		}
	}
	record(100)
	ledger.keep()
	empty := fill(t, dir)
	for range 20 { // what is left of the journal's last page fills up too
		record(200)
		ledger.keep()
	}
	if ledger.durable() {
		t.Fatal("a full disk is said to take everything")
	}
	if !sender.round(t.Context()) {
		t.Fatal("something is left")
	}
	bus.sums(t).expect(t, recorded)

	record(100)
	ledger.keep()
	empty()
	ledger.mend()
	record(50)
	if !ledger.durable() {
		t.Fatal("there is room again, and it isn't used")
	}
	drained(t, copyOf(t, spool), bus).expect(t, recorded)
}

// An earlier boot's counts wait on a full disk: those of the living one don't wait for them.
func TestAnEarlierBootWaitsForTheDiskAndHoldsUpNobody(t *testing.T) {
	dir := smallDisk(t)
	first := Open(config(t, filepath.Join(t.TempDir(), "usage"), "first"))
	defer func() { _ = first.close() }()
	for n := range 60 {
		first.Recorder().Record(uint32(n), request(n))
	}
	spool, bus := filepath.Join(dir, "usage"), newBus()
	if err := os.CopyFS(spool, os.DirFS(copyOf(t, first.cfg.Dir))); err != nil {
		t.Fatal(err)
	}
	empty := fill(t, dir)
	second := Open(config(t, spool, "second"))
	defer func() { _ = second.close() }()
	for n := 60; n < 100; n++ {
		second.Recorder().Record(uint32(n), request(n))
	}
	second.keep()
	sender := NewSender(second, bus, slog.New(slog.DiscardHandler))
	if sender.round(t.Context()) {
		t.Fatal("nothing is left, though the disk can't say what became of the earlier boot")
	}
	if got := bus.sums(t).requests; got != 40 {
		t.Errorf("%d requests were sent, want the 40 of the living boot", got)
	}
	empty()
	second.mend()
	if !sender.round(t.Context()) {
		t.Fatal("something is left")
	}
	bus.sums(t).expect(t, 100)
}

// A ring is 11 MiB that a disk gets back only once nobody maps it.
func TestADiskThatTakesTheRingAndNoJournalKeepsNothingOfIt(t *testing.T) {
	dir := t.TempDir()
	c := config(t, dir, "first")
	l := Open(Config{Origin: c.Origin, Log: c.Log}) // no disk yet
	l.cfg.Dir = dir
	for range 3 {
		// A folder in the journal's place is what no journal can be written to.
		if err := os.MkdirAll(filepath.Join(dir, c.Origin.Boot, "journal.new"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := l.openRing(); err == nil {
			t.Fatal("the journal was begun")
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(maps), dir); n > 0 {
		t.Errorf("%d rings are mapped that are nobody's", n)
	}
}
