package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/freshness"
)

// KeepFreshness keeps how fresh the node is, and returns once that lasts. While the state stands still nothing is kept: the process that takes
// over counts on from what was.
func (s *Store) KeepFreshness(r freshness.Record) error {
	err := s.marks.change(func(f *facts) {
		f.Signed, f.Heard, f.Seen = milliseconds(r.Signed), milliseconds(r.Heard), milliseconds(r.Seen)
	})
	if err != nil && !errors.Is(err, ErrFrozen) {
		return fmt.Errorf("state: %w", err)
	}
	return nil
}

// Freshness returns what was kept last; zero: nothing.
func (s *Store) Freshness() freshness.Record {
	f := s.marks.get()
	return freshness.Record{Signed: instant(f.Signed), Heard: instant(f.Heard), Seen: instant(f.Seen)}
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds)
}
