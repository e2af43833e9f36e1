package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var lanes = []edgev1.Lane{configuration, directory}

// written returns a folder with a checkpoint at 3 and a log to 7 of each lane.
func written(t testing.TB) *memory {
	t.Helper()
	at := newMemory()
	s := opened(t, at)
	for _, lane := range lanes {
		mustLoad(t, s, lane, 0)
		if err := checkpoint(t, s.Lane(lane), 3, counted(3)); err != nil {
			t.Fatal(err)
		}
		history(t, s.Lane(lane), 3, 7)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestWhatWasKeptComesBack(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	for _, lane := range lanes {
		r := mustLoad(t, s, lane, 7)
		if !maps.Equal(r.content, counted(7)) || r.done != 1 {
			t.Errorf("%v came back as %v, done %d times", lane, r.content, r.done)
		}
		history(t, s.Lane(lane), 7, 9)
		if stats := s.Lane(lane).Stats(); stats.Loaded != 7 || !stats.Durable || stats.Refused != 0 || stats.Writes != 2 {
			t.Errorf("%+v", stats)
		}
	}
	s = opened(t, at)
	for _, lane := range lanes {
		mustLoad(t, s, lane, 9)
	}
}

func TestALogCutAtAnyByteLoadsToItsLastWholeRecord(t *testing.T) {
	at := newMemory()
	s := opened(t, at)
	l := s.Lane(directory)
	mustLoad(t, s, directory, 0)
	var ends []int
	for n := range uint64(4) {
		history(t, l, n, n+1)
		ends = append(ends, len(at.body("directory.0.log")))
	}
	whole := slices.Clone(at.body("directory.0.log"))
	for size := range whole {
		torn := at.copied()
		// As in a crash before the marks were written: they are behind.
		other := opened(t, newMemory())
		torn.put(marksFile, other.at.(*memory).body(marksFile))
		torn.put("directory.0.log", whole[:size])
		want, _ := slices.BinarySearch(ends, size+1)
		s := opened(t, torn)
		r := mustLoad(t, s, directory, uint64(want))
		if want > 0 && !maps.Equal(r.content, counted(uint64(want))) {
			t.Fatalf("cut at %d: %v", size, r.content)
		}
		history(t, s.Lane(directory), uint64(want), uint64(want)+1)
		mustLoad(t, opened(t, torn), directory, uint64(want)+1)
	}
}

func TestZerosBehindALogAreWhatAPowerLossLeaves(t *testing.T) {
	at := written(t)
	at.put("directory.1.log", append(at.body("directory.1.log"), make([]byte, 4096)...))
	mustLoad(t, opened(t, at), directory, 7)
}

// refusedAndEmpty fails unless a lane's files are put aside, loudly, and the lane can begin anew.
func refusedAndEmpty(t *testing.T, at *memory, s *Store, lane edgev1.Lane) {
	t.Helper()
	l := s.Lane(lane)
	if l.Stats().Refused == 0 {
		t.Error("nothing says that it was refused")
	}
	aside := 0
	for name := range at.names {
		if strings.HasPrefix(name, l.name+".") {
			t.Errorf("%s is still there", name)
		}
		if strings.HasPrefix(name, refusedPrefix) {
			aside++
		}
	}
	if aside == 0 {
		t.Error("nothing was put aside")
	}
	if err := checkpoint(t, l, 20, counted(20)); err != nil {
		t.Fatal(err)
	}
	history(t, l, 20, 21)
	mustLoad(t, opened(t, at), lane, 21)
}

func TestAnyFlippedBitIsRefused(t *testing.T) {
	whole := written(t)
	for _, name := range []string{"directory.1.log", "directory.1.checkpoint"} {
		for i := range whole.body(name) {
			if i%3 > 0 && i > 120 {
				continue // each record is hit many times over
			}
			at := whole.copied()
			at.body(name)[i] ^= 1 << (i % 8)
			s := opened(t, at)
			if r, err := loaded(s, directory); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s with byte %d changed: %v, at %v", name, i, err, r.at)
			}
			if i%50 == 0 {
				refusedAndEmpty(t, at, s, directory)
			}
			mustLoad(t, s, configuration, 7)
		}
	}
}

func TestFilesPutWhereTheyDoNotBelongAreRefused(t *testing.T) {
	whole := written(t)
	longer := whole.copied()
	history(t, func() *Lane {
		s := opened(t, longer)
		mustLoad(t, s, directory, 7)
		return s.Lane(directory)
	}(), 7, 9)
	cases := map[string]func(*memory){
		"another lane's log":        func(m *memory) { m.put("directory.1.log", m.body("configuration.1.log")) },
		"another generation's log":  func(m *memory) { m.put("directory.2.log", m.body("directory.1.log")) },
		"an older log":              func(m *memory) { m.put("directory.1.log", whole.body("directory.1.log")) },
		"a log cut between records": func(m *memory) { m.put("directory.1.log", whole.body("directory.1.log")) },
		"no log":                    func(m *memory) { delete(m.names, "directory.1.log") },
		"no checkpoint":             func(m *memory) { delete(m.names, "directory.1.checkpoint") },
		"a checkpoint cut short":    func(m *memory) { m.put("directory.1.checkpoint", m.body("directory.1.checkpoint")[:200]) },
		"a checkpoint that goes on": func(m *memory) { m.put("directory.1.checkpoint", append(m.body("directory.1.checkpoint"), 0)) },
		"an empty checkpoint":       func(m *memory) { m.put("directory.1.checkpoint", nil) },
		"another magic":             func(m *memory) { m.body("directory.1.log")[0] = 'X' },
		"no marks":                  func(m *memory) { delete(m.names, marksFile) },
		"damaged marks": func(m *memory) {
			m.body(marksFile)[slotSize+50]++
			m.body(marksFile)[2*slotSize+50]++
		},
		"short marks": func(m *memory) { m.put(marksFile, m.body(marksFile)[:100]) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			at := longer.copied()
			spoil(at)
			s := opened(t, at)
			if r, err := loaded(s, directory); err == nil && r.at != (Position{}) {
				t.Fatalf("loaded to %v", r.at)
			}
			refusedAndEmpty(t, at, s, directory)
		})
	}
}

