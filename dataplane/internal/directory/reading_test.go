package directory

import (
	"errors"
	"fmt"
	"testing"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Batches of several sizes, and entries that fill one alone.
func TestSnapshotsOfManyBatchesAreWhole(t *testing.T) {
	const n = 5000
	d, m := New(), model{}
	var entries []*edgev1.EntryChange
	for i := range n {
		entries = append(entries, apiKey(t, i, i/4, "read", fmt.Sprint("team-", i%7)), consumer(t, i, fmt.Sprint("consumer-", i)))
	}
	entries = append(entries, secret(t, 1, string(make([]byte, 3*batchSize))), pepper(t, 1))
	m.apply(entries)
	load(t, d, 1, entries...)
	if _, sum := d.Head(); sum != m.digest() {
		t.Error("the digest is another than the model's")
	}
	if got, want := d.Counts(), (Counts{Keys: n, Consumers: n, Secrets: 1, Peppers: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The first entry that is refused is the one that is named, and reading ends soon behind it.
func TestReadingEndsAtTheFirstFault(t *testing.T) {
	const bad = 10_000
	broken := errors.New("broken")
	yielded := 0
	_, err := New().PrepareSnapshot(func(yield func(*edgev1.EntryChange, error) bool) {
		for ; ; yielded++ {
			entry := &edgev1.EntryChange{Key: []byte("short"), Entry: []byte{1}}
			if yielded < bad {
				entry = apiKey(t, yielded, 1)
			}
			if !yield(entry, nil) {
				return
			}
		}
	})
	if want := fmt.Sprintf("directory: snapshot entry %d: ", bad); !errors.Is(err, ErrMalformed) || err.Error()[:len(want)] != want {
		t.Error(err)
	}
	_, err = New().PrepareSnapshot(func(yield func(*edgev1.EntryChange, error) bool) {
		_ = yield(apiKey(t, 1, 1), nil) && yield(&edgev1.EntryChange{}, nil) && yield(nil, broken)
	})
	if !errors.Is(err, ErrMalformed) {
		t.Errorf("a fault behind the first one is told instead of it: %v", err)
	}
}
