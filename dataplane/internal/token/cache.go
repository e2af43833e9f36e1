package token

import (
	"hash/maphash"
	"math"
	"strings"
	"sync"
	"unsafe"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	shardBits = 6
	shards    = 1 << shardBits
	// shardShare is how much of a shard one token may take: one of a few hundred claims mustn't drive out all others.
	shardShare = 4
	// overhead is what an entry takes besides the token: the record itself, its place in the list and in the index.
	overhead = int(unsafe.Sizeof(Verified{})) + 192
)

// Cache remembers which tokens were verified, and by which key. It is bounded in bytes: the ones that were not used for longest go first.
//
// Tokens are found by a hash whose seed nobody outside knows, and compared to the letter: nobody can prepare a token that is taken for
// another, nor many that meet in one place. Requests share no lock but those of tokens in the same of many shards.
type Cache struct {
	seed   maphash.Seed
	bytes  int // of one shard
	shards [shards]shard
}

// entry is a token that is remembered, with the text that it was read from and the bytes that are counted for it.
type entry struct {
	text  string
	token *Verified
	size  int
}

type shard struct {
	mu    sync.Mutex
	lru   *lru.LRU[uint64, entry]
	stats Stats
	_     [64]byte // so that no other shard is on the line of this one's lock
}

// Stats is what a cache holds and did.
type Stats struct {
	Entries, Bytes int
	Hits, Misses   uint64
	Evicted        uint64 // made room for others
	Dropped        uint64 // their key had gone
	Oversized      uint64 // too large to be kept
}

// NewCache makes a cache of so many bytes. It takes no memory before there are tokens.
func NewCache(bytes int) *Cache {
	c := &Cache{seed: maphash.MakeSeed(), bytes: bytes / shards}
	for i := range c.shards {
		s := &c.shards[i]
		// The list bounds nothing; add does, by bytes. It never fails for a size above 0.
		s.lru, _ = lru.NewLRU(math.MaxInt, func(_ uint64, e entry) { s.stats.Bytes -= e.size })
	}
	return c
}

// Get returns what is remembered of a token. Whether its key is still good, and it is in time, is for the caller to ask, each time:
// [KeySet.Check], [Rules.Check]. It doesn't allocate.
func (c *Cache) Get(text string) (*Verified, bool) {
	hash := maphash.String(c.seed, text)
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.lru.Get(hash); ok && e.text == text {
		s.stats.Hits++
		return e.token, true
	}
	s.stats.Misses++
	return nil, false
}

// Put remembers that a token, read from this text, was verified. It keeps a copy of the text.
func (c *Cache) Put(text string, v *Verified) {
	hash := maphash.String(c.seed, text)
	s := c.shard(hash)
	size := len(text) + v.Claims.Size() + overhead
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > c.bytes/shardShare {
		s.stats.Oversized++
		return
	}
	s.lru.Remove(hash) // the same token that another request was faster to verify, or one of the same hash
	s.lru.Add(hash, entry{strings.Clone(text), v, size})
	for s.stats.Bytes += size; s.stats.Bytes > c.bytes; s.stats.Evicted++ {
		s.lru.RemoveOldest()
	}
}

// Forget drops one token.
func (c *Cache) Forget(text string) {
	hash := maphash.String(c.seed, text)
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.lru.Peek(hash); ok && e.text == text {
		s.lru.Remove(hash)
		s.stats.Dropped++
	}
}

// Retain drops the tokens whose keys have gone. No request need wait for it to be done: one that finds such a token is told by
// [KeySet.Check]. It gives back their memory.
func (c *Cache) Retain(good func(key Thumbprint) bool) {
	for i := range c.shards {
		c.shards[i].retain(good)
	}
}

func (s *shard) retain(good func(key Thumbprint) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, hash := range s.lru.Keys() {
		if e, ok := s.lru.Peek(hash); ok && !good(e.token.key) {
			s.lru.Remove(hash)
			s.stats.Dropped++
		}
	}
}

// Stats sums up all shards.
func (c *Cache) Stats() Stats {
	var sum Stats
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		one, entries := s.stats, s.lru.Len()
		s.mu.Unlock()
		sum.Entries += entries
		sum.Bytes += one.Bytes
		sum.Hits += one.Hits
		sum.Misses += one.Misses
		sum.Evicted += one.Evicted
		sum.Dropped += one.Dropped
		sum.Oversized += one.Oversized
	}
	return sum
}

func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash>>(64-shardBits)] }
