package usage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// number is a key of which several have one hash.
type number int

func (n number) hash() uint64 { return uint64(n/3) * 0x9e3779b97f4a7c15 }

// A table is told what a map is told, at random, and says the same.
func TestATableCountsAsAMapDoesWhateverIsTakenOut(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var got table[number, int]
			want := map[number]int{}
			keys := 1 + random.IntN(3000)
			for range 20_000 {
				key := number(random.IntN(keys))
				switch random.IntN(20) {
				case 0, 1:
					counts, known := want[key]
					if got.remove(key.hash(), &key, func(c int) bool { return c == counts+1 }) {
						t.Fatal("a key was taken out with counts that it doesn't have")
					}
					if got.remove(key.hash(), &key, func(c int) bool { return c == counts }) != known {
						t.Fatalf("%d is there: %v, and the table says otherwise", key, known)
					}
					delete(want, key)
				case 2:
					n := random.IntN(min(got.len(), 30) + 1)
					for _, e := range got.all()[:n] {
						delete(want, e.key)
					}
					got.drop(n)
				case 3:
					if random.IntN(200) == 0 {
						got.reset()
						clear(want)
					}
				default:
					*got.at(key.hash(), &key)++
					want[key]++
				}
			}
			if said := said(&got); !maps.Equal(said, want) || got.len() != len(want) {
				t.Errorf("the table says %v, want %v", said, want)
			}
		})
	}
}

func said(t *table[number, int]) map[number]int {
	said := map[number]int{}
	for _, e := range t.all() {
		said[e.key] += e.counts
	}
	return said
}

func TestATableKeepsTheOrderInWhichItsKeysCame(t *testing.T) {
	var counted table[number, int]
	for n := range number(1000) {
		*counted.at(n.hash(), &n)++
		if n%3 == 0 {
			counted.drop(1)
		}
	}
	for i, e := range counted.all() {
		if want := number(334 + i); e.key != want {
			t.Fatalf("place %d has %d, want %d", i, e.key, want)
		}
	}
}

func TestATableThatWasLargeOnceGivesItsMemoryBackAndOneThatIsFilledAgainKeepsIt(t *testing.T) {
	var counted table[number, int]
	fill := func(n number) {
		for i := range n {
			*counted.at(i.hash(), &i)++
		}
	}
	const many = 10_000
	fill(many)
	counted.reset()
	counted.reset() // of nothing
	entries, slots := &counted.entries[:1][0], &counted.slots[0]
	fill(many)
	if &counted.entries[0] != entries || &counted.slots[0] != slots {
		t.Error("filled again it has other memory")
	}
	counted.reset()
	fill(10)
	counted.reset()
	if cap(counted.entries) > 0 || len(counted.slots) > 0 {
		t.Errorf("it keeps room for %d", cap(counted.entries))
	}
}

func TestASetOfHashesHasWhatWasAdded(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var set hashes
	const many = 20_000
	for round := range 2 {
		added := make([]uint64, 0, many)
		for range many {
			added = append(added, random.Uint64())
			set.add(added[len(added)-1])
			set.add(added[random.IntN(len(added))])
		}
		wrong := 0
		for range many {
			if set.has(random.Uint64()) {
				wrong++
			}
		}
		for _, hash := range added {
			if !set.has(hash) {
				t.Fatalf("round %d: %x was added and isn't there", round, hash)
			}
		}
		if wrong > 0 || set.count != many {
			t.Errorf("round %d: it says to have %d of %d, and %d that it hasn't", round, set.count, many, wrong)
		}
		set.reset()
		if set.has(added[0]) {
			t.Errorf("round %d: it was emptied, and has one", round)
		}
	}
}
