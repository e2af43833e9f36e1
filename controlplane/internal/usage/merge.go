package usage

import (
	"bytes"
	"cmp"
	"slices"

	usagev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/usage/v1"
)

// Key is what counters share that add up.
type Key struct {
	Environment string
	Minute      int64    // since 1970
	Route       [16]byte // zero: none matched
	Consumer    [16]byte // zero: none known
	StatusClass int16
	Verdict     string
}

// Sums is what was counted under a key.
type Sums struct {
	Requests, RequestBytes, ResponseBytes, DurationUs int64
}

// Rollup is a key and its sums.
type Rollup struct {
	Key
	Sums
}

// Merge adds up the counters of batches. The order of the result is fixed, so that two transactions
// that add to the same rows lock them in the same order.
func Merge(batches []*usagev1.Batch) []Rollup {
	sums := make(map[Key]Sums)
	for _, batch := range batches {
		for _, c := range batch.GetCounters() {
			key := keyOf(batch.GetEnvironment(), c)
			s := sums[key]
			s.Requests = add(s.Requests, c.GetRequests())
			s.RequestBytes = add(s.RequestBytes, c.GetRequestBytes())
			s.ResponseBytes = add(s.ResponseBytes, c.GetResponseBytes())
			s.DurationUs = add(s.DurationUs, c.GetDurationUs())
			sums[key] = s
		}
	}
	rollups := make([]Rollup, 0, len(sums))
	for key, s := range sums {
		rollups = append(rollups, Rollup{Key: key, Sums: s})
	}
	slices.SortFunc(rollups, func(a, b Rollup) int { return a.compare(b.Key) })
	return rollups
}

// mostSum is where a sum stops: two of them still add up in 64 bits. Only a node that lies gets there, and it
// must not break the counting of others.
const mostSum = 1 << 61

// add adds what one counter says, at most maxSum, to a sum.
func add(sum int64, counted uint64) int64 { return min(sum+int64(counted), mostSum) }

func keyOf(environment string, c *usagev1.Counter) Key {
	key := Key{
		Environment: environment,
		Minute:      c.GetMinute(),
		StatusClass: int16(c.GetStatusClass()),
		Verdict:     c.GetVerdict(),
	}
	copy(key.Route[:], c.GetRoute())
	copy(key.Consumer[:], c.GetConsumer())
	return key
}

func (k Key) compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Environment, o.Environment),
		cmp.Compare(k.Minute, o.Minute),
		bytes.Compare(k.Route[:], o.Route[:]),
		bytes.Compare(k.Consumer[:], o.Consumer[:]),
		cmp.Compare(k.StatusClass, o.StatusClass),
		cmp.Compare(k.Verdict, o.Verdict),
	)
}