func TestAnotherKeyOrEnvironmentOpensNothing(t *testing.T) {
	for name, how := range map[string]func(folder) (*Store, error){
		"key": func(at folder) (*Store, error) {
			return open(at, make([]byte, keySize), "env_test", slog.New(slog.DiscardHandler))
		},
		"environment": func(at folder) (*Store, error) {
			return open(at, testKey, "env_other", slog.New(slog.DiscardHandler))
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := written(t)
			s, err := how(at)
			if err != nil {
				t.Fatal(err)
			}
			for _, lane := range lanes {
				if r, err := loaded(s, lane); err != nil || r.at != (Position{}) || s.Lane(lane).Stats().Refused != 1 {
					t.Errorf("%v: %v, %v", lane, r.at, err)
				}
			}
			if s.Lane(directory).Highest() != (Position{}) {
				t.Error("a position was taken over")
			}
		})
	}
}

func TestTheHighestPositionOutlivesRefusedState(t *testing.T) {
	at := written(t)
	at.body("directory.1.log")[60]++
	s := opened(t, at)
	if _, err := loaded(s, directory); err == nil {
		t.Fatal("it was taken")
	}
	want := Position{Epoch: 1, Number: 7}
	if got := s.Lane(directory).Highest(); got != want {
		t.Errorf("%v", got)
	}
	if got := opened(t, at).Lane(directory).Highest(); got != want {
		t.Errorf("%v after a restart", got)
	}
}

func TestWhatCameBackIsMarkedThoughACrashKeptItsMarkFromTheDisk(t *testing.T) {
	at := newMemory()
	s := opened(t, at)
	mustLoad(t, s, configuration, 0)
	history(t, s.Lane(configuration), 0, 1)
	behind := slices.Clone(at.body(marksFile))
	history(t, s.Lane(configuration), 1, 2)
	at.put(marksFile, behind) // the record was there before its mark
	s = opened(t, at)
	mustLoad(t, s, configuration, 2)
	if got := s.Lane(configuration).Highest(); got != (Position{Epoch: 1, Number: 2}) {
		t.Errorf("%v", got)
	}
	if f := s.marks.get(); f.Trial != (Position{Epoch: 1, Number: 2}) || f.Crashes != 0 {
		t.Errorf("on trial is %+v", f)
	}
}

func TestAReadersRefusalPutsTheLaneAside(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	bad := errors.New("bad signature")
	if err := s.Lane(directory).Load(refusing{&reader{lane: directory}, bad}); !errors.Is(err, bad) {
		t.Fatal(err)
	}
	refusedAndEmpty(t, at, s, directory)
}

type refusing struct {
	*reader
	err error
}

func (r refusing) Done() error { return r.err }

