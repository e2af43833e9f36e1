package configsync

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// ask recalls, and returns all of the answer in one.
func (p *plane) ask(c *conversation, buckets ...*edgev1.RecalledBucket) *edgev1.Holdings {
	p.t.Helper()
	c.say(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Recall{Recall: &edgev1.Recall{Buckets: buckets}}})
	whole := new(edgev1.Holdings)
	for !whole.GetLast() {
		select {
		case part := <-p.shown:
			proto.Merge(whole, part)
		case <-time.After(patience):
			p.t.Fatal("the node doesn't show what it holds")
		}
	}
	return whole
}

func TestHelloProvesWhatTheNodeHolds(t *testing.T) {
	dir := t.TempDir()
	p, _, entries := taught(t, dir)
	start(t, p, keepingIn(t, dir)) // off the disk
	d := p.next(laneDirectory)
	head := new(edgev1.Head)
	if err := proto.Unmarshal(d.hello.GetHead().GetHead(), head); err != nil {
		t.Fatal(err)
	}
	if head.GetNumber() != 2 || head.GetNumber() != d.hello.GetNumber() || head.GetEpoch() != d.hello.GetEpoch() || !bytes.Equal(head.GetDigest(), entries.digest()) {
		t.Errorf("hello %v with head %v", d.hello, head)
	}
}

func TestNodeShowsWhatItsDirectoryHolds(t *testing.T) {
	dir := t.TempDir()
	p, _, entries := taught(t, dir)
	start(t, p, keepingIn(t, dir))
	d := p.next(laneDirectory)

	sums := p.ask(d)
	var tree digest.Tree
	for b := range uint16(digest.Buckets) {
		tree.Set(b, digest.Sum(sums.GetSums()[int(b)*len(digest.Sum{}):]))
	}
	if sum := tree.Head(); !bytes.Equal(sum[:], entries.digest()) || !proto.Equal(sums.GetHead(), d.hello.GetHead()) {
		t.Fatal("its sums aren't those of what it holds")
	}

	held := keyEntry(t, 2)
	at := uint32(digest.Key(held.GetKey()).Bucket())
	empty := (at + 1) % digest.Buckets
	shown := p.ask(d, &edgev1.RecalledBucket{Number: at}, &edgev1.RecalledBucket{Number: empty})
	hash := digest.HashOf(held.GetEntry())
	if len(shown.GetBuckets()) != 2 || !bytes.Equal(shown.GetBuckets()[0].GetHashes(), hash[:]) || len(shown.GetBuckets()[1].GetHashes()) != 0 {
		t.Fatalf("its buckets are %v", shown.GetBuckets())
	}
	other := digest.HashOf([]byte("another"))
	shown = p.ask(d, &edgev1.RecalledBucket{Number: at, Hashes: append(hash[:], other[:]...)})
	if len(shown.GetEntries()) != 1 || !bytes.Equal(shown.GetEntries()[0], held.GetEntry()) {
		t.Fatalf("its entries are %v", shown.GetEntries())
	}

	// The stream goes on behind it.
	entries.number = 3
	d.say(p.entryDelta(entries, 2, entries.setEntry(gone(keyEntry(t, 2)))))
	d.acked(3)
}

func TestRecallOfWhatThereIsNotEndsTheStream(t *testing.T) {
	dir := t.TempDir()
	p, _, _ := taught(t, dir)
	start(t, p, keepingIn(t, dir))
	d := p.next(laneDirectory)
	d.say(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Recall{Recall: &edgev1.Recall{Buckets: []*edgev1.RecalledBucket{{Number: digest.Buckets}}}}})
	d.ended()
}

func TestANewEpochIsTakenAtALowerNumberAndLastsAndTheOldOneIsRefusedThen(t *testing.T) {
	dir := t.TempDir()
	p, configuration, entries := taught(t, dir)
	n := start(t, p, keepingIn(t, dir))
	c, d := p.next(laneConfiguration), p.next(laneDirectory)
	old := p.sign(entries.head(p))
	for _, lane := range []*laneState{configuration, entries} {
		lane.epoch, lane.number = 2, 1
	}
	d.sendSnapshot(p.sign(entries.head(p)), compress(t, entries.snapshot(t)), 1000)
	d.acked(1)
	c.sendSnapshot(p.sign(configuration.head(p)), compress(t, configuration.snapshot(t)), 1000)
	c.acked(1)
	n.stop()

	n = start(t, p, keepingIn(t, dir))
	wantInForce(t, n, configuration)
	wantInForce(t, n, entries)
	c, d = p.next(laneConfiguration), p.next(laneDirectory)
	if c.hello.GetEpoch() != 2 || c.hello.GetNumber() != 1 || d.hello.GetEpoch() != 2 || d.hello.GetNumber() != 1 {
		t.Fatalf("hello %v and %v", c.hello, d.hello)
	}
	d.say(beatOf(old))
	d.nacked(2, codeLowerPosition)
	d = p.next(laneDirectory)
	entries.number = 2
	d.say(p.entryDelta(entries, 1, entries.setEntry(gone(keyEntry(t, 2)))))
	d.acked(2)
}
