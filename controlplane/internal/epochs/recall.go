package epochs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// recallsAtOnce bounds the recalls of a replica: each holds 48 bytes per entry of the directory.
	recallsAtOnce = 4
	// bucketsAtOnce is how many buckets one Recall asks for, and hashesAtOnce how many hashes may answer it: 32 of the biggest
	// buckets of ten million entries.
	bucketsAtOnce = 32
	hashesAtOnce  = 1 << 17
	// slotWait is how long a node waits for others' recalls; then it is to come again.
	slotWait = 10 * time.Second
	// findTimeout bounds a read of the whole directory's hashes.
	findTimeout = time.Minute
)

// ErrUntrue says that what a node shows of its directory isn't what was signed for.
var ErrUntrue = errors.New("the node's holdings aren't what its signed head says")

// Recall is one node's being asked for what its directory holds. It is used by one goroutine, which must Close it.
type Recall struct {
	epochs *Epochs
	said   Evidence     // what the node's Hello proved
	head   *edgev1.Head // what its sums digest to

	sums    [digest.Buckets]digest.Sum
	ours    [digest.Buckets][]Entry
	differ  []uint16 // buckets that are still to be asked for
	batch   map[uint16][]digest.Hash
	order   []uint16             // of the batch
	wanted  map[digest.Hash]bool // entries asked for whose bytes haven't come
	batched map[digest.Key]bool  // of the batch: entries of ours that the node doesn't hold as they are
	ask     *edgev1.Recall
	take    func(context.Context, *edgev1.Holdings) error

	found findings
	done  bool
}

// findings are where the node's directory denies more than the database's may.
type findings struct {
	missing   map[digest.Key]bool  // entries of ours that the node doesn't hold as they are
	alive     map[digest.Key]int64 // of those, API keys that the node holds otherwise: when they end
	suspended map[string]bool      // consumers
	blocks    map[string]*directoryv1.Block
	retired   map[string][]string // keys of token issuers, by their thumbprints
	since     time.Time           // the node's head: what was made later the node can't know
}

// Recall begins to ask a node for what its directory holds, after it has proved that. It returns nil if there is nothing to ask: the
// database knows that state, or another node that held the same was asked.
func (e *Epochs) Recall(ctx context.Context, said Evidence) (*Recall, error) {
	wait, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	select {
	case e.slots <- struct{}{}:
	case <-wait.Done():
		return nil, problem.Errorf(problem.Unavailable, "other nodes are being asked for what they hold; come again")
	}
	known, err := e.store.Known(ctx, said)
	if err == nil && known {
		err = e.served(ctx, said.Environment, said.Node, false)
	}
	if err != nil || known {
		<-e.slots
		return nil, err
	}
	e.stats.Recalls.Add(1)
	e.log.WarnContext(ctx, "a node holds a state that the database lost: it is asked for it", "environment", said.Environment, "node", said.Node, "epoch", said.Epoch, "sequence", said.Number)
	r := &Recall{epochs: e, said: said, ask: &edgev1.Recall{}, found: findings{
		missing: make(map[digest.Key]bool), alive: make(map[digest.Key]int64), suspended: make(map[string]bool),
		blocks: make(map[string]*directoryv1.Block), retired: make(map[string][]string),
	}}
	r.take = r.takeSums
	return r, nil
}

// Close lets others be asked. Closing twice does no harm.
func (r *Recall) Close() {
	if r.epochs != nil {
		<-r.epochs.slots
		r.epochs = nil
	}
}

// Next returns what to ask the node; nil while the answer to that is awaited.
func (r *Recall) Next() *edgev1.Recall {
	ask := r.ask
	r.ask = nil
	return ask
}

// Take takes an answer, or a part of one, and tells whether it was the last. Then what the node denies has been taken back.
func (r *Recall) Take(ctx context.Context, answer *edgev1.Holdings) (done bool, err error) {
	if r.ask != nil || r.done {
		return false, fmt.Errorf("%w: nobody asked", ErrUntrue)
	}
	if err := r.take(ctx, answer); err != nil {
		return false, err
	}
	if !r.done {
		return false, nil
	}
	return true, r.finish(ctx)
}

