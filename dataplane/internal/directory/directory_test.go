package directory

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func TestEmptyDirectoryKnowsNothingAndHasTheEmptyDigest(t *testing.T) {
	d := New()
	if _, found := d.Key(digestOf(1)); found {
		t.Error("found a key")
	}
	if _, found := d.Consumer(idOf(1)); found {
		t.Error("found a consumer")
	}
	if _, found := d.Secret(idOf(1)); found {
		t.Error("found a secret")
	}
	sequence, sum := d.Head()
	if sequence != 0 || sum != new(digest.Tree).Head() || len(d.Peppers()) != 0 || d.Counts() != (Counts{}) {
		t.Errorf("%d, %v, %v, %v", sequence, sum, d.Peppers(), d.Counts())
	}
}

func TestWhatWasAppliedIsFound(t *testing.T) {
	sum, keyID, consumerID := digestOf(1), idOf(1), idOf(2)
	entries := []*edgev1.EntryChange{
		keyEntry(t, &directoryv1.ApiKey{
			Digest: sum[:], Id: keyID[:], Consumer: consumerID[:], Scopes: []string{"write", "read", "read"},
			ExpiresAtMs: 42, Addresses: []string{"10.1.2.3/8", "::ffff:192.0.2.0/120", "2001:db8::/32"},
		}),
		consumerEntry(t, 2, &directoryv1.Consumer{Name: "shop", Labels: map[string]string{"a": "b"}, Metadata: map[string]string{"c": "d"}, Suspended: true}),
		secret(t, 3, "material"),
		pepper(t, 1),
	}
	ways := map[string]func(*testing.T, *Directory){
		"by delta":    func(t *testing.T, d *Directory) { t.Helper(); apply(t, d, entries...) },
		"by snapshot": func(t *testing.T, d *Directory) { t.Helper(); load(t, d, 1, entries...) },
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			d := New()
			way(t, d)
			key, found := d.Key(sum)
			if !found || key.ID != keyID || key.Consumer() != consumerID || key.ExpiresMs != 42 || !slices.Equal(key.Scopes.All(), []string{"read", "write"}) {
				t.Errorf("key %+v, %v", key, found)
			}
			for address, want := range map[string]bool{"10.9.9.9": true, "::ffff:10.9.9.9": true, "192.0.2.9": true, "11.0.0.1": false, "2001:db8::1": true, "2001:db9::1": false, "2001:db8::1%eth0": true} {
				if key.Addresses.Allows(netip.MustParseAddr(address)) != want {
					t.Errorf("%s: allowed is not %v", address, want)
				}
			}
			c, found := d.Consumer(consumerID)
			if !found || c.ID != consumerID || c.Name != "shop" || c.Labels()["a"] != "b" || c.Metadata()["c"] != "d" || !c.Suspended() {
				t.Errorf("consumer %+v, %v", c, found)
			}
			if value, found := d.Secret(idOf(3)); !found || string(value) != "material" {
				t.Errorf("secret %q, %v", value, found)
			}
			want, err := apikey.NewPepper(pepperSecret(1))
			if err != nil || len(d.Peppers()) != 1 || d.Peppers()[0].Digest("x") != want.Digest("x") {
				t.Errorf("peppers %v, %v", d.Peppers(), err)
			}
			if sequence, _ := d.Head(); sequence != 1 || d.Counts() != (Counts{Keys: 1, Consumers: 1, Secrets: 1, Peppers: 1}) {
				t.Errorf("sequence %d, %+v", sequence, d.Counts())
			}
		})
	}
}

func TestRevokedKeyIsGone(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 9, "shop"), apiKey(t, 1, 9), apiKey(t, 2, 9))
	apply(t, d, gone(apiKey(t, 1, 9)))
	if _, found := d.Key(digestOf(1)); found {
		t.Error("the revoked key is found")
	}
	if _, found := d.Key(digestOf(2)); !found {
		t.Error("the other key is gone")
	}
}

func TestLastChangeOfAnEntryCounts(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "first"), gone(consumer(t, 1, "")), consumer(t, 1, "third"), apiKey(t, 1, 1), gone(apiKey(t, 1, 1)))
	if c, found := d.Consumer(idOf(1)); !found || c.Name != "third" {
		t.Errorf("%+v, %v", c, found)
	}
	if _, found := d.Key(digestOf(1)); found || d.Counts() != (Counts{Consumers: 1}) {
		t.Errorf("found %v, %+v", found, d.Counts())
	}
}

