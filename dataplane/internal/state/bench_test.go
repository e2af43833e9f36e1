package state

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// BenchmarkAppend is what a node's disk adds to a revocation: a record and the marks, both synced.
func BenchmarkAppend(b *testing.B) {
	s, err := Open(Config{Dir: b.TempDir(), Environment: "env_bench", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	l := s.Lane(directory)
	mustLoad(b, s, directory, 0)
	sum := sha256.Sum256([]byte("key"))
	change := []*edgev1.EntryChange{{Key: sum[:]}}
	for n := uint64(0); b.Loop(); n++ {
		if err := l.Append(&Delta{Head: head(b, n+1), From: n, Entries: change}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeal is the same without a disk.
func BenchmarkSeal(b *testing.B) {
	s := opened(b, newMemory())
	l := s.Lane(directory)
	mustLoad(b, s, directory, 0)
	sum := sha256.Sum256([]byte("key"))
	change := []*edgev1.EntryChange{{Key: sum[:]}}
	_, seal, err := newHeader(testKey, "bench")
	if err != nil {
		b.Fatal(err)
	}
	d := &Delta{Head: head(b, 1), Entries: change}
	for n := uint64(0); b.Loop(); n++ {
		record, err := d.marshal(l.kind)
		if err != nil {
			b.Fatal(err)
		}
		if len(seal.frame(n, record)) == 0 {
			b.Fatal(fmt.Sprint("nothing at ", n))
		}
	}
}
