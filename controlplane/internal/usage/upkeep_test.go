package usage_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/usage"
)

// shelf is usage.Partitions in memory, with a clock of the test's.
type shelf struct {
	clock usage.Clock
	names []string
	fail  error // of Drop
}

func (s *shelf) Exclusively(ctx context.Context, f func(context.Context) error) (bool, error) {
	return true, f(ctx)
}
func (s *shelf) Clock(context.Context) (usage.Clock, error) { return s.clock, nil }
func (s *shelf) SetClock(_ context.Context, c usage.Clock) error {
	s.clock.PassedAt, s.clock.HeldUntil = c.PassedAt, c.HeldUntil
	return nil
}
func (s *shelf) List(context.Context) ([]string, error) { return s.names, nil }
func (s *shelf) Create(_ context.Context, wanted []usage.Partition) error {
	for _, p := range wanted {
		if !slices.Contains(s.names, p.Name) {
			s.names = append(s.names, p.Name)
		}
	}
	return nil
}

func (s *shelf) Drop(_ context.Context, name string) error {
	if s.fail != nil {
		return s.fail
	}
	s.names = slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return n == name })
	return nil
}
func (s *shelf) ForgetNames(context.Context, time.Time) error { return nil }

func (s *shelf) missing(now time.Time) []string {
	var missing []string
	for _, p := range usage.Wanted(now) {
		if !slices.Contains(s.names, p.Name) {
			missing = append(missing, p.Name)
		}
	}
	return missing
}

// pass sees to the partitions when the database's clock says now.
func (s *shelf) pass(t *testing.T, now time.Time) {
	t.Helper()
	s.clock.Now = now
	if err := usage.NewUpkeep(s, slog.New(slog.DiscardHandler), new(usage.UpkeepStats)).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if missing := s.missing(now); len(missing) > 0 {
		t.Fatalf("at %v there are no %v", now, missing)
	}
}

func TestPartitionsAreThereAheadAndNoneOfTheKeptIsEverDropped(t *testing.T) {
	s := &shelf{}
	now := noon
	for range 500 * 4 { // 500 days in steps of six hours
		s.pass(t, now)
		for _, name := range usage.Expired(s.names, now) {
			t.Fatalf("at %v %s is still there", now, name)
		}
		now = now.Add(6 * time.Hour)
	}
	if len(s.names) > 60 {
		t.Errorf("%d partitions", len(s.names))
	}
}

func TestPartitionIsKeptUntilAllOfItIsOld(t *testing.T) {
	for name, end := range map[string]time.Time{
		"usage_minutes_2026071506":     time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC).Add(usage.KeepMinuteRows),
		"usage_hours_2026070100":       time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC).Add(usage.KeepHourRows),
		"usage_credentials_2026020100": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(usage.KeepCredentials),
		"usage_events_2026071500":      time.Date(2026, 7, 16, 0, 0, 0, 0, time.UTC).Add(usage.KeepRequests),
	} {
		if got := usage.Expired([]string{name}, end.Add(-time.Second)); len(got) != 0 {
			t.Errorf("%s is dropped too early", name)
		}
		if got := usage.Expired([]string{name}, end); len(got) != 1 {
			t.Errorf("%s is kept too long", name)
		}
	}
	for _, foreign := range []string{"usage_minutes", "usage_minutes_soon", "usage_minutes_20260715061", "consumers", "usage_minutes_2026079906"} {
		if got := usage.Expired([]string{foreign}, noon.Add(10_000*time.Hour)); len(got) != 0 {
			t.Errorf("%s is dropped", foreign)
		}
	}
}

func TestClockThatJumpedDropsNothingForADay(t *testing.T) {
	s := &shelf{}
	s.pass(t, noon)
	before := slices.Clone(s.names)
	all := func() bool {
		return !slices.ContainsFunc(before, func(n string) bool { return !slices.Contains(s.names, n) })
	}
	year := noon.AddDate(2, 0, 0)
	for h := range 24 { // the clock goes on from there, and nobody sets it right
		s.pass(t, year.Add(time.Duration(h)*time.Hour))
		if !all() {
			t.Fatalf("something was dropped %d hours after the jump", h)
		}
	}
	s.pass(t, noon.Add(24*time.Hour)) // it is set right: a step back
	s.pass(t, noon.Add(25*time.Hour))
	if !all() {
		t.Fatal("something was dropped after the clock was set right")
	}
	s.pass(t, noon.Add(47*time.Hour))
	if expired := usage.Expired(before, noon.Add(55*time.Hour)); len(expired) == 0 {
		t.Fatal("the test expects something to expire")
	}
	s.pass(t, noon.Add(55*time.Hour)) // as after an ordinary day
	if all() {
		t.Error("what expires is never dropped again")
	}
}

func TestOutageOfMoreThanADayCostsADayOfDisk(t *testing.T) {
	s := &shelf{}
	s.pass(t, noon)
	back := noon.Add(10 * 24 * time.Hour)
	s.pass(t, back)
	if len(usage.Expired(s.names, back)) == 0 {
		t.Fatal("it was dropped at once")
	}
	s.pass(t, back.Add(12*time.Hour))
	s.pass(t, back.Add(24*time.Hour))
	if expired := usage.Expired(s.names, back.Add(24*time.Hour)); len(expired) != 0 {
		t.Errorf("%v is still there", expired)
	}
}

func TestPassThatFailedIsTriedAgain(t *testing.T) {
	s := &shelf{fail: errors.New("somebody holds it")}
	s.pass(t, noon)
	s.clock.Now = noon.Add(20 * time.Hour)
	s.clock.PassedAt = s.clock.Now
	later := s.clock.Now.Add(36 * time.Hour)
	s.clock.PassedAt, s.clock.Now = later.Add(-time.Minute), later
	stats := new(usage.UpkeepStats)
	upkeep := usage.NewUpkeep(s, slog.New(slog.DiscardHandler), stats)
	if err := upkeep.Pass(t.Context()); !errors.Is(err, s.fail) {
		t.Fatalf("%v", err)
	}
	s.fail = nil
	if err := upkeep.Pass(t.Context()); err != nil || stats.Dropped.Load() == 0 || len(usage.Expired(s.names, later)) != 0 {
		t.Errorf("%d dropped: %v", stats.Dropped.Load(), err)
	}
}

// absent is a database that doesn't answer the first times.
type absent struct {
	*shelf
	left int
}

func (a *absent) Exclusively(ctx context.Context, f func(context.Context) error) (bool, error) {
	if a.left > 0 {
		a.left--
		return false, errors.New("gone")
	}
	return a.shelf.Exclusively(ctx, f)
}

func TestUpkeepGoesOnAfterTheDatabaseWasAwayAndEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &absent{shelf: &shelf{clock: usage.Clock{Now: noon}}, left: 3}
		stats := new(usage.UpkeepStats)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- usage.NewUpkeep(store, slog.New(slog.DiscardHandler), stats).Run(ctx) }()
		time.Sleep(3*time.Minute + time.Second)
		synctest.Wait()
		if missing := store.missing(noon); stats.Failed.Load() != 3 || len(missing) != 0 {
			t.Errorf("%d passes failed; there are no %v", stats.Failed.Load(), missing)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