// grown fills a lane's log until it asks to be merged, and returns where it is.
func grown(t *testing.T, s *Store, l *Lane, at uint64) (uint64, content) {
	t.Helper()
	big := strings.Repeat("x", 100<<10)
	before := counted(at)
	for len(s.merges) == 0 {
		after := maps.Clone(before)
		after[fmt.Sprint("big ", at%7)] = big + fmt.Sprint(at)
		delete(after, fmt.Sprint("big ", (at+3)%7))
		if err := l.Append(delta(t, l.kind, at, at+1, before, after)); err != nil {
			t.Fatal(err)
		}
		before = after
		at++
	}
	return at, before
}

func TestALogThatOutgrowsItsCheckpointIsMerged(t *testing.T) {
	for _, lane := range lanes {
		t.Run(lane.String(), func(t *testing.T) {
			at := written(t)
			s := opened(t, at)
			l := s.Lane(lane)
			mustLoad(t, s, lane, 7)
			number, want := grown(t, s, l, 7)
			size := l.Stats().Bytes
			// A crash before, between and after: the same state.
			for name, folder := range map[string]*memory{"before": at.copied()} {
				if r := mustLoad(t, opened(t, folder), lane, number); !maps.Equal(r.content, want) {
					t.Errorf("%s: another state", name)
				}
			}
			(<-s.merges).merge(t.Context())
			if stats := l.Stats(); stats.Merges != 1 || stats.Failures != 0 || stats.Bytes >= size {
				t.Fatalf("%+v of %d bytes", stats, size)
			}
			after := maps.Clone(want)
			after["more"] = "yes"
			if err := l.Append(delta(t, lane, number, number+1, want, after)); err != nil {
				t.Fatal(err)
			}
			names, _ := at.list()
			if g := generationsOf(l.name, names); len(g.checkpoints) != 1 || len(g.logs) != 1 {
				t.Errorf("left are %+v", g)
			}
			if r := mustLoad(t, opened(t, at), lane, number+1); !maps.Equal(r.content, after) {
				t.Error("another state")
			}
		})
	}
}

func TestAMergeThatFailsLeavesTheLaneAsItWas(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	l := s.Lane(directory)
	mustLoad(t, s, directory, 7)
	number, want := grown(t, s, l, 7)
	at.fail = func() error { return errFull }
	(<-s.merges).merge(t.Context())
	at.fail = func() error { return nil }
	if stats := l.Stats(); stats.Merges != 0 || stats.Failures != 1 {
		t.Errorf("%+v", stats)
	}
	if err := l.Append(delta(t, directory, number, number+1, want, want)); err != nil {
		t.Fatal(err)
	}
	mustLoad(t, opened(t, at), directory, number+1)
}

func TestAWholeStateThatComesDuringAMergeWins(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	l := s.Lane(directory)
	mustLoad(t, s, directory, 7)
	number, _ := grown(t, s, l, 7)
	if err := checkpoint(t, l, number+5, counted(3)); err != nil {
		t.Fatal(err)
	}
	(<-s.merges).merge(t.Context())
	if r := mustLoad(t, opened(t, at), directory, number+5); !maps.Equal(r.content, counted(3)) {
		t.Error("another state")
	}
}

func TestAFullDiskAcksNothingAndIsMended(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	l := s.Lane(directory)
	mustLoad(t, s, directory, 7)
	d := delta(t, directory, 7, 9, counted(7), counted(9))
	// Each step of a write fails once.
	for step := range 8 {
		n := 0
		at.fail = func() error {
			if n++; n == step+1 {
				return errFull
			}
			return nil
		}
		err := l.Append(d)
		if err == nil {
			if n > step {
				t.Errorf("step %d failed and nobody said so", step)
			}
			break
		}
		if !errors.Is(err, errFull) || l.Stats().Durable {
			t.Errorf("step %d: %v, %+v", step, err, l.Stats())
		}
	}
	at.fail = func() error { return nil }
	if !l.Stats().Durable {
		t.Error("it is still said not to last")
	}
	mustLoad(t, opened(t, at), directory, 9)
}

func TestACheckpointThatCanNotBeKeptIsTakenBack(t *testing.T) {
	for step := range 12 {
		at := written(t)
		s := opened(t, at)
		l := s.Lane(directory)
		mustLoad(t, s, directory, 7)
		n, failed := 0, false
		at.fail = func() error {
			if n++; n == step+1 {
				failed = true
				return errFull
			}
			return nil
		}
		err := checkpoint(t, l, 12, counted(12))
		at.fail = func() error { return nil }
		if (err != nil) != failed && step < 6 {
			t.Fatalf("step %d: %v", step, err)
		}
		if err == nil {
			mustLoad(t, opened(t, at), directory, 12)
			continue
		}
		history(t, l, 7, 8)
		mustLoad(t, opened(t, at), directory, 8)
	}
}

