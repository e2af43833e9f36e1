package apikey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func newPepper(t testing.TB, secret []byte) *Pepper {
	t.Helper()
	pepper, err := NewPepper(secret)
	if err != nil {
		t.Fatal(err)
	}
	return pepper
}

// reference is the construction as the package doc states it, by the standard library.
func reference(secret, key []byte) Digest {
	sum := sha256.Sum256(key)
	mac := hmac.New(sha256.New, secret)
	mac.Write(sum[:])
	return Digest(mac.Sum(nil))
}

func TestDigestIsHMACOfSHA256(t *testing.T) {
	for _, n := range []int{32, 33, 63, 64, 65, 200} {
		secret := []byte(strings.Repeat("pepper! ", 25))[:n]
		pepper := newPepper(t, secret)
		for _, key := range []string{"", "x", generate(t, "production").Reveal(), strings.Repeat("long", 100)} {
			want := reference(secret, []byte(key))
			if pepper.Digest(key) != want || pepper.DigestBytes([]byte(key)) != want || pepper.DigestOfSHA256(sha256.Sum256([]byte(key))) != want {
				t.Fatalf("secret of %d bytes, key %q: another digest", n, key)
			}
		}
	}
}

func TestShortPepperIsRefused(t *testing.T) {
	for _, n := range []int{0, 1, MinPepper - 1} {
		if _, err := NewPepper(make([]byte, n)); !errors.Is(err, ErrPepperTooShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestPepperDoesNotKeepTheCallersBytes(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	want := reference(secret, []byte("key"))
	pepper := newPepper(t, secret)
	clear(secret)
	if pepper.Digest("key") != want {
		t.Fatal("clearing the secret changed the pepper")
	}
}

func TestPepperIsMaskedHoweverItIsPrinted(t *testing.T) {
	pepper := newPepper(t, []byte(strings.Repeat("s", 32)))
	if got := fmt.Sprintf("%v %+v %#v %x", pepper, pepper, pepper, pepper); strings.ReplaceAll(got, "apikey.Pepper(masked)", "") != "   " {
		t.Errorf("printed %s", got)
	}
	if _, err := json.Marshal(pepper); err == nil {
		t.Error("marshalled")
	}
}

func TestPepperIsSafeForConcurrentUse(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	pepper := newPepper(t, secret)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 200 {
				key := fmt.Sprint(g, i)
				if pepper.Digest(key) != reference(secret, []byte(key)) {
					t.Errorf("%s: another digest", key)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestDigestDoesNotAllocate(t *testing.T) {
	pepper := newPepper(t, []byte(strings.Repeat("s", 32)))
	key := generate(t, strings.Repeat("e", MaxEnvironment)).Reveal()
	raw := []byte(key)
	allocs := testing.AllocsPerRun(100, func() {
		if pepper.Digest(key) != pepper.DigestBytes(raw) {
			t.Error("digests differ")
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

func FuzzDigestIsHMACOfSHA256(f *testing.F) {
	f.Add([]byte(strings.Repeat("s", 32)), "spk_a")
	f.Fuzz(func(t *testing.T, secret []byte, key string) {
		pepper, err := NewPepper(secret)
		if err != nil {
			return
		}
		if pepper.Digest(key) != reference(secret, []byte(key)) {
			t.Fatal("another digest")
		}
	})
}

func BenchmarkDigest(b *testing.B) {
	pepper := newPepper(b, []byte(strings.Repeat("s", 32)))
	key := generate(b, "production").Reveal()
	b.ReportAllocs()
	for b.Loop() {
		pepper.Digest(key)
	}
}
