package state

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/freshness"
)

// frozen opens the state in a folder as the next process does.
func frozen(t *testing.T, at folder) *Store {
	t.Helper()
	s, err := openFrozen(at, testKey, "env_test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files are what lies in a folder.
func files(at *memory) map[string]string {
	all := map[string]string{}
	for name := range at.names {
		all[name] = string(at.body(name))
	}
	return all
}

// refusesWrites tries all that a store writes, and fails unless all of it is refused.
func refusesWrites(t *testing.T, s *Store) {
	t.Helper()
	for _, lane := range lanes {
		l := s.Lane(lane)
		if err := l.Append(delta(t, lane, 7, 8, counted(7), counted(8))); !errors.Is(err, ErrFrozen) {
			t.Errorf("a delta is answered %v", err)
		}
		if err := checkpoint(t, l, 9, counted(9)); !errors.Is(err, ErrFrozen) {
			t.Errorf("a whole state is answered %v", err)
		}
	}
	now := time.Now()
	if err := errors.Join(s.KeepAuditHead([]byte("head")), s.KeepFreshness(freshness.Record{Signed: now, Heard: now, Seen: now})); err != nil {
		t.Errorf("what the next process hears itself is no fault: %v", err)
	}
}

func TestAFrozenStateStandsStillUntilTheNextProcessWritesIt(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	for _, lane := range lanes {
		mustLoad(t, s, lane, 7)
	}
	must(t, s.KeepAuditHead([]byte("before")))
	must(t, s.Freeze())
	before := files(at)
	refusesWrites(t, s)
	next := frozen(t, at)
	for _, lane := range lanes {
		if r := mustLoad(t, next, lane, 7); !maps.Equal(r.content, counted(7)) {
			t.Errorf("the next process has another %v", lane)
		}
	}
	refusesWrites(t, next)
	if !maps.Equal(files(at), before) {
		t.Fatal("what lies on the disk has changed")
	}
	next.Thaw()
	refusesWrites(t, s)
	for _, lane := range lanes {
		history(t, next.Lane(lane), 7, 9)
	}
	must(t, next.KeepAuditHead([]byte("after")))
	must(t, s.Close()) // the one before ends, and leaves no mark
	if !next.marks.get().Running {
		t.Error("the process that writes isn't said to run")
	}
	must(t, next.Close())
	last := opened(t, at)
	for _, lane := range lanes {
		mustLoad(t, last, lane, 9)
	}
	if kept, err := last.AuditHead(); err != nil || string(kept) != "after" {
		t.Errorf("the audit head is %q, %v", kept, err)
	}
}

func TestAStateThatThawsGoesOnWhereItWas(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	for _, lane := range lanes {
		mustLoad(t, s, lane, 7)
		history(t, s.Lane(lane), 7, 8)
	}
	for range 3 { // next processes that come to nothing
		must(t, s.Freeze())
		next := frozen(t, at)
		for _, lane := range lanes {
			mustLoad(t, next, lane, 8)
		}
		must(t, next.Close())
		s.Thaw()
	}
	for _, lane := range lanes {
		history(t, s.Lane(lane), 8, 10)
		if stats := s.Lane(lane).Stats(); !stats.Durable || stats.Failures != 0 || stats.Refused != 0 {
			t.Errorf("%+v", stats)
		}
	}
	last := opened(t, at)
	for _, lane := range lanes {
		mustLoad(t, last, lane, 10)
	}
}

// Both processes number their files alike: what the one before has half written must not be taken for the next one's, nor take it away.
func TestAWholeStateBegunBeforeAFreezeIsNeverFinished(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Checkpoint){
		"committed": func(t *testing.T, c *Checkpoint) {
			t.Helper()
			if err := c.Commit(); !errors.Is(err, ErrFrozen) {
				t.Errorf("it is answered %v", err)
			}
		},
		"aborted": func(_ *testing.T, c *Checkpoint) { c.Abort() },
	} {
		for _, whose := range []string{"the next process's", "its own"} {
			t.Run(name+", the state "+whose, func(t *testing.T) {
				at := written(t)
				s := opened(t, at)
				mustLoad(t, s, directory, 7)
				begun := s.Lane(directory).Begin(head(t, 20))
				if _, err := begun.Write(bytes.Repeat([]byte("x"), 2*chunkSize)); err != nil {
					t.Fatal(err)
				}
				must(t, s.Freeze())
				writer := s
				if whose != "its own" {
					writer = frozen(t, at)
					mustLoad(t, writer, directory, 7)
				}
				writer.Thaw()
				kept := writer.Lane(directory).Begin(head(t, 9))
				if _, err := kept.Write(snapshot(t, directory, counted(9))); err != nil {
					t.Fatal(err)
				}
				if _, err := begun.Write(bytes.Repeat([]byte("x"), 2*chunkSize)); err != nil {
					t.Fatal(err)
				}
				end(t, begun)
				must(t, kept.Commit())
				if r := mustLoad(t, opened(t, at), directory, 9); !maps.Equal(r.content, counted(9)) {
					t.Error("another state")
				}
				for name := range at.names {
					if strings.HasSuffix(name, temporary) {
						t.Errorf("%s is left", name)
					}
				}
			})
		}
	}
}

func TestNothingIsMergedWhileTheStateStandsStill(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	l := s.Lane(directory)
	mustLoad(t, s, directory, 7)
	number, want := grown(t, s, l, 7)
	must(t, s.Freeze())
	before := files(at)
	s.merge(t.Context(), <-s.merges)
	if !maps.Equal(files(at), before) {
		t.Fatal("what lies on the disk has changed")
	}
	s.Thaw()
	must(t, l.Append(delta(t, directory, number, number+1, want, want)))
	select {
	case <-s.merges:
	default:
		t.Error("the merge that was put off isn't made up for")
	}
}

func TestAFreezeEndsAMergeUnderWay(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	mustLoad(t, s, directory, 7)
	grown(t, s, s.Lane(directory), 7)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	must(t, s.Freeze()) // at whatever point of it
	before := files(at)
	stop()
	must(t, <-done)
	if !maps.Equal(files(at), before) {
		t.Error("the merge goes on while the state stands still")
	}
}

func TestWhatTheNextProcessCannotReadStaysAsItIs(t *testing.T) {
	for name, change := range map[string]func(*memory){
		"a lane": func(at *memory) {
			body := at.body("directory.1.log")
			body[len(body)-1] ^= 1
			at.put("directory.1.log", body)
		},
		"the marks": func(at *memory) { at.put(marksFile, []byte("none")) },
		"no marks":  func(at *memory) { delete(at.names, marksFile) },
	} {
		t.Run(name, func(t *testing.T) {
			at := written(t)
			change(at)
			before := files(at)
			s, err := openFrozen(at, testKey, "env_test", slog.New(slog.DiscardHandler))
			if err == nil {
				_, err = loaded(s, directory)
			}
			if err == nil {
				t.Error("it was read")
			}
			if !maps.Equal(files(at), before) {
				t.Error("what lies on the disk has changed")
			}
		})
	}
}

func TestTheNextProcessNeedsTheKeyOfTheRunningOne(t *testing.T) {
	config := Config{Dir: filepath.Join(t.TempDir(), "state"), Environment: "env_test", Logger: slog.New(slog.DiscardHandler)}
	config.Key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	running, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	must(t, running.Freeze())
	for _, key := range []string{"", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "none"} {
		config.Key = key
		if _, err := OpenFrozen(config); err == nil {
			t.Errorf("it opens with %q", key)
		}
	}
	entries, err := os.ReadDir(config.Dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != marksFile {
		t.Errorf("in the folder lie %v, %v", entries, err)
	}
	must(t, running.Close())
}

// The next process may die on what it reads, in a new build say: that blames nothing on the revision.
func TestAProcessThatDiesWhileTheStateStandsStillBlamesNobody(t *testing.T) {
	at := written(t)
	for range 4 {
		must(t, crashed(t, at, 7).Freeze())
	}
	if crashed(t, at, 7).Blocked() != (Position{}) {
		t.Error("it is blocked")
	}
}

func TestADiskThatTakesNothingIsNotHandedOver(t *testing.T) {
	at := written(t)
	s := opened(t, at)
	mustLoad(t, s, directory, 7)
	at.fail = func() error { return errFull }
	if err := s.Freeze(); err == nil || s.Frozen() {
		t.Errorf("frozen %t, %v", s.Frozen(), err)
	}
	at.fail = func() error { return nil }
	history(t, s.Lane(directory), 7, 8)
}
