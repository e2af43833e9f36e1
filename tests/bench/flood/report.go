package flood

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/tests/bench/load"
)

// report is the table of what was measured.
func (m *measurement) report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds of %s calm and %s flooded, in turns; %d flooders of %d clients, %d processors. Medians of the rounds; the ratio is the median of the rounds' own, beside it that of all requests together.\n\n",
		m.cfg.Rounds, m.cfg.Each, m.cfg.Each, flooders, ordinary+flooders, processors())
	b.WriteString("| of the others | calm p50 | flooded p50 | calm p99 | flooded p99 | p99 flooded/calm (≤ 1.5) | refused or failed |\n|---|---|---|---|---|---|---|\n")
	for kind, name := range []string{"without a waf", "with a waf"} {
		calm, flooded := m.came[0][kind], m.came[1][kind]
		fmt.Fprintf(&b, "| %s, %.0f a second | %s | %s | %s | %s | %.2f (%.2f) | %d calm, %d flooded |\n", name, rates[kind],
			short(middle(calm, 50)), short(middle(flooded, 50)), short(middle(calm, 99)), short(middle(flooded, 99)),
			ratio(calm, flooded), float64(together(flooded).Percentile(99))/float64(together(calm).Percentile(99)), failures(calm), failures(flooded))
	}
	fmt.Fprintf(&b, "\nFlooders sent %d requests:", m.flood.sent)
	for _, status := range slices.Sorted(maps.Keys(m.flood.status)) {
		fmt.Fprintf(&b, " %d were answered %d,", m.flood.status[status], status)
	}
	fmt.Fprintf(&b, " %d ended with the round. Inspections took %.2f of a processor while flooded.\n", m.flood.lost, m.spent.Seconds()/m.lasted.Seconds())
	for _, o := range slices.Concat(m.came[0][0], m.came[0][1], m.came[1][0], m.came[1][1]) {
		if o.failure != nil {
			fmt.Fprintf(&b, "\nThe first failure: %v\n", o.failure)
			break
		}
	}
	return b.String()
}

// middle is the median over the rounds of a percentile of each.
func middle(rounds []outcome, percentile float64) time.Duration {
	var each []time.Duration
	for _, o := range rounds {
		each = append(each, o.latencies.Percentile(percentile))
	}
	slices.Sort(each)
	return each[len(each)/2]
}

// ratio is the median over the rounds of how many times as long the slowest hundredth took.
func ratio(calm, flooded []outcome) float64 {
	var each []float64
	for n := range calm {
		each = append(each, float64(flooded[n].latencies.Percentile(99))/float64(calm[n].latencies.Percentile(99)))
	}
	slices.Sort(each)
	return each[len(each)/2]
}

func together(rounds []outcome) (all load.Latencies) {
	for _, o := range rounds {
		all = append(all, o.latencies...)
	}
	return all
}

func failures(rounds []outcome) (sum int) {
	for _, o := range rounds {
		sum += o.failed
	}
	return sum
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
