package load

import (
	"math"
	"slices"
	"time"
)

// Latencies are the times of single requests.
type Latencies []time.Duration

// Percentile returns the time that p percent of them don't exceed: the smallest one of which that is true. Of none it is 0.
func (l Latencies) Percentile(p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
