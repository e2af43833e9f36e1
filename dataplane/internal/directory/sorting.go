package directory

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/proto/digest"
	"github.com/sallyport/sallyport/proto/id"
)

// place is where an arrival is, and the part of its key that most comparisons end in.
type place struct {
	prefix  uint64
	arrival uint32
}

// making lends memory from one bucket to the next.
type making struct {
	order []place
	lines lines
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
			var m making
			for at := int(next.Add(1)) - 1; at < digest.Buckets && failures[worker] == nil; at = int(next.Add(1)) - 1 {
				sums[at], failures[worker] = b.finishBucket(at, &m)
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

// finishBucket makes one bucket and returns its sum.
func (b *builder) finishBucket(at int, m *making) (digest.Sum, error) {
	m.order, m.lines.all = m.order[:0], m.lines.all[:0]
	for _, arrival := range b.buckets[at] {
		key := &b.arrivals.at(arrival).record.key
		m.order = append(m.order, place{prefix: binary.BigEndian.Uint64(key[1:]), arrival: arrival}) // all have the same first byte
	}
	slices.SortFunc(m.order, func(x, y place) int {
		if x.prefix != y.prefix {
			return cmp.Compare(x.prefix, y.prefix)
		}
		return b.arrivals.at(x.arrival).record.key.Compare(b.arrivals.at(y.arrival).record.key)
	})
	var before *record
	for i := range m.order {
		from := b.arrivals.at(m.order[i].arrival)
		r := &from.record
		if before != nil && before.key == r.key {
			return digest.Sum{}, fmt.Errorf("%w: entry %s twice", ErrMalformed, r.key)
		}
		before = r
		number := r.detail
		if r.kind == kindKey {
			var err error
			if number, err = b.holder(r.consumer); err != nil {
				return digest.Sum{}, err
			}
		}
		m.lines.all = append(m.lines.all, line{})
		m.lines.all[i].set(r, from.hash, number)
	}
	b.state.buckets[at].Store(m.lines.bucket())
	return m.lines.sum(), nil
}

// holder returns the number of whom an API key names, given now if the snapshot doesn't hold them.
func (b *builder) holder(who id.ID) (uint32, error) {
	if number, known := b.guests.number(who); known {
		return number, nil
	}
	b.strangersMu.Lock()
	defer b.strangersMu.Unlock()
	if number, known := b.strangers[who]; known {
		return number, nil
	}
	number, err := b.people.add(&Consumer{ID: who, about: absent})
	b.strangers[who] = number
	return number, err
}

// guests are the numbers of a snapshot's consumers. They are asked for a million times while buckets are made, and lie so that this
// waits for memory once, not as often as people's own tables do, which are smaller.
type guests struct {
	seats []seat // each at its place or the next free one behind; half of them are free
	shift int
}

type seat struct {
	id     id.ID
	number uint32 // plus one; 0: free
}

// guests seats all who are there by now.
func (c *census) guests() guests {
	g := guests{shift: bitsOfWord - bits.Len32(2*c.count+1)}
	g.seats = make([]seat, 1<<(bitsOfWord-g.shift))
	for n := range c.count {
		who := c.chunks[n/slots].slots[n%slots].ID
		g.seats[g.seat(who)] = seat{id: who, number: numberOf(n) + 1}
	}
	return g
}

// seat returns where somebody sits, or would.
func (g *guests) seat(who id.ID) uint64 {
	at := mixed(who) >> g.shift
	for g.seats[at].number != 0 && g.seats[at].id != who {
		at = (at + 1) & uint64(len(g.seats)-1)
	}
	return at
}

func (g *guests) number(who id.ID) (uint32, bool) {
	found := g.seats[g.seat(who)].number
	return found - 1, found != 0
}
