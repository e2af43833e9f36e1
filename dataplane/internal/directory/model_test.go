package directory

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// model is a directory as one would write it without a thought of speed: entries by key.
type model map[digest.Key]*edgev1.EntryChange

func (m model) apply(changes []*edgev1.EntryChange) {
	for _, change := range changes {
		if key := digest.Key(change.GetKey()); len(change.GetEntry()) == 0 {
			delete(m, key)
		} else {
			m[key] = change
		}
	}
}

func (m model) digest() digest.Sum {
	var set digest.Set
	for key, change := range m {
		set.Put(key, digest.HashOf(change.GetEntry()))
	}
	return set.Head()
}

const population = 60

// randomChange changes one of a small population, so that entries are replaced and removed often.
func randomChange(t testing.TB, r *rand.Rand) *edgev1.EntryChange {
	t.Helper()
	n := r.IntN(population)
	change := []func() *edgev1.EntryChange{
		func() *edgev1.EntryChange { return apiKey(t, n, r.IntN(population), fmt.Sprint("scope-", r.IntN(5))) },
		func() *edgev1.EntryChange { return consumer(t, n, fmt.Sprint("name-", r.IntN(1000))) },
		func() *edgev1.EntryChange { return secret(t, n, fmt.Sprint("value-", r.IntN(1000))) },
		func() *edgev1.EntryChange { return pepper(t, uint32(1+n%5)) },
		func() *edgev1.EntryChange { return randomBlock(t, r, n) },
	}[r.IntN(5)]()
	if r.IntN(3) == 0 {
		return gone(change)
	}
	return change
}

// Blocks in tests end at one of these times, or never.
const blockEnds = 1000

// crowd are ranges that overlap, and addresses in and around them.
var (
	crowd = []string{
		"0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "10.1.2.2/31", "192.0.2.0/24",
		"::/0", "2001:db8::/32", "2001:db8::/64", "2001:db8::1/128", "2001:db8:0:0:8000::/65", "::ffff:10.1.2.0/120",
	}
	passers = []string{
		"10.1.2.3", "10.1.2.2", "10.1.2.4", "10.1.3.1", "10.9.9.9", "192.0.2.200", "203.0.113.1", "::ffff:10.1.2.3", "::ffff:203.0.113.1",
		"2001:db8::1", "2001:db8::2", "2001:db8:0:0:9000::1", "2001:db8:1::1", "2001:db9::1", "::1", "fe80::1%eth0",
	}
)

func randomBlock(t testing.TB, r *rand.Rand, n int) *edgev1.EntryChange {
	t.Helper()
	until := int64(r.IntN(4)) * blockEnds
	switch of := r.IntN(population / 4); r.IntN(5) {
	case 0:
		return blockedConsumer(t, n, of, until)
	case 1:
		return blockedKey(t, n, of, until)
	case 2:
		return blockedToken(t, n, of, fmt.Sprint("named-", of%3), until)
	case 3:
		return blockedSubject(t, n, of, fmt.Sprint("named-", of%3), until)
	default:
		return blockedRange(t, n, crowd[r.IntN(len(crowd))], until)
	}
}

