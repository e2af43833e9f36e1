package edgetest

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// ErrMismatch says that what was applied doesn't give the digest that was signed.
var ErrMismatch = errors.New("the digest differs")

// Replica is what a node holds in one lane.
type Replica struct {
	Epoch, Number uint64
	Entries       map[digest.Key][]byte

	lane        edgev1.Lane
	environment string
	keys        map[string]ed25519.PublicKey
	set         *digest.Set
	signed      *edgev1.SignedHead // of what it holds
}

// NewReplica returns an empty replica of one lane, which believes heads of this environment signed
// with one of these keys.
func NewReplica(lane edgev1.Lane, environment string, keys []*edgev1.SigningKey) *Replica {
	r := &Replica{
		lane: lane, environment: environment, keys: make(map[string]ed25519.PublicKey),
		Entries: make(map[digest.Key][]byte), set: new(digest.Set),
	}
	for _, key := range keys {
		r.keys[key.GetId()] = key.GetPublicKey()
	}
	return r
}

// Believe makes it believe heads signed with these keys, and no other.
func (r *Replica) Believe(keys []*edgev1.SigningKey) {
	clear(r.keys)
	for _, key := range keys {
		r.keys[key.GetId()] = key.GetPublicKey()
	}
}

// Digest returns the digest of what it holds.
func (r *Replica) Digest() []byte {
	sum := r.set.Head()
	return sum[:]
}

// Hello returns what it says of itself.
func (r *Replica) Hello() *edgev1.Hello {
	return &edgev1.Hello{Epoch: r.Epoch, Number: r.Number, Digest: r.Digest(), Capability: 2, Boot: "test", Build: "edgetest", Head: r.signed}
}

// Verify returns the head that was signed, if it was signed for this replica.
func (r *Replica) Verify(signed *edgev1.SignedHead) (*edgev1.Head, error) {
	key, ok := r.keys[signed.GetKeyId()]
	if !ok {
		return nil, fmt.Errorf("signed with an unknown key %q", signed.GetKeyId())
	}
	if !ed25519.Verify(key, append([]byte("sallyport head v1\x00"), signed.GetHead()...), signed.GetSignature()) {
		return nil, errors.New("the signature is wrong")
	}
	head := &edgev1.Head{}
	if err := proto.Unmarshal(signed.GetHead(), head); err != nil {
		return nil, err
	}
	if head.GetLane() != r.lane || head.GetEnvironment() != r.environment {
		return nil, fmt.Errorf("a head of %s in %s", head.GetLane(), head.GetEnvironment())
	}
	return head, nil
}

// ApplyDelta swaps to the state that a delta leads to.
func (r *Replica) ApplyDelta(signed *edgev1.SignedHead, from uint64, objects []*edgev1.ObjectChange, entries []*edgev1.EntryChange) error {
	head, err := r.Verify(signed)
	if err != nil {
		return err
	}
	if from != r.Number || head.GetEpoch() != r.Epoch {
		return fmt.Errorf("a delta from %d in epoch %d, but the replica is at %d in %d", from, head.GetEpoch(), r.Number, r.Epoch)
	}
	next, set := maps.Clone(r.Entries), r.set.Clone()
	apply(next, set, objects, entries)
	return r.swap(signed, head, next, set)
}

// ApplySnapshot swaps to the state in a snapshot's chunks, joined.
func (r *Replica) ApplySnapshot(signed *edgev1.SignedHead, compressed []byte) error {
	head, err := r.Verify(signed)
	if err != nil {
		return err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer decoder.Close()
	plain, err := decoder.DecodeAll(compressed, nil)
	if err != nil {
		return err
	}
	next, set := make(map[digest.Key][]byte), new(digest.Set)
	if r.lane == edgev1.Lane_LANE_CONFIGURATION {
		var whole edgev1.ConfigurationSnapshot
		if err := proto.Unmarshal(plain, &whole); err != nil {
			return err
		}
		apply(next, set, whole.GetObjects(), nil)
	} else {
		var whole edgev1.DirectorySnapshot
		if err := proto.Unmarshal(plain, &whole); err != nil {
			return err
		}
		apply(next, set, nil, whole.GetEntries())
	}
	return r.swap(signed, head, next, set)
}

func apply(entries map[digest.Key][]byte, set *digest.Set, objects []*edgev1.ObjectChange, changes []*edgev1.EntryChange) {
	put := func(key digest.Key, body []byte) {
		if len(body) == 0 {
			delete(entries, key)
			set.Delete(key)
			return
		}
		entries[key] = body
		set.Put(key, digest.HashOf(body))
	}
	for _, o := range objects {
		put(digest.KeyOf(o.GetCollection(), o.GetId()), o.GetObject())
	}
	for _, e := range changes {
		put(digest.Key(e.GetKey()), e.GetEntry())
	}
}

func (r *Replica) swap(signed *edgev1.SignedHead, head *edgev1.Head, next map[digest.Key][]byte, set *digest.Set) error {
	sum := set.Head()
	if !bytes.Equal(sum[:], head.GetDigest()) {
		return ErrMismatch
	}
	r.Epoch, r.Number, r.Entries, r.set, r.signed = head.GetEpoch(), head.GetNumber(), next, set, signed
	return nil
}

// Holdings answers a Recall as a node does.
func (r *Replica) Holdings(recall *edgev1.Recall) *edgev1.Holdings {
	answer := &edgev1.Holdings{Last: true}
	if len(recall.GetBuckets()) == 0 {
		answer.Head = r.signed
		for b := range uint16(digest.Buckets) {
			sum := r.set.BucketSum(b)
			answer.Sums = append(answer.Sums, sum[:]...)
		}
	}
	for _, asked := range recall.GetBuckets() {
		shown := &edgev1.RecalledBucket{Number: asked.GetNumber()}
		for key, hash := range r.set.All() {
			switch {
			case uint32(key.Bucket()) != asked.GetNumber():
			case len(asked.GetHashes()) == 0:
				shown.Hashes = append(shown.Hashes, hash[:]...)
			default:
				for wanted := asked.GetHashes(); len(wanted) > 0; wanted = wanted[len(hash):] {
					if bytes.HasPrefix(wanted, hash[:]) {
						answer.Entries = append(answer.Entries, r.Entries[key])
					}
				}
			}
		}
		if len(asked.GetHashes()) == 0 {
			answer.Buckets = append(answer.Buckets, shown)
		}
	}
	return answer
}
