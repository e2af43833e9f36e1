package configsync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/state"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
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

// BenchmarkRestore is a node's start off its disk, less the compile: 10,000 routes of 1 KiB, keys and a consumer for each four of them, read,
// verified and in force.
func BenchmarkRestore(b *testing.B) {
	for _, keys := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) { benchmarkRestore(b, keys) })
	}
}

func benchmarkRestore(b *testing.B, keys int) {
	b.Helper()
	dir := b.TempDir()
	config := keepState(b, dir, keys)
	b.ReportAllocs()
	for b.Loop() {
		store, err := state.Open(state.Config{Dir: dir, Environment: environment, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
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

// keepState has a node take both lanes and keep them, and returns what it was made with.
func keepState(b *testing.B, dir string, keys int) Config {
	b.Helper()
	p := newPlane(b)
	n := start(b, p, keepingIn(b, dir))
	defer n.stop()
	routes, entries := newState(laneConfiguration), newState(laneDirectory)
	for i := range 10_000 {
		routes.set("routes", fmt.Sprint("rt_", i), fmt.Sprintf("%01024d", i))
	}
	for i := range keys {
		entries.setEntry(keyEntry(b, i, "read", fmt.Sprint("team-", i%50)))
	}
	for i := range keys / 4 {
		entries.setEntry(consumerEntry(b, i))
	}
	for _, s := range []*laneState{routes, entries} {
		s.number = 1
		c := p.next(s.lane)
		c.sendSnapshot(p.sign(s.head(p)), compress(b, s.snapshot(b)), maxChunk)
		c.acked(1)
	}
	config := n.config
	config.Directory = nil // what the node holds
	return config
}

func consumerEntry(b *testing.B, n int) *edgev1.EntryChange {
	b.Helper()
	own := sha256.Sum256(fmt.Append(nil, n))
	key := digest.KeyOf("consumers", id.Text(id.Consumer, id.ID(own[:16])))
	body := &directoryv1.Entry_Consumer{Consumer: &directoryv1.Consumer{Id: own[:16], Name: fmt.Sprint("consumer-", n)}}
	return &edgev1.EntryChange{Key: key[:], Entry: marshal(b, &directoryv1.Entry{Body: body})}
}
