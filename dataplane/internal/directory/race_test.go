package directory

import (
	"fmt"
	"net/netip"
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
				if _, found := d.Consumer(key.Consumer()); found {
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

// Blocks come and go in the same tables, lengths and snapshots. One that stays is never missed meanwhile, and whoever none is
// about is never kept out.
func TestReadersAlwaysMeetABlockThatStays(t *testing.T) {
	d := New()
	stay := []*edgev1.EntryChange{
		consumer(t, 1, "blocked"), consumer(t, 2, "free"), apiKey(t, 1, 2), apiKey(t, 2, 2),
		blockedConsumer(t, 100, 1, 0), blockedKey(t, 101, 1, 0), blockedRange(t, 102, "192.0.2.0/24", 0), blockedRange(t, 103, "2001:db8::/32", 0),
	}
	load(t, d, 1, stay...)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, who := range []Bearer{{Consumer: idOf(1)}, {Digest: digestOf(1)}, {Address: netip.MustParseAddr("192.0.2.9")}, {Address: netip.MustParseAddr("2001:db8::9")}} {
					if _, denied := d.Denied(who, blockTime); !denied {
						t.Errorf("%+v was let in", who)
					}
				}
				if code, denied := d.Denied(Bearer{Digest: digestOf(2), Address: netip.MustParseAddr("203.0.113.9")}, blockTime); denied {
					t.Errorf("who isn't blocked is refused: %s", code)
				}
			}
		})
	}
	for n := range 200 {
		others := []*edgev1.EntryChange{
			blockedConsumer(t, 200, 1, 0), blockedConsumer(t, 201, 1000+n, 0), blockedKey(t, 202, 1000+n, 0), blockedRange(t, 203, fmt.Sprintf("192.0.2.0/%d", 24+n%9), 0),
			blockedRange(t, 204, fmt.Sprintf("198.51.%d.0/24", n), 0), blockedRange(t, 205, fmt.Sprintf("2001:db8::/%d", 32+n%97), 0),
		}
		apply(t, d, others...)
		if n%8 == 0 {
			load(t, d, uint64(n), append(others, stay...)...)
		}
		for _, other := range others {
			apply(t, d, gone(other))
		}
	}
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
