package directory

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

var benchmarkSizes = []int{100_000, 1_000_000}

// benchmarkEntries are n keys, a consumer for every four of them, and a pepper.
func benchmarkEntries(b *testing.B, n int) []*edgev1.EntryChange {
	b.Helper()
	entries := make([]*edgev1.EntryChange, 0, n+n/4+1)
	for i := range n {
		entries = append(entries, apiKey(b, i, i/4, "read", fmt.Sprint("team-", i%50)))
	}
	for i := range n / 4 {
		entries = append(entries, consumer(b, i, fmt.Sprint("consumer-", i)))
	}
	return append(entries, pepper(b, 1))
}

// BenchmarkDirectory builds each size once, and reports the build's time and what the result takes
// in memory; then looks up at random (cache-cold at a million), misses, and changes.
func BenchmarkDirectory(b *testing.B) {
	for _, n := range benchmarkSizes {
		entries := benchmarkEntries(b, n)
		d := New()
		before := heap()
		b.Run(fmt.Sprintf("keys=%d/build", n), func(b *testing.B) {
			for b.Loop() {
				load(b, d, 1, entries...)
			}
			b.ReportMetric(float64(heap()-before)/1e6, "MB")
		})
		order := rand.Perm(n)
		b.Run(fmt.Sprintf("keys=%d/hit", n), func(b *testing.B) { benchmarkKeys(b, d, order, 0, true) })
		b.Run(fmt.Sprintf("keys=%d/hit-hot", n), func(b *testing.B) { benchmarkKeys(b, d, order[:1], 0, true) })
		b.Run(fmt.Sprintf("keys=%d/miss", n), func(b *testing.B) { benchmarkKeys(b, d, order, n, false) })
		b.Run(fmt.Sprintf("keys=%d/consumer", n), func(b *testing.B) { benchmarkConsumers(b, d, order, n/4) })
		b.Run(fmt.Sprintf("keys=%d/admit", n), func(b *testing.B) { benchmarkAdmission(b, d, order) })
		b.Run(fmt.Sprintf("keys=%d/delta-of-one-key", n), func(b *testing.B) {
			b.ReportAllocs()
			changes := []*edgev1.EntryChange{nil}
			for i := 0; b.Loop(); i++ {
				changes[0] = entries[i%n]
				apply(b, d, changes...)
			}
		})
	}
}

// benchmarkKeys looks digests up that were computed beforehand.
func benchmarkKeys(b *testing.B, d *Directory, order []int, offset int, want bool) {
	b.Helper()
	sums := make([][32]byte, min(len(order), 1<<18))
	for i := range sums {
		sums[i] = digestOf(order[i] + offset)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i == len(sums) {
			i = 0
		}
		if _, found := d.Key(sums[i]); found != want {
			b.Fatal("wrong answer")
		}
	}
}

// benchmarkAdmission looks digests up and lets their keys in, which is what a request costs.
func benchmarkAdmission(b *testing.B, d *Directory, order []int) {
	b.Helper()
	sums := make([][32]byte, min(len(order), 1<<18))
	for i := range sums {
		sums[i] = digestOf(order[i])
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i == len(sums) {
			i = 0
		}
		key, _ := d.Key(sums[i])
		if _, code := d.Admit(&key, home, blockTime); code != "" {
			b.Fatal(code)
		}
	}
}

func benchmarkConsumers(b *testing.B, d *Directory, order []int, n int) {
	b.Helper()
	ids := make([][16]byte, min(n, 1<<18))
	for i := range ids {
		ids[i] = idOf(order[i] % n)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i == len(ids) {
			i = 0
		}
		if c, found := d.Consumer(ids[i]); !found || c.Name == "" { // who asks for a consumer looks at it
			b.Fatal("missing")
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
