package scenarios

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/tests/bench/report"
)

// sample is what one contestant showed in one round.
type sample struct {
	processor      float64 // µs per unit
	clients        float64 // of clients and service together, µs per unit
	rate, busy     float64
	openRate       float64
	p50, p99       time.Duration
	memory, growth int64
	failed         int
	failure        error
}

// median of what was measured: zeros weren't. Of an even number it is the lower one.
func median[T int64 | float64 | time.Duration](values []T) T {
	measured := slices.DeleteFunc(slices.Sorted(slices.Values(values)), func(v T) bool { return v == 0 })
	if len(measured) == 0 {
		return 0
	}
	return measured[(len(measured)-1)/2]
}

// each takes one figure of every sample.
func each[T int64 | float64 | time.Duration](samples []sample, figure func(sample) T) []T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = figure(s)
	}
	return values
}

// paired are the ratios of a figure to the base's in the same round: what troubles the machine for a while troubles both.
func paired(samples, base []sample, figure func(sample) float64) []float64 {
	var ratios []float64
	for i := range min(len(samples), len(base)) {
		if of, to := figure(samples[i]), figure(base[i]); of != 0 && to != 0 {
			ratios = append(ratios, of/to)
		}
	}
	return ratios
}

func processorOf(s sample) float64 { return s.processor }

func tailOf(s sample) float64 { return float64(s.p99) }

// row makes a contestant's row of all of its rounds. base are the base's.
func row(name string, samples, base []sample) report.Row {
	r := report.Row{
		Name:      name,
		Processor: median(each(samples, processorOf)), Ratio: median(paired(samples, base, processorOf)),
		Rate: median(each(samples, func(s sample) float64 { return s.rate })), Busy: median(each(samples, func(s sample) float64 { return s.busy })),
		OpenRate: median(each(samples, func(s sample) float64 { return s.openRate })),
		P50:      median(each(samples, func(s sample) time.Duration { return s.p50 })), P99: median(each(samples, func(s sample) time.Duration { return s.p99 })),
		TailRatio: median(paired(samples, base, tailOf)),
		Memory:    median(each(samples, func(s sample) int64 { return s.memory })), Growth: median(each(samples, func(s sample) int64 { return s.growth })),
	}
	for _, s := range samples {
		r.Failed += s.failed
	}
	return r
}

// failure is the first one of all rounds.
func failure(samples []sample) error {
	for _, s := range samples {
		if s.failure != nil {
			return s.failure
		}
	}
	return nil
}
