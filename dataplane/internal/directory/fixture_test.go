package directory

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// idOf returns the n-th id.
func idOf(n int) (out id.ID) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	copy(out[:], sum[:])
	return out
}

// digestOf returns the n-th API key's digest.
func digestOf(n int) apikey.Digest {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte("key"), uint64(n)))
}

func stored(t testing.TB, entry *directoryv1.Entry) []byte {
	t.Helper()
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func keyEntry(t testing.TB, k *directoryv1.ApiKey) *edgev1.EntryChange {
	t.Helper()
	return &edgev1.EntryChange{Key: k.GetDigest(), Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_ApiKey{ApiKey: k}})}
}

// apiKey returns the n-th API key of a consumer.
func apiKey(t testing.TB, n, consumer int, scopes ...string) *edgev1.EntryChange {
	t.Helper()
	sum, key, of := digestOf(n), idOf(n), idOf(consumer)
	return keyEntry(t, &directoryv1.ApiKey{Digest: sum[:], Id: key[:], Consumer: of[:], Scopes: scopes})
}

func consumer(t testing.TB, n int, name string) *edgev1.EntryChange {
	t.Helper()
	return consumerEntry(t, n, &directoryv1.Consumer{Name: name})
}

func consumerEntry(t testing.TB, n int, c *directoryv1.Consumer) *edgev1.EntryChange {
	t.Helper()
	own := idOf(n)
	c.Id = own[:]
	key := digest.KeyOf("consumers", id.Text("con", own))
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_Consumer{Consumer: c}})}
}

func secret(t testing.TB, n int, value string) *edgev1.EntryChange {
	t.Helper()
	own := idOf(n)
	key := digest.KeyOf("secrets", id.Text("sec", own))
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_Secret{Secret: &directoryv1.Secret{Id: own[:], Value: []byte(value)}}})}
}

// blockEntry returns the n-th block; b says of whom.
func blockEntry(t testing.TB, n int, b *directoryv1.Block) *edgev1.EntryChange {
	t.Helper()
	own := idOf(n)
	b.Id = own[:]
	key := digest.KeyOf("blocks", id.Text("blk", own))
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_Block{Block: b}})}
}

func blockedConsumer(t testing.TB, n, consumer int, until int64) *edgev1.EntryChange {
	t.Helper()
	of := idOf(consumer)
	return blockEntry(t, n, &directoryv1.Block{Target: &directoryv1.Block_Consumer{Consumer: of[:]}, ExpiresAtMs: until})
}

func blockedKey(t testing.TB, n, key int, until int64) *edgev1.EntryChange {
	t.Helper()
	of := idOf(key)
	return blockEntry(t, n, &directoryv1.Block{Target: &directoryv1.Block_ApiKey{ApiKey: of[:]}, ExpiresAtMs: until})
}

func blockedRange(t testing.TB, n int, addresses string, until int64) *edgev1.EntryChange {
	t.Helper()
	return blockEntry(t, n, &directoryv1.Block{Target: &directoryv1.Block_AddressRange{AddressRange: addresses}, ExpiresAtMs: until})
}

func pepperSecret(version uint32) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte("pepper"), version))
	return sum[:]
}

func pepper(t testing.TB, version uint32) *edgev1.EntryChange {
	t.Helper()
	key := digest.KeyOf("peppers", strconv.Itoa(int(version)))
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_Pepper{Pepper: &directoryv1.Pepper{Version: version, Value: pepperSecret(version)}}})}
}

func fleet(t testing.TB, nodes ...[]byte) *edgev1.EntryChange {
	t.Helper()
	key := digest.KeyOf("fleets", "fleet")
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_Fleet{Fleet: &directoryv1.Fleet{Nodes: nodes}}})}
}

func gone(change *edgev1.EntryChange) *edgev1.EntryChange {
	return &edgev1.EntryChange{Key: change.GetKey()}
}

// all yields entries as a snapshot's reader does: in one message, used again and again.
func all(entries []*edgev1.EntryChange) iter.Seq2[*edgev1.EntryChange, error] {
	return func(yield func(*edgev1.EntryChange, error) bool) {
		for _, entry := range entries {
			lent := &edgev1.EntryChange{Key: append([]byte(nil), entry.GetKey()...), Entry: append([]byte(nil), entry.GetEntry()...)}
			more := yield(lent, nil)
			clear(lent.GetKey())
			clear(lent.GetEntry())
			if !more {
				return
			}
		}
	}
}

// apply prepares and commits a delta at the next sequence.
func apply(t testing.TB, d *Directory, changes ...*edgev1.EntryChange) {
	t.Helper()
	sequence, _ := d.Head()
	change, err := d.Prepare(changes)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(change, sequence+1); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, d *Directory, sequence uint64, entries ...*edgev1.EntryChange) {
	t.Helper()
	change, err := d.PrepareSnapshot(all(entries))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(change, sequence); err != nil {
		t.Fatal(err)
	}
}
