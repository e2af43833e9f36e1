package historytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

type step int

func (s step) String() string { return fmt.Sprint("step ", int(s)) }

var counting = Property[step]{
	Seeds: []uint64{99}, Histories: 3, Long: 5,
	Steps: func(random *rand.Rand) []step {
		history := make([]step, 40)
		for i := range history {
			history[i] = step(random.IntN(10))
		}
		return history
	},
	Holds: func(*testing.T, []step) error { return nil },
}

func TestASeedMakesTheSameHistoryEachTime(t *testing.T) {
	if a, b := counting.history(7), counting.history(7); !slices.Equal(a, b) || slices.Equal(a, counting.history(8)) {
		t.Errorf("%v and %v", a, b)
	}
}

func TestSeedsAreTheKnownOnesThenFromOneOrTheOneToReplay(t *testing.T) {
	for _, tt := range []struct {
		replay string
		long   bool
		want   []uint64
	}{
		{"", false, []uint64{99, 1, 2, 3}},
		{"", true, []uint64{99, 1, 2, 3, 4, 5}},
		{"42", true, []uint64{42}},
	} {
		if got, err := counting.seeds(tt.replay, tt.long); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %v, %v", tt.replay, got, err)
		}
	}
	if _, err := counting.seeds("x", false); err == nil {
		t.Error("x is taken for a seed")
	}
}

func TestEveryHistoryIsPlayed(t *testing.T) {
	p, played := counting, 0
	p.Holds = func(_ *testing.T, history []step) error {
		played++
		if len(history) != 40 {
			return errors.New("not whole")
		}
		return nil
	}
	Check(t, func(string) string { return "" }, p)
	if played != 4 {
		t.Errorf("%d", played)
	}
}

func TestWhatFailsIsShrunkToTheStepsThatDoIt(t *testing.T) {
	history := counting.history(3)
	history[5], history[30] = 77, 78
	got := shrink(history, time.Now().Add(time.Hour), func(h []step) bool {
		first, second := slices.Index(h, 77), slices.Index(h, 78)
		return first >= 0 && second > first
	})
	if !slices.Equal(got, []step{77, 78}) {
		t.Errorf("%v", got)
	}
	if got := list(got); got != "   1  step 77\n   2  step 78" {
		t.Errorf("%q", got)
	}
	if late := shrink(history, time.Time{}, func([]step) bool { return true }); len(late) != len(history) {
		t.Errorf("it went on beyond its time: %v", late)
	}
}
