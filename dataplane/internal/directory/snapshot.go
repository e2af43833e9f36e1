package directory

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// PrepareSnapshot makes a change that replaces all there is by the entries given, in any order,
// each once. It keeps none of them, and ends at the sequence's first error. A snapshot takes out
// nothing, so an entry without content is refused. Errors are those of Prepare, or the sequence's.
func (d *Directory) PrepareSnapshot(entries iter.Seq2[*edgev1.EntryChange, error]) (*Change, error) {
	before := d.state.Load().head.Load()
	b := newBuilder()
	n := 0
	for entry, err := range entries {
		if err != nil {
			return nil, fmt.Errorf("directory: read snapshot: %w", err)
		}
		if err := b.add(entry); err != nil {
			return nil, fmt.Errorf("directory: snapshot entry %d: %w", n, err)
		}
		n++
	}
	if err := b.finish(); err != nil {
		return nil, fmt.Errorf("directory: snapshot: %w", err)
	}
	return &Change{target: b.state, before: before, after: b.head}, nil
}

// builder makes a state from nothing. Nobody reads it before it is finished.
type builder struct {
	state     *state
	head      head
	buckets   [digest.Buckets][]hashed
	consumers [tableBuckets][]row[*Consumer]
	secrets   [tableBuckets][]row[[]byte]
	blocking  *blocking
}

// hashed is a record not yet in its place.
type hashed struct {
	record record
	hash   digest.Hash
}

func newBuilder() *builder { return &builder{state: newState(), blocking: newBlocking(nil)} }

func (b *builder) add(entry *edgev1.EntryChange) error {
	f, err := decode(entry)
	if err != nil {
		return err
	}
	if f.gone {
		return fmt.Errorf("%w: entry %s without content", ErrMalformed, f.key)
	}
	r, err := b.state.record(&f)
	if err != nil {
		return err
	}
	at := f.key.Bucket()
	b.buckets[at] = append(b.buckets[at], hashed{record: r, hash: f.hash})
	b.head.counts.add(f.kind, 1)
	switch f.kind {
	case kindConsumer:
		at := tableBucket(f.id)
		b.consumers[at] = append(b.consumers[at], row[*Consumer]{id: f.id, value: f.consumer})
	case kindSecret:
		at := tableBucket(f.id)
		b.secrets[at] = append(b.secrets[at], row[[]byte]{id: f.id, value: f.secret})
	case kindPepper:
		b.state.peppers.Store(b.state.peppers.Load().with(f.version, f.pepper))
	case kindBlock:
		b.blocking.add(f.target, term{block: f.id, until: f.until})
	case kindFleet:
		b.state.fleet.Store(f.fleet)
	case kindKey:
	}
	return nil
}

// finish puts everything in order and computes the digest.
func (b *builder) finish() error {
	for at := range b.buckets {
		if err := b.finishBucket(at); err != nil {
			return err
		}
		b.buckets[at] = nil // each bucket is held twice only while it is made
	}
	fill(&b.state.consumers, &b.consumers)
	fill(&b.state.secrets, &b.secrets)
	b.blocking.finish()
	b.blocking.grow(b.state)
	b.blocking.shrink(b.state)
	b.state.scopes.publish()
	b.state.addresses.publish()
	b.head.digest = b.state.tree.Head()
	return nil
}

func (b *builder) finishBucket(at int) error {
	unsorted := b.buckets[at]
	if len(unsorted) > maxRecords {
		return fmt.Errorf("%w: %d in one bucket, at most %d", ErrTooMany, len(unsorted), maxRecords)
	}
	slices.SortFunc(unsorted, func(x, y hashed) int { return x.record.key.Compare(y.record.key) })
	records := make([]record, len(unsorted))
	hashes := make([]digest.Hash, len(unsorted))
	for i := range unsorted {
		if i > 0 && unsorted[i].record.key == unsorted[i-1].record.key {
			return fmt.Errorf("%w: entry %s twice", ErrMalformed, unsorted[i].record.key)
		}
		records[i], hashes[i] = unsorted[i].record, unsorted[i].hash
	}
	b.state.buckets[at].Store(newBucket(records, hashes))
	b.state.tree.Set(uint16(at), digest.BucketSum(hashes))
	return nil
}

// fill puts rows, which hold no id twice since their entries' keys would have been the same, into
// a table.
func fill[V any](t *table[V], buckets *[tableBuckets][]row[V]) {
	for at, sorted := range buckets {
		slices.SortFunc(sorted, func(x, y row[V]) int { return cmp.Compare(string(x.id[:]), string(y.id[:])) })
		t.set(uint16(at), slices.Clip(sorted))
	}
}
