package scenarios

import (
	"errors"
	"testing"
	"time"
)

func TestAMedianIsOfWhatWasMeasured(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{0, 0}, 0},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2},
		{[]float64{0, 9, 0, 7, 8}, 8},
	} {
		if got := median(test.values); got != test.want {
			t.Errorf("the median of %v is %v, want %v", test.values, got, test.want)
		}
	}
}

func TestRatiosComparePairsOfTheSameRound(t *testing.T) {
	// A machine that slows down: the medians' own ratio would be 1.5.
	ours := []sample{{processor: 10}, {processor: 20}, {processor: 60}}
	base := []sample{{processor: 10}, {processor: 20}, {processor: 40}}
	got := row("ours", ours, base)
	if got.Ratio != 1 || got.Processor != 20 {
		t.Errorf("%+v", got)
	}
	if got := row("ours", ours, []sample{{}, {processor: 40}}); got.Ratio != 0.5 {
		t.Errorf("with a round that the base lacks the ratio is %v", got.Ratio)
	}
	if got := row("ours", ours, nil); got.Ratio != 0 || got.TailRatio != 0 {
		t.Errorf("without a base: %+v", got)
	}
}

func TestARowAddsUpFailuresAndTakesTheFirst(t *testing.T) {
	first := errors.New("first")
	samples := []sample{{failed: 1, p99: time.Millisecond}, {failed: 2, failure: first}, {failure: errors.New("second")}}
	if got := row("x", samples, samples); got.Failed != 3 || got.P99 != time.Millisecond || got.TailRatio != 1 {
		t.Errorf("%+v", got)
	}
	if got := failure(samples); !errors.Is(got, first) {
		t.Errorf("the failure is %v", got)
	}
}