// crashed opens the state again as after a crash, and loads the configuration.
func crashed(t *testing.T, at *memory, number uint64) *Store {
	t.Helper()
	s := opened(t, at)
	mustLoad(t, s, configuration, number)
	return s
}

func TestTwoCrashesOnARevisionBringBackTheOneBefore(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *Lane){
		"by a delta":    func(t *testing.T, l *Lane) { t.Helper(); history(t, l, 7, 8) },
		"by a snapshot": func(t *testing.T, l *Lane) { t.Helper(); must(t, checkpoint(t, l, 8, counted(8))) },
	} {
		t.Run(name, func(t *testing.T) {
			at := written(t)
			s := opened(t, at)
			mustLoad(t, s, configuration, 7)
			mustLoad(t, s, directory, 7)
			take(t, s.Lane(configuration))
			crashed(t, at, 8)
			s = crashed(t, at, 7)
			l := s.Lane(configuration)
			for number, want := range map[uint64]bool{8: true, 7: true, 9: false} {
				if got := l.Blocked(Position{Epoch: 1, Number: number}); got != want {
					t.Errorf("blocked %d: %v", number, got)
				}
			}
			if l.Highest().Number != 7 || s.Lane(directory).Blocked(Position{Epoch: 1, Number: 8}) {
				t.Errorf("%v", l.Highest())
			}
			s = crashed(t, at, 7) // however often
			mustLoad(t, s, directory, 7)
			l = s.Lane(configuration)
			must(t, l.Append(delta(t, configuration, 7, 9, counted(7), counted(9))))
			if s.Blocked() != (Position{}) {
				t.Error("a newer one came, and it is blocked still")
			}
			must(t, s.Close())
			crashed(t, at, 9)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWithoutARevisionBeforeThereIsNothingToFallBackTo(t *testing.T) {
	at := newMemory()
	s := opened(t, at)
	mustLoad(t, s, configuration, 0)
	must(t, checkpoint(t, s.Lane(configuration), 4, counted(4)))
	for range 4 {
		s = crashed(t, at, 4)
	}
	if s.Blocked() != (Position{}) {
		t.Error("it is blocked")
	}
}

func TestOneCrashOrACleanStopBlamesNobody(t *testing.T) {
	at := written(t)
	for range 3 {
		crashed(t, at, 7)
		must(t, crashed(t, at, 7).Close()) // the second process stops in good order, and the count begins anew
	}
	if crashed(t, at, 7).Blocked() != (Position{}) {
		t.Error("it is blocked")
	}
}

func TestARevisionOutlivedForAMinuteIsNotBlamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := written(t)
		s := opened(t, at)
		mustLoad(t, s, configuration, 7)
		mustLoad(t, s, directory, 7)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		history(t, s.Lane(configuration), 7, 8)
		time.Sleep(trialLength - time.Second)
		if s.marks.get().Trial.Number != 8 {
			t.Error("the trial was short")
		}
		time.Sleep(2 * time.Second)
		stop()
		must(t, <-done)
		for range 4 {
			crashed(t, at, 8)
		}
	})
}

func TestTheKeyFileIsItsOwnersAloneAndIntegrityOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	config := Config{Dir: dir, Environment: "env_test", Logger: slog.New(slog.DiscardHandler)}
	s, err := Open(config)
	must(t, err)
	mustLoad(t, s, directory, 0)
	must(t, checkpoint(t, s.Lane(directory), 3, counted(3)))
	history(t, s.Lane(directory), 3, 5)
	must(t, s.Close())
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", entry.Name(), info.Mode())
		}
	}
	s, err = Open(config)
	must(t, err)
	mustLoad(t, s, directory, 5)
	must(t, s.Close())
	key := filepath.Join(dir, keyFile)
	must(t, os.Chmod(key, 0o644))
	if _, err := Open(config); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("%v", err)
	}
	must(t, os.Chmod(key, 0o600))
	must(t, os.WriteFile(key, []byte("short"), 0o600))
	if _, err := Open(config); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("%v", err)
	}
	config.Key = "c2hvcnQ="
	if _, err := Open(config); !errors.Is(err, errKey) {
		t.Errorf("%v", err)
	}
}
