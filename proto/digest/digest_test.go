package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// fromScratch is the construction as doc.go states it, without any of the package's own steps.
func fromScratch(entries map[Key]Hash) Sum {
	keys := make([]Key, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	var hashes [4096][]byte
	for _, key := range keys {
		hash := entries[key]
		bucket := int(key[0])*16 + int(key[1])/16
		hashes[bucket] = append(hashes[bucket], hash[:]...)
	}
	var groups []byte
	for g := range 64 {
		var sums []byte
		for b := range 64 {
			sum := make([]byte, 32)
			if h := hashes[g*64+b]; len(h) > 0 {
				full := sha256.Sum256(h)
				sum = full[:]
			}
			sums = append(sums, sum...)
		}
		sum := sha256.Sum256(sums)
		groups = append(groups, sum[:]...)
	}
	return sha256.Sum256(groups)
}

// The vector is doc.go's; it was computed by another program.
func TestGoldenVector(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := func(what, value string) {
		t.Helper()
		if !strings.Contains(string(doc), value) {
			t.Errorf("doc.go lacks the %s %s", what, value)
		}
	}
	var set Set
	documented("empty head", set.Head().String())
	for _, e := range []struct{ kind, id, stored string }{{"route", "rt_14", "one"}, {"route", "rt_57", "two"}, {"service", "svc_1", "orders"}} {
		key, hash := KeyOf(e.kind, e.id), HashOf([]byte(e.stored))
		documented("key", key.String())
		documented("hash", hex.EncodeToString(hash[:]))
		set.Put(key, hash)
	}
	for _, bucket := range []uint16{2272, 3563} {
		if set.BucketSum(bucket).IsZero() {
			t.Fatalf("bucket %d is empty", bucket)
		}
		documented("bucket sum", set.BucketSum(bucket).String())
	}
	if set.BucketSum(0) != (Sum{}) {
		t.Error("an empty bucket's sum isn't zero")
	}
	set.Head()
	for _, group := range []int{35, 55} {
		documented("group sum", set.tree.groups[group].sum.String())
	}
	documented("empty group sum", emptyGroup.String())
	documented("head", set.Head().String())
}

func TestBucketIsTheFirstTwelveBits(t *testing.T) {
	for _, tt := range []struct {
		key  Key
		want uint16
	}{{Key{}, 0}, {Key{0xff, 0xff}, 4095}, {Key{0xab, 0xcd}, 0xabc}, {Key{0, 0x0f}, 0}, {Key{0, 0x10}, 1}} {
		if got := tt.key.Bucket(); got != tt.want {
			t.Errorf("%x: %d, want %d", tt.key[:2], got, tt.want)
		}
	}
}

func TestKeyOfHashesKindAndID(t *testing.T) {
	for _, id := range []string{"", "rt_1", strings.Repeat("x", 300)} {
		if KeyOf("route", id) != sha256.Sum256([]byte("route/"+id)) {
			t.Errorf("%q: another key", id)
		}
	}
}

func TestBucketSumCoversHashesInOrder(t *testing.T) {
	for n := range 200 {
		hashes := make([]Hash, n)
		var flat []byte
		for i := range hashes {
			hashes[i] = HashOf([]byte{byte(i)})
			flat = append(flat, hashes[i][:]...)
		}
		want := Sum(sha256.Sum256(flat))
		if n == 0 {
			want = Sum{}
		}
		if got := BucketSum(hashes); got != want {
			t.Fatalf("%d hashes: %s, want %s", n, got, want)
		}
	}
}

// Few distinct keys, so that random operations meet: two of each bucket, in two groups.
func someKeys() []Key {
	var keys []Key
	for b := range byte(8) {
		keys = append(keys, Key{b, 1}, Key{b, 2}, Key{0xf0 | b, 1}, Key{0xf0 | b, 2})
	}
	return keys
}

func TestIncrementalHeadIsTheHeadFromScratch(t *testing.T) {
	keys := someKeys()
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		var set Set
		model := map[Key]Hash{}
		for step := range 150 {
			key := keys[random.IntN(len(keys))]
			if random.IntN(3) == 0 {
				_, was := model[key]
				delete(model, key)
				if set.Delete(key) != was {
					t.Fatalf("seed %d step %d: Delete is wrong", seed, step)
				}
			} else {
				model[key] = HashOf([]byte{byte(random.IntN(4))})
				set.Put(key, model[key])
			}
			if step%7 == 0 && set.Head() != fromScratch(model) {
				t.Fatalf("seed %d step %d: another head", seed, step)
			}
		}
		agree(t, &set, model)
	}
}

// A clone is changed, dropped or kept, in turn with its origin; none may see another's changes.
func TestClonesDoNotSeeEachOthersChanges(t *testing.T) {
	keys := someKeys()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		sets := []*Set{new(Set)}
		models := []map[Key]Hash{{}}
		for range 300 {
			at := random.IntN(len(sets))
			key := keys[random.IntN(len(keys))]
			switch op := random.IntN(10); {
			case op == 0 && len(sets) < 6:
				sets = append(sets, sets[at].Clone())
				models = append(models, copyOf(models[at]))
			case op < 4:
				sets[at].Delete(key)
				delete(models[at], key)
			default:
				models[at][key] = HashOf([]byte{byte(random.IntN(4))})
				sets[at].Put(key, models[at][key])
			}
		}
		for i := range sets {
			agree(t, sets[i], models[i])
		}
	}
}

