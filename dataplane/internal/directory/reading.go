package directory

import (
	"fmt"
	"iter"
	"sync/atomic"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Entries are handed to who decodes them in batches: few enough bytes to stay in a processor's caches.
const (
	batchSize = 64 << 10 // bytes from which a batch is handed over
	batches   = 4        // that there are
)

// batch is entries, each its key and then its bytes.
type batch struct {
	bytes []byte
	sizes []sizes
}

type sizes struct{ key, entry int }

func (b *batch) add(key, entry []byte) {
	b.bytes = append(append(b.bytes, key...), entry...)
	b.sizes = append(b.sizes, sizes{key: len(key), entry: len(entry)})
}

// feed is entries on their way from who reads them to who decodes them.
type feed struct {
	full, free chan *batch
	failed     atomic.Bool // nothing more is needed
}

// addAll adds all entries of a sequence, one goroutine decoding them while the caller's reads on. It returns once both have ended, and
// the first error there is.
func (b *builder) addAll(entries iter.Seq2[*edgev1.EntryChange, error]) error {
	f := &feed{full: make(chan *batch, batches), free: make(chan *batch, batches)}
	for range batches {
		f.free <- new(batch)
	}
	decoded := make(chan error, 1)
	go func() { decoded <- f.decode(b) }()
	read := f.read(entries)
	if err := <-decoded; err != nil {
		return err // of an entry before the one that couldn't be read
	}
	return read
}

// read hands over a sequence's entries until it ends, or nothing more is needed.
func (f *feed) read(entries iter.Seq2[*edgev1.EntryChange, error]) error {
	defer close(f.full)
	current := <-f.free
	for entry, err := range entries {
		if err != nil {
			f.full <- current
			return fmt.Errorf("directory: read snapshot: %w", err)
		}
		current.add(entry.GetKey(), entry.GetEntry())
		if len(current.bytes) >= batchSize {
			f.full <- current
			current = <-f.free
		}
		if f.failed.Load() {
			return nil
		}
	}
	f.full <- current
	return nil
}

// decode adds what is handed over. Behind its first error it merely takes it, so that nobody waits for a free batch.
func (f *feed) decode(b *builder) (failed error) {
	n := 0
	for full := range f.full {
		rest := full.bytes
		for _, size := range full.sizes {
			if failed != nil {
				break
			}
			if err := b.add(rest[:size.key], rest[size.key:][:size.entry]); err != nil {
				failed = fmt.Errorf("directory: snapshot entry %d: %w", n, err)
				f.failed.Store(true)
			}
			rest = rest[size.key+size.entry:]
			n++
		}
		full.bytes, full.sizes = full.bytes[:0], full.sizes[:0]
		f.free <- full
	}
	return failed
}