// agreeOnBlocks holds what is blocked, before and at each time at which blocks end, against a walk over all of them.
func agreeOnBlocks(t *testing.T, d *Directory, m model) {
	t.Helper()
	var all []*directoryv1.Block
	for _, change := range m {
		var entry directoryv1.Entry
		if err := proto.Unmarshal(change.GetEntry(), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.GetBlock() != nil {
			all = append(all, entry.GetBlock())
		}
	}
	if d.Counts().Blocks != len(all) {
		t.Fatalf("%d blocks, want %d", d.Counts().Blocks, len(all))
	}
	for _, at := range []int64{blockEnds - 1, blockEnds, 2*blockEnds - 1, 2 * blockEnds, 3 * blockEnds} {
		blocked := func(is func(*directoryv1.Block) bool) bool {
			return slices.ContainsFunc(all, func(k *directoryv1.Block) bool {
				until := k.GetExpiresAtMs()
				return (until == 0 || at < until) && is(k)
			})
		}
		b := d.state.Load().blocks.Load()
		if (b == nil) != (len(all) == 0) {
			t.Fatalf("%d blocks, and what readers look at is nil: %v", len(all), b == nil)
		}
		for n := range population / 4 {
			one := idOf(n)
			if want := blocked(func(k *directoryv1.Block) bool { return bytes.Equal(k.GetConsumer(), one[:]) }); want != (b != nil && b.consumer(one, at)) {
				t.Fatalf("consumer %d at %d: blocked must be %v", n, at, want)
			}
			if want := blocked(func(k *directoryv1.Block) bool { return bytes.Equal(k.GetApiKey(), one[:]) }); want != (b != nil && b.credential(one, at)) {
				t.Fatalf("key %d at %d: blocked must be %v", n, at, want)
			}
		}
		for n := range population / 4 {
			one, text := idOf(n), fmt.Sprint("named-", n%3)
			token := blocked(func(k *directoryv1.Block) bool {
				return bytes.Equal(k.GetToken().GetIssuer(), one[:]) && k.GetToken().GetId() == text
			})
			if token != (b != nil && b.tokens.issued(one, text, at)) {
				t.Fatalf("token of issuer %d at %d: blocked must be %v", n, at, token)
			}
			subject := blocked(func(k *directoryv1.Block) bool {
				return bytes.Equal(k.GetSubject().GetIssuer(), one[:]) && k.GetSubject().GetSubject() == text
			})
			if subject != (b != nil && b.subjects.issued(one, text, at)) {
				t.Fatalf("subject of issuer %d at %d: blocked must be %v", n, at, subject)
			}
		}
		for _, text := range passers {
			address := netip.MustParseAddr(text)
			want := blocked(func(k *directoryv1.Block) bool {
				r, err := netip.ParsePrefix(k.GetAddressRange())
				return err == nil && plainRange(r).Contains(address.Unmap().WithZone(""))
			})
			if got := d.AddressBlocked(address, time.UnixMilli(at)); got != want {
				t.Fatalf("%s at %d: blocked %v, want %v", text, at, got, want)
			}
		}
	}
}

// agree compares everything that readers can see.
func agree(t *testing.T, d *Directory, m model) {
	t.Helper()
	if _, sum := d.Head(); sum != m.digest() {
		t.Fatal("the digest is another than the model's")
	}
	var counts Counts
	for n := range population {
		wantKey := m[digest.Key(digestOf(n))]
		key, found := d.Key(digestOf(n))
		if found != (wantKey != nil) {
			t.Fatalf("key %d: found %v", n, found)
		}
		if found {
			counts.Keys++
			f, err := decode(wantKey)
			if err != nil || key.ID != f.id || key.Consumer() != f.holder || !slices.Equal(key.Scopes.All(), textsOf(f.scopes)) {
				t.Fatalf("key %d: %+v, %v", n, key, err)
			}
		}
		wantConsumer := m[digest.Key(consumer(t, n, "").GetKey())]
		c, found := d.Consumer(idOf(n))
		if found != (wantConsumer != nil) {
			t.Fatalf("consumer %d: found %v", n, found)
		}
		if found {
			counts.Consumers++
			if f, err := decode(wantConsumer); err != nil || c.Name != f.consumer.Name {
				t.Fatalf("consumer %d: %+v, %v", n, c, err)
			}
			if same, found := d.ConsumerNamed(c.Name); !found || same.Name != c.Name {
				t.Fatalf("%q, consumer %d, is found by name as %+v, %v", c.Name, n, same, found)
			}
		}
		wantSecret := m[digest.Key(secret(t, n, "").GetKey())]
		value, found := d.Secret(idOf(n))
		if found != (wantSecret != nil) {
			t.Fatalf("secret %d: found %v", n, found)
		}
		if found {
			counts.Secrets++
			if f, err := decode(wantSecret); err != nil || !bytes.Equal(value, f.secret) {
				t.Fatalf("secret %d: %v", n, err)
			}
		}
	}
	if held := namesHeld(d); held != counts.Consumers {
		t.Fatalf("%d names of %d consumers", held, counts.Consumers)
	}
	for version := range uint32(6) {
		if version > 0 && m[digest.Key(pepper(t, version).GetKey())] != nil {
			counts.Peppers++
		}
	}
	agreeOnBlocks(t, d, m)
	counts.Blocks = d.Counts().Blocks
	if d.Counts() != counts || len(d.Peppers()) != min(counts.Peppers, maxPeppers) {
		t.Fatalf("%+v and %d peppers, want %+v", d.Counts(), len(d.Peppers()), counts)
	}
}

func TestRandomHistoriesAgreeWithTheModel(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		d, m := New(), model{}
		for step := range 60 {
			var changes []*edgev1.EntryChange
			for range r.IntN(12) {
				changes = append(changes, randomChange(t, r))
			}
			if _, err := d.Prepare(changes); err != nil { // dropped
				t.Fatal(err)
			}
			m.apply(changes)
			if r.IntN(10) == 0 {
				load(t, d, uint64(step), slices.Collect(maps.Values(m))...)
			} else {
				apply(t, d, changes...)
			}
			agree(t, d, m)
		}
	}
}

// Many keys in one bucket, so that its tags are met at every density.
func TestDenseBucketFindsAllOfItsKeysAndNoOthers(t *testing.T) {
	findsItsKeysAlone(t, func(*digest.Key) {}, 1, 2, 3, 100, 5000)
}

// Digests lie evenly, but nothing may depend on it.
func TestBucketOfCrowdedKeysFindsAllOfThemAndNoOthers(t *testing.T) {
	findsItsKeysAlone(t, func(key *digest.Key) { key[1], key[2] = 15, 255 }, 1, 2, 3, 300)
	findsItsKeysAlone(t, func(key *digest.Key) { key[1], key[2], key[3] = 0, 3, key[3]&1 }, 1, 2, 3, 300)
}

func findsItsKeysAlone(t *testing.T, crowd func(*digest.Key), sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		keys := make([]digest.Key, 0, n)
		r := rand.New(rand.NewPCG(uint64(n), 2))
		for range n {
			var key digest.Key
			for i := 1; i < len(key); i++ {
				key[i] = byte(r.Uint32())
			}
			key[1] &= 15
			crowd(&key)
			keys = append(keys, key)
		}
		keys[0] = digest.Key{}
		slices.SortFunc(keys, digest.Key.Compare)
		l := lines{all: make([]line, n)}
		for i := range keys {
			l.all[i].set(&record{key: keys[i], expires: int64(i % 3)}, digest.Hash{}, 0)
		}
		b := l.bucket()
		for i := range keys {
			if b.find(&keys[i]) != i || b.expires(i) != int64(i%3) {
				t.Fatalf("key %d of %d isn't found", i, n)
			}
			other := keys[i]
			other[31]++
			if b.find(&other) >= 0 {
				t.Fatalf("found what isn't there")
			}
		}
	}
}
