package directory

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// PrepareSnapshot makes a change that replaces all there is by the entries given, in any order,
// each once. It keeps none of them, and ends at the sequence's first error. A snapshot takes out
// nothing, so an entry without content is refused. Errors are those of Prepare, or the sequence's.
//
// Entries are read out of the sequence while those before them are decoded: reading costs about as much.
func (d *Directory) PrepareSnapshot(entries iter.Seq2[*edgev1.EntryChange, error]) (*Change, error) {
	before := d.state.Load().head.Load()
	b := newBuilder()
	if err := b.addAll(entries); err != nil {
		return nil, err
	}
	if err := b.finish(); err != nil {
		return nil, fmt.Errorf("directory: snapshot: %w", err)
	}
	return &Change{target: b.state, before: before, after: b.head}, nil
}

// builder makes a state from nothing. Nobody reads it before it is finished.
type builder struct {
	state    *state
	head     head
	arrivals arrivals
	buckets  [digest.Buckets][]uint32 // where a bucket's records are among the arrivals
	people   census
	secrets  [tableBuckets][]row[[]byte]

	passwords [tableBuckets][]row[*Password]
	blocking  *blocking
	fact      fact // that was added last

	guests      guests
	strangersMu sync.Mutex
	strangers   map[id.ID]uint32 // whom keys name, and no consumer is
}

// hashed is a record not yet in its place.
type hashed struct {
	record record
	hash   digest.Hash
}

// arrivals are records as they came. They are never moved to make place for more, so that they are in memory twice only while
// buckets are made of them.
type arrivals struct {
	parts [][]hashed
	count uint32
}

const arrivalsInPart = 1 << 12

func (a *arrivals) add(h hashed) uint32 {
	if a.count%arrivalsInPart == 0 {
		a.parts = append(a.parts, make([]hashed, 0, arrivalsInPart))
	}
	last := &a.parts[len(a.parts)-1]
	*last = append(*last, h)
	a.count++
	return a.count - 1
}

func (a *arrivals) at(place uint32) *hashed {
	return &a.parts[place/arrivalsInPart][place%arrivalsInPart]
}

func newBuilder() *builder {
	return &builder{state: newState(), blocking: newBlocking(nil), strangers: map[id.ID]uint32{}}
}

func (b *builder) add(key, stored []byte) error {
	f := &b.fact
	if err := f.decode(key, stored); err != nil {
		return err
	}
	if f.gone {
		return fmt.Errorf("%w: entry %s without content", ErrMalformed, f.key)
	}
	r, err := b.state.record(f)
	if err != nil {
		return err
	}
	at := f.key.Bucket()
	if len(b.buckets[at]) == maxRecords {
		return fmt.Errorf("%w: more than %d in one bucket", ErrTooMany, maxRecords)
	}
	if f.kind == kindConsumer {
		if r.detail, err = b.people.add(&f.consumer); err != nil {
			return err
		}
	}
	b.buckets[at] = append(b.buckets[at], b.arrivals.add(hashed{record: r, hash: f.hash}))
	b.head.counts.add(f.kind, 1)
	switch f.kind {
	case kindSecret:
		at := tableBucket(f.id)
		b.secrets[at] = append(b.secrets[at], row[[]byte]{id: f.id, value: f.secret})
	case kindPassword:
		at := tableBucket(f.id)
		b.passwords[at] = append(b.passwords[at], row[*Password]{id: f.id, value: f.password})
	case kindPepper:
		b.state.peppers.Store(b.state.peppers.Load().with(f.version, f.pepper))
	case kindBlock:
		b.blocking.add(f.target, term{block: f.id, until: f.until, issued: f.issued})
	case kindFleet:
		b.state.fleet.Store(f.fleet)
	case kindTicketKeys:
		b.state.tickets.Store(f.tickets)
	case kindIdentityKeys:
		b.state.identity.Store(f.identity)
	case kindKeySet:
		b.state.keySets.Store(b.state.keySets.Load().with(f.keySet))
	case kindKey, kindConsumer:
	}
	return nil
}

// finish puts everything in order and computes the digest.
func (b *builder) finish() error {
	b.guests = b.people.guests()
	if err := b.finishBuckets(); err != nil {
		return err
	}
	b.people.publish(&b.state.people)
	fill(&b.state.secrets, &b.secrets)
	fill(&b.state.passwords, &b.passwords)
	b.blocking.finish()
	b.blocking.grow(b.state)
	b.blocking.shrink(b.state)
	b.state.attributes.publish()
	b.head.digest = b.state.tree.Head()
	return nil
}

// fill puts rows, which hold no id twice since their entries' keys would have been the same, into
// a table.
func fill[V any](t *table[V], buckets *[tableBuckets][]row[V]) {
	for at, sorted := range buckets {
		slices.SortFunc(sorted, func(x, y row[V]) int { return cmp.Compare(string(x.id[:]), string(y.id[:])) })
		t.set(uint16(at), slices.Clone(sorted))
	}
}
