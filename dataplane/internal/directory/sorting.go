package directory

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/digest"
)

// place is where an arrival is, and the part of its key that most comparisons end in.
type place struct {
	prefix  uint64
	arrival uint32
}

// finishBuckets makes the buckets out of what has arrived, on all processors.
func (b *builder) finishBuckets() error {
	var (
		sums    [digest.Buckets]digest.Sum
		next    atomic.Int32
		workers sync.WaitGroup
	)
	failures := make([]error, runtime.GOMAXPROCS(0))
	for worker := range failures {
		workers.Go(func() {
			var order []place
			for at := int(next.Add(1)) - 1; at < digest.Buckets && failures[worker] == nil; at = int(next.Add(1)) - 1 {
				order, sums[at], failures[worker] = b.finishBucket(at, order[:0])
			}
		})
	}
	workers.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	for at := range sums {
		b.state.tree.Set(uint16(at), sums[at])
	}
	return nil
}

// finishBucket makes one bucket and returns its sum. It lends the memory of order, and returns it.
func (b *builder) finishBucket(at int, order []place) ([]place, digest.Sum, error) {
	for _, arrival := range b.buckets[at] {
		key := &b.arrivals.at(arrival).record.key
		order = append(order, place{prefix: binary.BigEndian.Uint64(key[1:]), arrival: arrival}) // all have the same first byte
	}
	slices.SortFunc(order, func(x, y place) int {
		if x.prefix != y.prefix {
			return cmp.Compare(x.prefix, y.prefix)
		}
		return b.arrivals.at(x.arrival).record.key.Compare(b.arrivals.at(y.arrival).record.key)
	})
	records := make([]record, len(order))
	hashes := make([]digest.Hash, len(order))
	for i := range order {
		from := b.arrivals.at(order[i].arrival)
		if records[i], hashes[i] = from.record, from.hash; i > 0 && records[i].key == records[i-1].key {
			return order, digest.Sum{}, fmt.Errorf("%w: entry %s twice", ErrMalformed, records[i].key)
		}
	}
	b.state.buckets[at].Store(newBucket(records, hashes))
	return order, digest.BucketSum(hashes), nil
}
