package directory

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// spread returns the n-th of many addresses that lie all over IPv4.
func spread(n int) netip.Addr {
	var four [4]byte
	binary.BigEndian.PutUint32(four[:], uint32(n)*2654435761)
	return netip.AddrFrom4(four)
}

// BenchmarkBlocks looks addresses up that aren't blocked, which is what every request pays: without any block, without one
// of an address, and with many ranges of a few lengths or of all; then it puts one more block.
func BenchmarkBlocks(b *testing.B) {
	for _, shape := range []struct {
		name    string
		n       int
		lengths []int
	}{
		{"none", 0, nil},
		{"addresses=1", 1, []int{32}},
		{"addresses=100000/lengths=1", 100_000, []int{32}},
		{"addresses=100000/lengths=4", 100_000, []int{32, 28, 24, 22}},
		{"addresses=100000/lengths=17", 100_000, []int{16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32}},
	} {
		d := New()
		entries := make([]*edgev1.EntryChange, shape.n)
		for i := range entries {
			// All are in the upper half, and what is asked for in the lower.
			four := spread(i).As4()
			four[0] |= 0x80
			r := netip.PrefixFrom(netip.AddrFrom4(four), shape.lengths[i%len(shape.lengths)]).Masked()
			entries[i] = blockedRange(b, i, r.String(), 0)
		}
		load(b, d, 1, entries...)
		asked := make([]netip.Addr, 1<<12)
		for i := range asked {
			four := spread(i).As4()
			four[0] &= 0x7f
			asked[i] = netip.AddrFrom4(four)
		}
		b.Run(shape.name+"/pass", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if d.AddressBlocked(asked[i%len(asked)], blockTime) {
					b.Fatal("blocked")
				}
			}
		})
		if shape.n == 0 {
			continue
		}
		b.Run(shape.name+"/delta-of-one-block", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				apply(b, d, entries[i%shape.n])
			}
		})
	}
}

// BenchmarkAdmit is what a request with a known key pays, without blocks and with those of others.
func BenchmarkAdmit(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		d := New()
		entries := []*edgev1.EntryChange{consumer(b, 1, "app"), apiKey(b, 1, 1)}
		for i := range n {
			of := idOf(i + 2)
			entries = append(entries, blockEntry(b, i, &directoryv1.Block{Target: &directoryv1.Block_ApiKey{ApiKey: of[:]}}))
		}
		load(b, d, 1, entries...)
		key, _ := d.Key(digestOf(1))
		b.Run(fmt.Sprintf("blocks=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, code := d.Admit(&key, home, blockTime); code != "" {
					b.Fatal(code)
				}
			}
		})
	}
}
