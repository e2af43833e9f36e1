package token

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/jwk"
)

// verified returns a token and its text, verified.
func verified(t testing.TB, s signer, payload string) (string, *Verified) {
	t.Helper()
	text := s.token(payload)
	parsed, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := parsed.Verify(issuerKeys(), everything)
	if err != nil {
		t.Fatal(err)
	}
	return text, v
}

func TestATokenIsFoundByItsExactTextOnly(t *testing.T) {
	c := NewCache(1 << 20)
	text, v := verified(t, issuer()["ES256"], goodClaims)
	buffer := []byte(text)
	c.Put(string(buffer), v)
	if got, ok := c.Get(text); !ok || got != v {
		t.Fatal("not found")
	}
	for i := range len(text) {
		buffer[i] ^= 1
		if _, ok := c.Get(string(buffer)); ok {
			t.Fatalf("found with another byte %d", i)
		}
		buffer[i] ^= 1
	}
	for _, other := range []string{"", text[1:], text[:len(text)-1], text + "A", strings.ToLower(text), " " + text} {
		if _, ok := c.Get(other); ok {
			t.Errorf("found by %q", other)
		}
	}
}

// Tokens of the same hash are told apart: what is kept for one is never told of another.
func TestATokenOfTheSameHashIsNotTheToken(t *testing.T) {
	c := NewCache(1 << 20)
	text, v := verified(t, issuer()["ES256"], goodClaims)
	c.Put(text, v)
	for i := range c.shards {
		s := &c.shards[i]
		for _, hash := range s.lru.Keys() {
			e, _ := s.lru.Peek(hash)
			e.text = "another text"
			s.lru.Add(hash, e)
		}
	}
	if _, ok := c.Get(text); ok {
		t.Error("found what another token said")
	}
}

func TestATokenIsNotGoodOnceItsKeyHasGone(t *testing.T) {
	es, ed := issuer()["ES256"], issuer()["EdDSA"]
	text, v := verified(t, es, goodClaims)
	other, w := verified(t, ed, goodClaims)
	c := NewCache(1 << 20)
	c.Put(text, v)
	c.Put(other, w)
	renamed, pinned := es.key(), es.key()
	renamed.ID, pinned.Algorithm = "p256-b", "ES384"
	for name, test := range map[string]struct {
		keys    *KeySet
		allowed Algorithms
		want    error
	}{
		"there": {issuerKeys(), everything, nil}, "gone": {NewKeySet([]jwk.Key{ed.key()}), everything, ErrUnknownKey}, "no keys": {nil, everything, ErrUnknownKey},
		"by another name": {NewKeySet([]jwk.Key{renamed}), everything, ErrUnknownKey}, "for another algorithm": {NewKeySet([]jwk.Key{pinned}), everything, ErrAlgorithm},
		"another of its name":   {NewKeySet([]jwk.Key{{ID: "p256", Public: es.private.Public(), Thumbprint: Thumbprint{1}}}), everything, ErrUnknownKey},
		"the algorithm is gone": {issuerKeys(), NewAlgorithms(rs256), ErrAlgorithm},
	} {
		if err := test.keys.Check(v, test.allowed); err != test.want { //nolint:errorlint // it must be that error itself
			t.Errorf("%s: %v", name, err)
		}
	}
	remaining := NewKeySet([]jwk.Key{ed.key()})
	c.Retain(remaining.Has)
	if _, ok := c.Get(text); ok {
		t.Error("the token of the key that went is still there")
	}
	if _, ok := c.Get(other); !ok {
		t.Error("the token of the key that stays went with the other")
	}
	c.Forget(other)
	c.Forget("never there")
	if s := c.Stats(); s.Entries != 0 || s.Bytes != 0 || s.Dropped != 2 || s.Hits != 1 || s.Misses != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTheCacheIsBoundedInBytes(t *testing.T) {
	const bound = 1 << 20
	c := NewCache(bound)
	_, v := verified(t, issuer()["EdDSA"], goodClaims)
	for i := range 20_000 { // the signature was checked once: here it is about room
		c.Put(fmt.Sprintf("%0512d", i), v)
		if i%500 == 0 {
			if s := c.Stats(); s.Bytes > bound {
				t.Fatalf("%d bytes after %d tokens", s.Bytes, i)
			}
		}
	}
	s := c.Stats()
	if each := 512 + v.Claims.Size() + overhead; s.Bytes > bound || s.Bytes != s.Entries*each || s.Entries < bound/each/2 || s.Evicted != uint64(20_000-s.Entries) {
		t.Errorf("%+v of %d each", s, each)
	}
	if _, ok := c.Get(fmt.Sprintf("%0512d", 19_999)); !ok {
		t.Error("the latest token isn't there")
	}
	for range 3 { // again and again the same
		c.Put(fmt.Sprintf("%0512d", 19_999), v)
	}
	if again := c.Stats(); again.Bytes != s.Bytes || again.Entries != s.Entries {
		t.Errorf("%+v became %+v by what was there already", s, again)
	}
	c.Put(strings.Repeat("a", bound/shards), v)
	if again := c.Stats(); again.Oversized != 1 || again.Bytes != s.Bytes {
		t.Errorf("%+v", again)
	}
}

func TestWhatAnOwnerKeptIsNotForAnother(t *testing.T) {
	_, v := verified(t, issuer()["EdDSA"], goodClaims)
	first, second := &Rules{}, &Rules{Issuer: "a"}
	if v.Kept(first) != nil {
		t.Error("something is kept from the start")
	}
	v.Keep(first, "scopes")
	if v.Kept(first) != "scopes" || v.Kept(second) != nil || v.Kept(nil) != nil {
		t.Error("kept for the wrong one")
	}
	v.Keep(second, "others")
	if v.Kept(first) != nil || v.Kept(second) != "others" {
		t.Error("the earlier owner finds what the later one made")
	}
}

func TestAHitAllocatesNothing(t *testing.T) {
	c := NewCache(1 << 20)
	text, v := verified(t, issuer()["RS256"], goodClaims)
	c.Put(text, v)
	r := Rules{Issuer: "https://issuer.example", Audiences: []string{"other"}, ClockSkew: time.Second, MaxLifetime: 1 << 62, Required: []Requirement{Require("sub")}}
	v.Keep(&r, "scopes")
	if n := testing.AllocsPerRun(100, func() {
		v, ok := c.Get(text)
		if !ok || issuerKeys().Check(v, everything) != nil || r.Check(&v.Token, noon) != nil || v.Kept(&r) == nil {
			t.Fatal("no hit")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestManyRequestsShareACache(t *testing.T) {
	c := NewCache(256 << 10)
	_, v := verified(t, issuer()["EdDSA"], goodClaims)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 2000 {
				text := fmt.Sprintf("%d", (i*7+worker)%300)
				if got, ok := c.Get(text); ok && got != v {
					t.Error("found something else")
				}
				c.Put(text, v)
				v.Keep(c, text)
				if i%500 == 0 {
					c.Retain(func(Thumbprint) bool { return worker%2 == 0 })
					c.Forget(text)
				}
			}
		})
	}
	all.Wait()
	if s := c.Stats(); s.Bytes > 256<<10 || s.Bytes < 0 || s.Hits+s.Misses != 16_000 {
		t.Errorf("%+v", s)
	}
}
