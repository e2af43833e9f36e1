package directory

import (
	"bytes"
	"testing"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func TestEntriesAreMadeAgainAsTheyCameSecretsAndTheFleetLeftOut(t *testing.T) {
	sum, own, of, route := digestOf(1), idOf(1), idOf(2), idOf(3)
	odd := keyEntry(t, &directoryv1.ApiKey{
		Digest: sum[:], Id: own[:], Consumer: of[:], Scopes: []string{"write", "read", "read"}, ExpiresAtMs: 17,
		Addresses: []string{"192.0.2.7/24", "::ffff:10.0.0.0/104"}, Watched: true, Imported: true, Routes: [][]byte{route[:], of[:], route[:]},
	})
	person := consumerEntry(t, 2, &directoryv1.Consumer{
		Name: "shop", Labels: map[string]string{"b": "2", "a": "1", "c": "3"}, Metadata: map[string]string{"z": "", "y": "1"}, Suspended: true,
	})
	plain, hidden, seasoning := apiKey(t, 3, 2), secret(t, 4, "hidden"), pepper(t, 1)
	member := idOf(5)
	crew := fleet(t, member[:])
	entries := []*edgev1.EntryChange{
		odd, person, plain, hidden, seasoning, crew,
		blockedConsumer(t, 6, 2, 0), blockedKey(t, 7, 1, 17), blockedRange(t, 8, "192.0.2.0/24", 0), blockedRange(t, 9, "192.0.2.7/32", 18),
		blockedRange(t, 10, "2001:db8::/33", 0), blockedRange(t, 11, "::/0", 0), blockedRange(t, 12, "0.0.0.0/0", 0), blockedRange(t, 13, "::1/128", 0),
		blockedToken(t, 14, 1, "t", 0), blockedSubject(t, 15, 1, "s", 19), blockedToken(t, 16, 1, "t", 17),
		keySet(t, 17, &directoryv1.KeySet{Keys: [][]byte{[]byte("a"), []byte("b")}, Retired: []*directoryv1.RetiredKey{{Thumbprint: thumbprint(1), RetiredAtMs: 3}}}),
	}
	d := New()
	apply(t, d, entries...)

	sums := d.BucketSums()
	var tree digest.Tree
	for at := range sums {
		tree.Set(uint16(at), sums[at])
		if digest.BucketSum(d.BucketHashes(uint16(at))) != sums[at] {
			t.Fatalf("the hashes of bucket %d don't give its sum", at)
		}
	}
	if _, head := d.Head(); tree.Head() != head {
		t.Error("the sums don't give the digest")
	}
	for _, entry := range entries {
		at := digest.Key(entry.GetKey()).Bucket()
		got := d.Stored(at, map[digest.Hash]bool{digest.HashOf(entry.GetEntry()): true})
		kept := entry != hidden && entry != seasoning && entry != crew
		if !kept && len(got) != 0 || kept && (len(got) != 1 || !bytes.Equal(got[0], entry.GetEntry())) {
			t.Errorf("%x is shown as %x", entry.GetEntry(), got)
		}
	}
	if got := d.Stored(digest.Key(plain.GetKey()).Bucket(), map[digest.Hash]bool{{}: true}); len(got) != 0 {
		t.Errorf("shown unasked: %x", got)
	}
}