func TestNewestThreePeppersAreUsedNewestFirst(t *testing.T) {
	d := New()
	apply(t, d, pepper(t, 2), pepper(t, 10), pepper(t, 1), pepper(t, 3))
	check := func(versions ...uint32) {
		t.Helper()
		var want, got []apikey.Digest
		for _, version := range versions {
			p, err := apikey.NewPepper(pepperSecret(version))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, p.Digest("x"))
		}
		for _, p := range d.Peppers() {
			got = append(got, p.Digest("x"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("not versions %v", versions)
		}
	}
	check(10, 3, 2)
	apply(t, d, gone(pepper(t, 3)))
	check(10, 2, 1)
	apply(t, d, pepper(t, 11), gone(pepper(t, 10)))
	check(11, 2, 1)
}

func TestSnapshotReplacesEverything(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "old"), apiKey(t, 1, 1), secret(t, 1, "old"), pepper(t, 1))
	load(t, d, 7, consumer(t, 2, "new"))
	_, key := d.Key(digestOf(1))
	_, consumerFound := d.Consumer(idOf(1))
	_, secretFound := d.Secret(idOf(1))
	if key || consumerFound || secretFound || len(d.Peppers()) != 0 {
		t.Error("something of before is left")
	}
	if c, found := d.Consumer(idOf(2)); !found || c.Name != "new" {
		t.Errorf("%+v, %v", c, found)
	}
}

