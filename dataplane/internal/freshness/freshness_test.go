package freshness

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// signed is n seconds on the control plane's clock, which agrees with nobody's.
func signed(n int) time.Time { return time.Date(2031, 1, 1, 0, 0, n, 0, time.UTC) }

func TestAgeIsCountedFromTheLastWordThatIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(time.Now())
		if f.Age(time.Now()) != Never {
			t.Error("a node that nobody vouched for has an age")
		}
		f.Begin()
		f.Heard(signed(10), time.Now())
		time.Sleep(5 * time.Second)
		f.Heard(signed(10), time.Now()) // by a replica that has lost its database
		if got := f.Age(time.Now()); got != 5*time.Second {
			t.Errorf("5 s after the last newer word the age is %s", got)
		}
		f.Heard(signed(11), time.Now())
		if got := f.Age(time.Now()); got != 0 {
			t.Errorf("at a newer word the age is %s", got)
		}
	})
}

func TestAnotherStreamsFirstWordMustBeNewerThanAllBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(time.Now())
		f.Begin()
		f.Heard(signed(10), time.Now())
		time.Sleep(time.Minute)
		for range 3 { // from one replica without a database to the next
			f.Begin()
			f.Heard(signed(9), time.Now())
			f.Begin()
			f.Heard(signed(8), time.Now())
		}
		if got := f.Age(time.Now()); got != time.Minute {
			t.Errorf("old words made the age %s, want 1m", got)
		}
		f.Begin()
		f.Heard(signed(11), time.Now())
		if got := f.Age(time.Now()); got != 0 {
			t.Errorf("a newer word made the age %s", got)
		}
	})
}

func TestAControlPlaneWhoseClockWasSetBackIsBelievedFromItsSecondWordOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(time.Now())
		f.Begin()
		f.Heard(signed(3600), time.Now())
		time.Sleep(3 * time.Second)
		f.Heard(signed(1), time.Now())
		if got := f.Age(time.Now()); got != 3*time.Second {
			t.Errorf("the first older word made the age %s", got)
		}
		f.Heard(signed(4), time.Now())
		if got := f.Age(time.Now()); got != 0 {
			t.Errorf("the second one made the age %s", got)
		}
	})
}

func TestARestartCountsOnByTheWallClock(t *testing.T) {
	start := time.Now()
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	record := Record{Signed: signed(100), Heard: noon, Seen: noon.Add(time.Hour)}
	for _, tt := range []struct {
		name string
		r    Record
		now  time.Time
		want time.Duration
	}{
		{"later", record, noon.Add(2 * time.Hour), 2 * time.Hour},
		{"at once", record, noon.Add(time.Hour), time.Hour},
		{"a clock set back", record, noon.Add(time.Second), Never},
		{"a clock set back before all of it", record, noon.Add(-time.Hour), Never},
		{"no record", Record{}, noon, Never},
		{"a record of another time", Record{Heard: noon, Seen: noon.Add(-time.Hour)}, noon.Add(time.Hour), Never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := New(tt.now)
			f.Restore(tt.r, time.Time{}, tt.now)
			if got := f.Age(tt.now); got != tt.want {
				t.Errorf("the age is %s, want %s", got, tt.want)
			}
			f.Begin()
			f.Heard(tt.r.Signed, tt.now)
			if got := f.Age(tt.now); got != tt.want {
				t.Errorf("a word from before the restart made the age %s, want %s", got, tt.want)
			}
			f.Heard(signed(101), tt.now)
			if got := f.Age(tt.now); got != 0 {
				t.Errorf("a newer word made the age %s", got)
			}
		})
	}
	f := New(start)
	f.Restore(Record{}, signed(50), start)
	f.Begin()
	if f.Heard(signed(50), start); f.Age(start) != Never {
		t.Error("the word under which the kept state was signed counts as a newer one")
	}
}

func TestARestoredRecordMakesNothingLessFresh(t *testing.T) {
	now := time.Now()
	f := New(now)
	f.Restore(Record{Signed: signed(2), Heard: now.Add(-time.Second), Seen: now}, time.Time{}, now)
	f.Restore(Record{Signed: signed(1), Heard: now.Add(-time.Hour), Seen: now.Add(-time.Hour)}, time.Time{}, now) // an older file
	if got := f.Age(now).Round(time.Millisecond); got != time.Second {
		t.Errorf("the age is %s, want 1s", got)
	}
	f.Begin()
	if f.Heard(signed(2), now); f.Age(now) == 0 {
		t.Error("a word from before the restart counts as newer than the file's")
	}
}

// disk keeps records, or refuses them.
type disk struct {
	kept []Record
	fail error
}

func (d *disk) KeepFreshness(r Record) error {
	if d.fail == nil {
		d.kept = append(d.kept, r)
	}
	return d.fail
}

func TestRecordsAreKeptWhileThereIsALimitAndNeverSayMoreThanIsTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, store := New(time.Now()), new(disk)
		ctx, stop := context.WithCancel(t.Context())
		var limit atomic.Int64
		done := make(chan error, 1)
		go func() {
			done <- f.Keep(ctx, store, func() time.Duration { return time.Duration(limit.Load()) }, slog.New(slog.DiscardHandler))
		}()
		f.Begin()
		f.Heard(signed(1), time.Now())
		heard := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(store.kept) != 0 {
			t.Fatal("records were kept though nothing is limited")
		}
		limit.Store(int64(10 * time.Second))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(store.kept); n < 25 || n > 31 {
			t.Errorf("%d records in a minute", n)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		last := store.kept[len(store.kept)-1]
		if !last.Heard.Equal(heard) || !last.Seen.Equal(time.Now()) || !last.Signed.Equal(signed(1)) {
			t.Errorf("the last record is %+v, want heard %v and seen %v", last, heard, time.Now())
		}
	})
}

func TestADiskThatTakesNoRecordLeavesTheNodeToItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(time.Now())
		f.Begin()
		f.Heard(signed(1), time.Now())
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := f.Keep(ctx, &disk{fail: errors.New("full")}, func() time.Duration { return time.Hour }, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	})
}