func (r *Recall) takeSums(ctx context.Context, answer *edgev1.Holdings) error {
	const size = len(digest.Sum{})
	if len(answer.GetSums()) != digest.Buckets*size || !answer.GetLast() {
		return fmt.Errorf("%w: %d bytes of sums", ErrUntrue, len(answer.GetSums()))
	}
	head, err := r.epochs.verifier.Verify(answer.GetHead())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntrue, err)
	}
	if head.GetEnvironment() != r.said.Environment || head.GetLane() != edgev1.Lane_LANE_DIRECTORY || head.GetEpoch() != r.said.Epoch || head.GetNumber() < r.said.Number {
		return fmt.Errorf("%w: a head of %s %d in epoch %d", ErrUntrue, counted(head.GetLane()), head.GetNumber(), head.GetEpoch())
	}
	var tree digest.Tree
	for b := range r.sums {
		r.sums[b] = digest.Sum(answer.GetSums()[b*size:])
		tree.Set(uint16(b), r.sums[b])
	}
	if sum := tree.Head(); !bytes.Equal(sum[:], head.GetDigest()) {
		return fmt.Errorf("%w: its sums digest to something else", ErrUntrue)
	}
	r.head, r.found.since = head, head.GetTime().AsTime()
	return r.compare(ctx)
}

// compare finds the buckets that differ from the database's.
func (r *Recall) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	entries, err := r.epochs.store.Hashes(ctx, r.said.Environment)
	if err != nil {
		return fmt.Errorf("read the directory's hashes: %w", err)
	}
	for len(entries) > 0 {
		at, n := entries[0].Key.Bucket(), 1
		for n < len(entries) && entries[n].Key.Bucket() == at {
			n++
		}
		r.ours[at], entries = entries[:n:n], entries[n:]
	}
	for b := range r.ours {
		if digest.BucketSumOf(r.ours[b], func(e *Entry) digest.Hash { return e.Hash }) != r.sums[b] {
			r.differ = append(r.differ, uint16(b))
		}
	}
	r.askHashes()
	return nil
}

// askHashes asks for the next buckets, if any are left.
func (r *Recall) askHashes() {
	n := min(len(r.differ), bucketsAtOnce)
	if n == 0 {
		r.done = true
		return
	}
	r.order, r.differ = r.differ[:n], r.differ[n:]
	r.batch = make(map[uint16][]digest.Hash, n)
	r.ask = &edgev1.Recall{}
	for _, b := range r.order {
		r.batch[b] = nil
		r.ask.Buckets = append(r.ask.Buckets, &edgev1.RecalledBucket{Number: uint32(b)})
	}
	r.take = r.takeHashes
}

func (r *Recall) takeHashes(_ context.Context, answer *edgev1.Holdings) error {
	const size = len(digest.Hash{})
	for _, bucket := range answer.GetBuckets() {
		b := uint16(bucket.GetNumber())
		held, asked := r.batch[b]
		if bucket.GetNumber() >= digest.Buckets || !asked || len(bucket.GetHashes())%size != 0 || len(held)+len(bucket.GetHashes())/size > hashesAtOnce {
			return fmt.Errorf("%w: bucket %d wasn't asked for so", ErrUntrue, bucket.GetNumber())
		}
		for h := bucket.GetHashes(); len(h) > 0; h = h[size:] {
			held = append(held, digest.Hash(h))
		}
		r.batch[b] = held
	}
	if !answer.GetLast() {
		return nil
	}
	r.wanted, r.batched = make(map[digest.Hash]bool), make(map[digest.Key]bool)
	ask := &edgev1.Recall{}
	for _, b := range r.order {
		if digest.BucketSum(r.batch[b]) != r.sums[b] {
			return fmt.Errorf("%w: the entries of bucket %d", ErrUntrue, b)
		}
		if unknown := r.difference(b); len(unknown) > 0 {
			ask.Buckets = append(ask.Buckets, &edgev1.RecalledBucket{Number: uint32(b), Hashes: unknown})
		}
	}
	r.batch = nil
	if len(ask.GetBuckets()) == 0 {
		r.askHashes()
		return nil
	}
	r.ask, r.take = ask, r.takeEntries
	return nil
}

