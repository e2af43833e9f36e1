package token

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// kilobyte is claims that make a token of some 1 KB, as access tokens have them.
const kilobyte = `{"iss":"https://issuer.example","sub":"248289761001","aud":["https://api.example","other"],"exp":2000000000,"nbf":1000000000,"iat":1000000000,` +
	`"jti":"9f1c8a70-5cde-4f3b-9a2c-1f0e7d6b5a43","client_id":"mobile-banking","scope":"openid profile accounts.read payments.write","azp":"mobile-banking",` +
	`"session_state":"2d5f0b7e-1a0b-4dd7-b0a5-b1c1f1f1d111","realm_access":{"roles":["offline_access","customer","uma_authorization"]},` +
	`"resource_access":{"accounts":{"roles":["view-profile","manage-account"]}},"email_verified":true,"name":"Alice Example","preferred_username":"alice","email":"alice@bank.example"}`

func BenchmarkHit(b *testing.B) {
	c := NewCache(64 << 20)
	text, v := verified(b, issuer()["RS256"], kilobyte)
	c.Put(text, v)
	keys, allowed := issuerKeys(), NewAlgorithms()
	r := Rules{Issuer: "https://issuer.example", Audiences: []string{"other"}, ClockSkew: 30 * time.Second, Required: []Requirement{Require("realm_access.roles")}}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v, ok := c.Get(text)
			if !ok || keys.Check(v, allowed) != nil || r.Check(&v.Token, noon) != nil {
				b.Error("no hit")
				return
			}
		}
	})
}

// The figure of a miss is to be read beside that of the bare signature.
func BenchmarkMiss(b *testing.B) {
	for _, name := range []string{"RS256", "ES256", "EdDSA"} {
		s := issuer()[name]
		text := s.token(kilobyte)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := NewCache(64 << 20)
			for b.Loop() {
				parsed, err := Parse(text)
				must(err)
				v, err := parsed.Verify(issuerKeys(), everything)
				must(err)
				c.Put(text, v)
			}
		})
		b.Run(name+"/bare", func(b *testing.B) {
			parsed, err := Parse(text)
			must(err)
			for b.Loop() {
				if !signedBy(s.private.Public(), s.algorithm, parsed.signed, parsed.signature) {
					b.Fatal("wrong")
				}
			}
		})
	}
	b.Run("reading", func(b *testing.B) { // what a miss costs beyond the signature, but for the place in the cache
		text := issuer()["ES256"].token(kilobyte)
		b.ReportAllocs()
		for b.Loop() {
			_, err := Parse(text)
			must(err)
		}
	})
	b.Run("hostile", func(b *testing.B) { // no signature is ever looked at
		text := part(`{"alg":"none"}`) + "." + part(kilobyte) + "." + part(strings.Repeat("a", 256))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(text); err == nil {
				b.Fatal("taken")
			}
		}
	})
}

// The heap after a million different tokens, beside the bound of 64 MiB.
func BenchmarkMillionTokens(b *testing.B) {
	const tokens = 1_000_000
	payload := []byte(kilobyte)
	for b.Loop() {
		c := NewCache(64 << 20)
		before := heap()
		for i := range tokens {
			v := &Verified{} // a million signatures would tell nothing of memory
			must(v.readClaims(payload))
			c.Put(fmt.Sprintf("%0900d", i), v)
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-heap")
		b.ReportMetric(float64(c.Stats().Bytes)/(1<<20), "MiB-counted")
		b.ReportMetric(float64(c.Stats().Entries), "tokens-kept")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
