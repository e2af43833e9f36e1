package configsync

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// takesAll compiles anything in no time: what is left is ours.
type takesAll struct{}

func (takesAll) Compile(Proposal) (func(), []*edgev1.ObjectError) { return func() {}, nil }

// BenchmarkOneChange is what a node does for one changed route among 10,000, and for one revoked key
// among 100,000, less the compile and the network: verify, apply aside, compare, swap.
func BenchmarkOneChange(b *testing.B) {
	b.Run("configuration", func(b *testing.B) {
		p, s := newPlane(b), newState(laneConfiguration)
		for i := range 10_000 {
			s.set("routes", fmt.Sprint("rt_", i), fmt.Sprintf("%01024d", i))
		}
		benchmarkLane(b, p, s, newConfiguration(takesAll{}, func(context.Context, uint64, uint64) error { return nil }, slog.New(slog.DiscardHandler)), func(i int) *delta {
			return &delta{objects: []*edgev1.ObjectChange{{Collection: "routes", Id: "rt_7", Object: fmt.Appendf(nil, "%01024d", i)}}}
		})
	})
	b.Run("directory", func(b *testing.B) {
		p, s := newPlane(b), newState(laneDirectory)
		for i := range 100_000 {
			s.setEntry(keyEntry(b, i, "read"))
		}
		benchmarkLane(b, p, s, entries{directory.New()}, func(i int) *delta {
			return &delta{entries: []*edgev1.EntryChange{keyEntry(b, 7, fmt.Sprint("scope-", i%100))}}
		})
	})
}

func benchmarkLane(b *testing.B, p *plane, s *laneState, c content, change func(int) *delta) {
	b.Helper()
	keys, err := signingKeys([]*edgev1.SigningKey{{Id: keyID, PublicKey: p.public}})
	if err != nil {
		b.Fatal(err)
	}
	l := newLane("bench", verifier{environment: environment, lane: s.lane, trust: fixedTrust(keys)}, c, slog.New(slog.DiscardHandler), slog.LevelDebug, func() {})
	h, err := l.check(p.sign(s.head(p)))
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := l.snapshot(b.Context(), h, bytes.NewReader(compress(b, s.snapshot(b)))); err != nil {
		b.Fatal(err)
	}
	b.Logf("snapshot of %d in %v", len(s.content), time.Since(began))
	signed := p.sign(s.head(p))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h, err := l.check(signed)
		if err != nil {
			b.Fatal(err)
		}
		next, err := c.prepareDelta(change(i))
		if err != nil {
			b.Fatal(err)
		}
		if err := next.complete(b.Context(), h); err != nil || next.digest() == (digest.Sum{}) {
			b.Fatal(err)
		}
		if err := next.commit(h.number); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestore is a node's start off its disk, less the compile: 10,000 routes of 1 KiB and 100,000 keys, read, verified and in
// force.
func BenchmarkRestore(b *testing.B) {
	dir := b.TempDir()
	p := newPlane(b)
	n := start(b, p, keepingIn(b, dir))
	for _, s := range []*laneState{newState(laneConfiguration), newState(laneDirectory)} {
		if s.number = 1; s.lane == laneConfiguration {
			for i := range 10_000 {
				s.set("routes", fmt.Sprint("rt_", i), fmt.Sprintf("%01024d", i))
			}
		} else {
			for i := range 100_000 {
				s.setEntry(keyEntry(b, i, "read"))
			}
		}
		c := p.next(s.lane)
		c.sendSnapshot(p.sign(s.head(p)), compress(b, s.snapshot(b)), maxChunk)
		c.acked(1)
	}
	n.stop()
	for b.Loop() {
		store, err := state.Open(state.Config{Dir: dir, Environment: environment, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		config := n.config
		config.State, config.Directory, config.Compiler = store, directory.New(), takesAll{}
		s, err := New(config)
		if err != nil {
			b.Fatal(err)
		}
		s.Restore()
		if at := s.Position(); at.Revision != 1 || at.Sequence != 1 {
			b.Fatalf("at %v", at)
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
