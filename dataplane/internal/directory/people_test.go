package directory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// knows holds n keys, each of a consumer of its own, against what the directory finds; of who isn't there only the key.
func knows(t *testing.T, d *Directory, n int, there func(int) bool) {
	t.Helper()
	for i := range n {
		key, found := d.Key(digestOf(i))
		if !found || key.ID != idOf(i) || key.Consumer() != idOf(i) {
			t.Fatalf("key %d: %v, of %v", i, found, key.Consumer())
		}
		c, found := d.Consumer(idOf(i))
		if found != there(i) || found && (c.ID != idOf(i) || c.Name != fmt.Sprint("name-", i)) {
			t.Fatalf("consumer %d: %+v, %v", i, c, found)
		}
		if let, code := d.Admit(&key, home, blockTime); (code == "") != there(i) || let != c {
			t.Fatalf("key %d of a consumer that is there, %v: %q", i, there(i), code)
		}
	}
}

// More people than a chunk takes, of whom some come later than their keys, some go again and some never come.
func TestKeysFindTheirConsumersWhicheverComesFirst(t *testing.T) {
	const n = 3*slots + 7
	var keys, some, others []*edgev1.EntryChange
	for i := range n {
		keys = append(keys, apiKey(t, i, i, "read"))
		if who := consumer(t, i, fmt.Sprint("name-", i)); i%3 == 0 {
			some = append(some, who)
		} else if i%3 == 1 {
			others = append(others, who)
		}
	}
	for name, begin := range map[string]func(*Directory){
		"by delta":    func(d *Directory) { apply(t, d, append(some, keys...)...) },
		"by snapshot": func(d *Directory) { load(t, d, 1, append(keys, some...)...) },
	} {
		t.Run(name, func(t *testing.T) {
			d := New()
			begin(d)
			knows(t, d, n, func(i int) bool { return i%3 == 0 })
			apply(t, d, others...)
			knows(t, d, n, func(i int) bool { return i%3 != 2 })
			var left []*edgev1.EntryChange
			for _, who := range some {
				left = append(left, gone(who))
			}
			apply(t, d, left...)
			knows(t, d, n, func(i int) bool { return i%3 == 1 })
		})
	}
}

// A consumer that a reader holds stays what it was, whoever is changed beside it.
func TestAConsumerThatWasFoundNeverChanges(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "first"), consumer(t, 2, "second"))
	was, _ := d.Consumer(idOf(1))
	apply(t, d, consumerEntry(t, 1, &directoryv1.Consumer{Name: "other", Suspended: true}), gone(consumer(t, 2, "")))
	if was.Name != "first" || was.Suspended() {
		t.Errorf("it became %+v", was)
	}
	if is, found := d.Consumer(idOf(1)); !found || is.Name != "other" || !is.Suspended() {
		t.Errorf("found %+v, %v", is, found)
	}
}

// People come and go until their numbers are taken back, several times; nobody notices, and what was prepared before is stale.
func TestNumbersOfWhoIsGoneAreTakenBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	d, m := New(), model{}
	renumbered := 0
	for step := range 300 {
		var changes []*edgev1.EntryChange
		for range 6 {
			changes = append(changes, randomChange(t, r))
		}
		passing := consumer(t, population+step, "passing")
		changes = append(changes, passing, apiKey(t, population+step, population+2*step, fmt.Sprint("scope-", step)))
		d.state.Load().people.room = population + 50
		before := d.state.Load()
		waiting, err := d.Prepare(changes)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, d, changes...)
		m.apply(changes)
		if after := d.state.Load(); after != before {
			renumbered++
			if after.people.count >= before.people.count || len(after.attributes.list) >= len(before.attributes.list) {
				t.Fatalf("%d numbers and %d sets became %d and %d", before.people.count, len(before.attributes.list), after.people.count, len(after.attributes.list))
			}
		}
		if err := d.Commit(waiting, 1); err == nil {
			t.Fatal("a change from before another was committed")
		}
		if _, sum := d.Head(); sum != m.digest() {
			t.Fatal("the digest is another than the model's")
		}
		left := []*edgev1.EntryChange{gone(passing), gone(apiKey(t, population+step, 0))}
		apply(t, d, left...)
		m.apply(left)
		agree(t, d, m)
	}
	if renumbered < 3 {
		t.Errorf("renumbered %d times", renumbered)
	}
}

// Indices of one, two and three bytes, and none; each with an end or without.
func TestKeysOfABucketAreTheirsWhateverTheirIndicesTake(t *testing.T) {
	for _, highest := range []uint32{0, 1, 255, 256, 1<<16 - 1, 1 << 16, maxAttributes - 1} {
		l := lines{}
		for i := range 20 {
			r := record{key: [32]byte{3: byte(i), 31: 1}, id: idOf(i), expires: int64(i % 2), detail: min(uint32(i), highest), kind: kindKey}
			if i == 19 {
				r.detail = highest
			}
			l.all = append(l.all, line{})
			l.all[i].set(&r, [16]byte{byte(i)}, uint32(1<<24-1-i))
		}
		want := append([]line(nil), l.all...)
		b := l.bucket()
		l.open(b, nil)
		for i := range want {
			if l.all[i] != want[i] {
				t.Fatalf("up to %d: key %d became %+v, not %+v", highest, i, l.all[i], want[i])
			}
		}
	}
}

// Whose key it is is told by an id alone where nobody has a key at hand.
func TestAKeyOfNobodysMakingProvesItsConsumer(t *testing.T) {
	d := New()
	apply(t, d, consumer(t, 1, "shop"), consumer(t, 2, "other"))
	for _, who := range []int{1, 2} {
		key := KeyOf(idOf(who), NewScopeSet("read"))
		if c, code := d.Admit(&key, home, blockTime); code != "" || c.ID != idOf(who) {
			t.Errorf("%d: %q", who, code)
		}
	}
	if key := KeyOf(id.ID{9}, ScopeSet{}); key.Consumer() != (id.ID{9}) {
		t.Error("it names another")
	} else if _, code := d.Admit(&key, home, blockTime); code == "" {
		t.Error("who isn't there is let in")
	}
}

// A key that was found before a snapshot gave its consumer's number to another still proves its own.
func TestAKeyFromBeforeASnapshotProvesItsOwnConsumer(t *testing.T) {
	d := New()
	load(t, d, 1, consumer(t, 1, "one"), consumer(t, 2, "two"), apiKey(t, 1, 1))
	key, _ := d.Key(digestOf(1))
	load(t, d, 2, consumer(t, 2, "two"), consumer(t, 1, "one"))
	if c, code := d.Admit(&key, home, blockTime); code != "" || c.Name != "one" {
		t.Errorf("it proves %+v, %q", c, code)
	}
	load(t, d, 3, consumer(t, 2, "two"))
	if c, code := d.Admit(&key, home, blockTime); code == "" {
		t.Errorf("it proves %+v", c)
	}
}