func TestHeadDoesNotDependOnTheOrderOfWrites(t *testing.T) {
	keys := someKeys()
	random := rand.New(rand.NewPCG(3, 3))
	var first Sum
	for round := range 10 {
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		var set Set
		for _, key := range keys {
			set.Put(key, HashOf([]byte("before")))
			set.Put(key, HashOf(key[:]))
		}
		if round == 0 {
			first = set.Head()
		}
		if set.Head() != first {
			t.Fatalf("round %d: another head", round)
		}
	}
}

func TestHeadTellsAnyChange(t *testing.T) {
	var set Set
	set.Put(Key{1}, Hash{1})
	set.Put(Key{2}, Hash{2})
	before := set.Head()
	changes := map[string]func(*Set){
		"hash":    func(s *Set) { s.Put(Key{1}, Hash{3}) },
		"added":   func(s *Set) { s.Put(Key{3}, Hash{3}) },
		"deleted": func(s *Set) { s.Delete(Key{1}) },
		"swapped": func(s *Set) { s.Put(Key{1}, Hash{2}); s.Put(Key{2}, Hash{1}) },
		"moved":   func(s *Set) { s.Delete(Key{1}); s.Put(Key{1, 0xff}, Hash{1}) },
	}
	for name, change := range changes {
		candidate := set.Clone()
		change(candidate)
		if candidate.Head() == before {
			t.Errorf("%s: same head", name)
		}
		if set.Head() != before {
			t.Errorf("%s: the origin changed", name)
		}
	}
}

func TestClonesMayBeUsedByTheirOwnGoroutines(t *testing.T) {
	var set Set
	for _, key := range someKeys() {
		set.Put(key, HashOf(key[:]))
	}
	before := set.Head()
	done := make(chan Sum)
	for i := range byte(4) {
		clone := set.Clone()
		go func() {
			for _, key := range someKeys() {
				clone.Put(key, Hash{i})
			}
			done <- clone.Head()
		}()
	}
	set.Put(Key{1, 1}, Hash{9})
	for range 4 {
		if sum := <-done; sum == before {
			t.Error("a clone didn't change")
		}
	}
	if set.Head() == before {
		t.Error("the origin didn't change")
	}
}

func FuzzIncrementalHead(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x80\x81\xff\xfe"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		keys := someKeys()
		var set Set
		model := map[Key]Hash{}
		for i, op := range ops[:min(len(ops), 300)] {
			key := keys[int(op&0x1f)]
			switch op >> 5 {
			case 0, 1:
				set.Delete(key)
				delete(model, key)
			case 2:
				set = *set.Clone()
			default:
				model[key] = Hash{byte(i)}
				set.Put(key, model[key])
			}
		}
		agree(t, &set, model)
	})
}

// agree compares everything that a set tells with a model.
func agree(t *testing.T, set *Set, model map[Key]Hash) {
	t.Helper()
	if set.Len() != len(model) {
		t.Fatalf("%d entries, want %d", set.Len(), len(model))
	}
	if set.Head() != fromScratch(model) {
		t.Fatal("another head than from scratch")
	}
	var last Key
	seen := 0
	for key, hash := range set.All() {
		if want, ok := model[key]; !ok || want != hash {
			t.Fatalf("%s: %x, want %x", key, hash, want)
		}
		if seen > 0 && last.Compare(key) >= 0 {
			t.Fatalf("%s isn't after %s", key, last)
		}
		last = key
		seen++
	}
	if seen != len(model) {
		t.Fatalf("All yielded %d of %d", seen, len(model))
	}
	for _, key := range someKeys() {
		hash, ok := set.Get(key)
		if want, wanted := model[key]; ok != wanted || hash != want {
			t.Fatalf("Get(%s) = %x, %v", key, hash, ok)
		}
	}
}

func copyOf(m map[Key]Hash) map[Key]Hash {
	c := make(map[Key]Hash, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

func filled(n int) (*Set, []Key) {
	set := new(Set)
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = KeyOf("key", fmt.Sprint(i))
		set.Put(keys[i], HashOf(keys[i][:]))
	}
	set.Head()
	return set, keys
}

func BenchmarkPutAndHead(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			set, keys := filled(n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				set.Put(keys[i%n], Hash{byte(i), byte(i >> 8), byte(i >> 16)})
				set.Head()
			}
		})
	}
}

func BenchmarkCloneAndPutAndHead(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			set, keys := filled(n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				set = set.Clone()
				set.Put(keys[i%n], Hash{byte(i), byte(i >> 8), byte(i >> 16)})
				set.Head()
			}
		})
	}
}

func BenchmarkBuild100k(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		filled(100_000)
	}
}

func BenchmarkBucketSum244(b *testing.B) {
	hashes := make([]Hash, 244)
	b.ReportAllocs()
	for b.Loop() {
		BucketSum(hashes)
	}
}