// difference notes the entries of ours that the node doesn't hold, and returns the hashes of those that we don't.
func (r *Recall) difference(b uint16) (unknown []byte) {
	theirs := make(map[digest.Hash]bool, len(r.batch[b]))
	for _, h := range r.batch[b] {
		theirs[h] = true
	}
	ours := make(map[digest.Hash]bool, len(r.ours[b]))
	for _, e := range r.ours[b] {
		ours[e.Hash] = true
		if !theirs[e.Hash] {
			r.found.missing[e.Key], r.batched[e.Key] = true, true
		}
	}
	for _, h := range r.batch[b] {
		if !ours[h] && !r.wanted[h] {
			r.wanted[h] = true
			unknown = append(unknown, h[:]...)
		}
	}
	return unknown
}

func (r *Recall) takeEntries(_ context.Context, answer *edgev1.Holdings) error {
	for _, stored := range answer.GetEntries() {
		hash := digest.HashOf(stored)
		if !r.wanted[hash] {
			return fmt.Errorf("%w: an entry that wasn't asked for", ErrUntrue)
		}
		delete(r.wanted, hash)
		var entry directoryv1.Entry
		if err := proto.Unmarshal(stored, &entry); err != nil {
			return fmt.Errorf("%w: an entry is no message", ErrUntrue)
		}
		r.found.weigh(&entry, r.batched)
	}
	if answer.GetLast() {
		r.askHashes()
	}
	return nil
}

// weigh notes what an entry that the node holds, and the database doesn't, says of what may be used. Which nodes are in the fleet,
// secrets and peppers deny nobody anything.
func (f *findings) weigh(entry *directoryv1.Entry, changed map[digest.Key]bool) {
	switch body := entry.GetBody().(type) {
	case *directoryv1.Entry_ApiKey:
		if len(body.ApiKey.GetDigest()) != len(digest.Key{}) {
			return
		}
		if key := digest.Key(body.ApiKey.GetDigest()); changed[key] {
			f.alive[key] = body.ApiKey.GetExpiresAtMs()
		}
	case *directoryv1.Entry_Consumer:
		if len(body.Consumer.GetId()) == len(id.ID{}) && body.Consumer.GetSuspended() {
			f.suspended[id.Text(id.Consumer, id.ID(body.Consumer.GetId()))] = true
		}
	case *directoryv1.Entry_Block:
		if len(body.Block.GetId()) == len(id.ID{}) {
			f.blocks[id.Text(id.Block, id.ID(body.Block.GetId()))] = body.Block
		}
	case *directoryv1.Entry_KeySet:
		if len(body.KeySet.GetIssuer()) != len(id.ID{}) {
			return
		}
		issuer := id.Text(id.Issuer, id.ID(body.KeySet.GetIssuer()))
		for _, key := range body.KeySet.GetRetired() {
			f.retired[issuer] = append(f.retired[issuer], directory.Thumbprint(key.GetThumbprint()))
		}
	}
}

// finish takes back what was found, and keeps that it was.
func (r *Recall) finish(ctx context.Context) error {
	e := r.epochs
	taken, err := e.takeBack(ctx, r.said, &r.found)
	if err != nil {
		return fmt.Errorf("take back what node %s denies: %w", r.said.Node, err)
	}
	for _, state := range r.states() {
		if err := e.store.KeepRecall(ctx, state, taken, e.now().UTC()); err != nil {
			return fmt.Errorf("keep that node %s was recalled: %w", r.said.Node, err)
		}
		taken = 0 // they are counted once
	}
	return e.served(ctx, r.said.Environment, r.said.Node, true)
}

// states are what the node said that it holds and, if it has come further since without keeping it, that.
func (r *Recall) states() []Evidence {
	states := []Evidence{r.said}
	if r.head.GetNumber() != r.said.Number {
		further := r.said
		further.Number, further.Digest = r.head.GetNumber(), r.head.GetDigest()
		states = append(states, further)
	}
	return states
}
