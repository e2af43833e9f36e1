package access

import (
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// backoffBurst is how many failures an address may make at once.
	backoffBurst = 30
	// backoffInterval is how long a failure counts: one is forgiven in every such interval.
	backoffInterval = time.Second
	// backoffAddresses bounds the memory: the address that failed longest ago is forgotten first.
	backoffAddresses = 8192
	// backoffTokens bounds how many good tokens are remembered: the one used longest ago is forgotten first.
	backoffTokens = 4096
)

// Backoff slows down addresses that present bad tokens again and again. Guessing a token is hopeless
// anyway (256 random bits): it keeps the guesses off the database. An IPv6 address counts with its
// /64, which is what one subscriber has. A token that was good lately doesn't wait: behind a proxy all
// callers have one address, and one of them who guesses must not lock the others out.
type Backoff struct {
	now func() time.Time

	mu       sync.Mutex
	failures *lru.LRU[netip.Prefix, time.Time] // when all failures will be forgiven
	good     *lru.LRU[[32]byte, struct{}]      // digests of tokens
}

// NewBackoff returns a Backoff that has seen no failure.
func NewBackoff() *Backoff {
	return &Backoff{now: time.Now, failures: newLRU[netip.Prefix, time.Time](backoffAddresses), good: newLRU[[32]byte, struct{}](backoffTokens)}
}

func newLRU[K comparable, V any](size int) *lru.LRU[K, V] {
	made, err := lru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err) // only a size below 1 does that
	}
	return made
}

// Wait returns how long the address has to wait before this token is looked at; 0: not at all.
func (b *Backoff) Wait(address netip.Addr, token string) time.Duration {
	now, digest := b.now(), digestOf(token)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.good.Contains(digest) {
		return 0
	}
	forgiven, ok := b.failures.Peek(neighbours(address))
	if !ok {
		return 0
	}
	return max(0, forgiven.Sub(now)-(backoffBurst-1)*backoffInterval)
}

// Passed remembers a good token. It is looked at each time all the same.
func (b *Backoff) Passed(token string) {
	digest := digestOf(token)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.good.Add(digest, struct{}{})
}

// Failed counts a bad token from the address.
func (b *Backoff) Failed(address netip.Addr, token string) {
	now, digest := b.now(), digestOf(token)
	key := neighbours(address)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.good.Remove(digest) // it may have been good until now
	forgiven, ok := b.failures.Peek(key)
	if !ok || forgiven.Before(now) {
		forgiven = now
	}
	b.failures.Add(key, forgiven.Add(backoffInterval))
}

// neighbours returns the range that one caller can choose its address in.
func neighbours(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero address: one cell for all that have none
	}
	return prefix
}
