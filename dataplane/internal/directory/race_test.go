package directory

import (
	"sync"
	"testing"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Each consumer comes with a key and goes with it. Whoever finds the key finds the consumer, unless
// the key is gone by then.
func TestReadersNeverMeetAKeyBeforeItsConsumer(t *testing.T) {
	d := New()
	const pairs = 64
	done := make(chan struct{})
	var readers sync.WaitGroup
	for reader := range 4 {
		readers.Go(func() {
			for n := reader; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				key, found := d.Key(digestOf(n % pairs))
				if !found {
					continue
				}
				if !key.Scopes.Has("read") {
					t.Error("a key without its scopes")
				}
				if _, found := d.Consumer(key.Consumer); found {
					continue
				}
				if _, still := d.Key(digestOf(n % pairs)); still {
					t.Error("a key without its consumer")
				}
			}
		})
	}
	write(t, d, pairs)
	close(done)
	readers.Wait()
}

// write adds all pairs once and later takes them out, so that a key seen twice was there between.
func write(t *testing.T, d *Directory, pairs int) {
	t.Helper()
	var present []*edgev1.EntryChange
	for n := range pairs {
		added := []*edgev1.EntryChange{apiKey(t, n, n, "read"), consumer(t, n, "shop"), pepper(t, uint32(n+1))}
		present = append(present, added...)
		apply(t, d, added...)
		if n%8 == 0 {
			load(t, d, uint64(n), present...)
		}
	}
	for n := range pairs {
		apply(t, d, gone(consumer(t, n, "")), gone(apiKey(t, n, n)), gone(pepper(t, uint32(n+1))))
	}
}