func TestStaleChangeIsRefused(t *testing.T) {
	d := New()
	first, err := d.Prepare([]*edgev1.EntryChange{apiKey(t, 1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := d.PrepareSnapshot(all(nil))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, d, apiKey(t, 2, 1))
	for name, change := range map[string]*Change{"delta": first, "snapshot": snapshot} {
		if err := d.Commit(change, 9); !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sequence, _ := d.Head(); sequence != 1 {
		t.Errorf("at %d", sequence)
	}
}

func TestDroppedChangeLeavesNoTrace(t *testing.T) {
	d := New()
	apply(t, d, apiKey(t, 1, 1, "read"), consumer(t, 1, "shop"), pepper(t, 1))
	_, before := d.Head()
	counts := d.Counts()
	if _, err := d.Prepare([]*edgev1.EntryChange{gone(apiKey(t, 1, 1)), apiKey(t, 2, 1, "write"), gone(consumer(t, 1, "")), pepper(t, 2)}); err != nil {
		t.Fatal(err)
	}
	apply(t, d)
	if _, after := d.Head(); after != before || d.Counts() != counts {
		t.Error("a change that wasn't committed shows")
	}
	apply(t, d, apiKey(t, 3, 1, "write"))
	if key, found := d.Key(digestOf(3)); !found || !key.Scopes.Has("write") || key.Scopes.Has("read") {
		t.Errorf("%+v, %v", key, found)
	}
}

func TestSameSetsAreShared(t *testing.T) {
	d := New()
	apply(t, d, apiKey(t, 1, 1, "a", "b"), apiKey(t, 2, 1, "a", "b"), apiKey(t, 3, 1, "ab"), apiKey(t, 4, 1))
	key := func(n int) Key { k, _ := d.Key(digestOf(n)); return k }
	if key(1).Scopes != key(2).Scopes || key(1).Scopes == key(3).Scopes || key(4).Scopes != (ScopeSet{}) {
		t.Error("sets aren't shared as they should be")
	}
}

func TestSetsOfAllSizes(t *testing.T) {
	var names []string
	for n := range 3 * linearScopes {
		set := NewScopeSet(names...)
		for i, name := range names {
			if !set.Has(name) || set.Has(name+"x") || set.Len() != n {
				t.Fatalf("%d of %d", i, n)
			}
		}
		names = append(names, fmt.Sprintf("scope-%d", n))
	}
	if (ScopeSet{}).Has("") || (AddressSet{}).Contains(netip.MustParseAddr("::1")) || !(AddressSet{}).Allows(netip.MustParseAddr("::1")) {
		t.Error("an empty set isn't empty, or pins")
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	d := New()
	apply(t, d, apiKey(t, 1, 1, "read"), consumer(t, 1, "shop"), secret(t, 1, "x"), pepper(t, 1))
	hit, miss, who := digestOf(1), digestOf(2), idOf(1)
	address := netip.MustParseAddr("10.0.0.1")
	allocs := testing.AllocsPerRun(100, func() {
		key, found := d.Key(hit)
		_, missed := d.Key(miss)
		_, consumerFound := d.Consumer(who)
		_, secretFound := d.Secret(who)
		if !found || missed || !consumerFound || !secretFound || !key.Scopes.Has("read") || !key.Addresses.Allows(address) || len(d.Peppers()) != 1 {
			t.Error("wrong answer")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestTheFleetIsWhatTheLatestEntrySays(t *testing.T) {
	d := New()
	if d.Fleet() != nil {
		t.Fatal("an empty directory knows a fleet")
	}
	a, b := idOf(1), idOf(2)
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	apply(t, d, fleet(t, a[:], b[:]))
	if rank, listed := d.Fleet().Rank(b); rank != 1 || !listed {
		t.Errorf("the second node is at %d, %v", rank, listed)
	}
	was := d.Fleet()
	apply(t, d, consumer(t, 3, "shop"))
	if d.Fleet() != was {
		t.Error("another entry's change made another fleet")
	}
	load(t, d, 9, fleet(t, b[:]))
	if _, listed := d.Fleet().Rank(a); listed || len(d.Fleet().Nodes) != 1 {
		t.Errorf("after a snapshot the fleet is %v", d.Fleet().Nodes)
	}
	apply(t, d, gone(fleet(t)))
	if d.Fleet() != nil {
		t.Error("a fleet that is gone is still known")
	}
}

func TestTicketKeysComeAndGoLikeAnyEntry(t *testing.T) {
	others := []*edgev1.EntryChange{consumer(t, 1, "shop"), apiKey(t, 2, 1), secret(t, 3, "s"), pepper(t, 1), fleet(t)}
	d, before := New(), New()
	apply(t, d, others...)
	apply(t, before, others...)
	apply(t, d, ticketEntry(t, 1))
	apply(t, d, ticketEntry(t, 2, 1))
	if got := d.TicketKeys(); got == nil || len(got.Keys) != 2 || got.Keys[0] != TicketKey(bytes.Repeat([]byte{2}, 32)) {
		t.Fatalf("the keys are %v", got)
	}
	loaded := New()
	load(t, loaded, 4, append(others, ticketEntry(t, 2, 1))...)
	if got, want := loaded.TicketKeys(), d.TicketKeys(); got == nil || !slices.Equal(got.Keys, want.Keys) {
		t.Errorf("a snapshot has %d of them", len(got.Keys))
	}
	if _, want := d.Head(); headOf(loaded) != want {
		t.Error("by changes and by a snapshot they have different digests")
	}
	apply(t, d, gone(ticketEntry(t, 1)))
	if d.TicketKeys() != nil || headOf(d) != headOf(before) {
		t.Error("keys that are gone are still there")
	}
}

func headOf(d *Directory) digest.Sum {
	_, sum := d.Head()
	return sum
}

func ticketEntry(t *testing.T, versions ...byte) *edgev1.EntryChange {
	t.Helper()
	keys := &directoryv1.TicketKeys{}
	for _, version := range versions {
		keys.Keys = append(keys.Keys, &directoryv1.TicketKey{Version: uint32(version), Value: bytes.Repeat([]byte{version}, 32), CreatedAtMs: 1})
	}
	key := digest.KeyOf("ticket-keys", "ticket-keys")
	return &edgev1.EntryChange{Key: key[:], Entry: stored(t, &directoryv1.Entry{Body: &directoryv1.Entry_TicketKeys{TicketKeys: keys}})}
}

func TestTicketKeysAreWhatTheLatestEntrySaysNewestFirst(t *testing.T) {
	d := New()
	if d.TicketKeys() != nil {
		t.Error("an empty directory has ticket keys")
	}
	apply(t, d, ticketEntry(t, 1))
	apply(t, d, ticketEntry(t, 3, 2, 1))
	was := d.TicketKeys()
	if len(was.Keys) != 3 || was.Keys[0] != TicketKey(bytes.Repeat([]byte{3}, 32)) || was.Keys[2] != TicketKey(bytes.Repeat([]byte{1}, 32)) {
		t.Errorf("%d keys", len(was.Keys))
	}
	apply(t, d, consumer(t, 3, "shop"))
	if d.TicketKeys() != was {
		t.Error("another pointer, though nothing changed")
	}
	for _, text := range []string{fmt.Sprint(was), fmt.Sprintf("%v", was), fmt.Sprintf("%#v", was)} {
		if text != "ticket keys" {
			t.Errorf("printed %q", text)
		}
	}
	for name, bad := range map[string]*edgev1.EntryChange{
		"none": ticketEntry(t), "four": ticketEntry(t, 4, 3, 2, 1), "out of order": ticketEntry(t, 1, 2), "twice": ticketEntry(t, 2, 2), "without version": ticketEntry(t, 0),
	} {
		if _, err := d.Prepare([]*edgev1.EntryChange{bad}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key := digest.KeyOf("ticket-keys", "ticket-keys")
	load(t, d, 9, ticketEntry(t, 7))
	if keys := d.TicketKeys(); len(keys.Keys) != 1 || keys.Keys[0][0] != 7 {
		t.Errorf("after a snapshot: %d keys", len(keys.Keys))
	}
	apply(t, d, &edgev1.EntryChange{Key: key[:]})
	if d.TicketKeys() != nil {
		t.Error("ticket keys that are gone are there")
	}
}
