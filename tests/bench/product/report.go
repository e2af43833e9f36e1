package product

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is the table that is shown in the end.
type report struct{ rows []row }

type row struct{ what, expected, measured string }

func (r *report) add(what, expected, measured string) {
	r.rows = append(r.rows, row{what, expected, measured})
	say(what + ": " + measured) // a run that fails later has shown what it has
}

func (r *report) table() string {
	var b strings.Builder
	b.WriteString("| what | expected | measured |\n|---|---|---|\n")
	for _, row := range r.rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.what, row.expected, row.measured)
	}
	return b.String()
}

// series are the times of one run.
type series []time.Duration

// percentile returns the time that p percent of the series don't exceed.
func (s series) percentile(p int) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// medianOf returns the median over the runs of a percentile of each.
func medianOf(all []series, percentile int) time.Duration {
	var each []time.Duration
	for _, run := range all {
		each = append(each, run.percentile(percentile))
	}
	return median(each)
}

func median[T int64 | float64 | time.Duration](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// spread tells a measurement by its median and its tail.
func spread(all []series) string {
	return fmt.Sprintf("p50 %s, p99 %s", short(medianOf(all, 50)), short(medianOf(all, 99)))
}

// short rounds a time to what can be told from noise.
func short(d time.Duration) string {
	switch {
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}
