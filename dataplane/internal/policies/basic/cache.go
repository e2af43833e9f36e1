package basic

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/sallyport/sallyport/proto/password"
)

const (
	cacheShards = 64
	cacheShare  = 1024 // of a shard; all of it some 4 MiB
)

// proof stands for a password that was checked against a digest: a hash of both under a key of the process. Another password on
// the object has another digest, so that what was proven of the one before proves nothing.
type proof [sha256.Size]byte

// cache holds what was checked. It is safe for concurrent use. No password can be read out of it, nor, without the key, guessed by it.
type cache struct {
	key    [sha256.BlockSize]byte
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu    sync.RWMutex
	known map[proof]struct{}
}

func newCache() *cache {
	c := new(cache)
	rand.Read(c.key[:]) // never fails: the runtime ends the process instead
	return c
}

// proofOf returns what a password's fitting a digest is known by. The parts in front of the password have one length always.
func (c *cache) proofOf(d *password.Digest, text []byte) proof {
	var room [sha256.BlockSize + 64 + maxCredentials]byte
	all := d.Append(append(room[:0], c.key[:]...))
	return sha256.Sum256(append(all, text...))
}

func (c *cache) shard(p *proof) *cacheShard { return &c.shards[p[0]%cacheShards] }

func (c *cache) has(p proof) bool {
	s := c.shard(&p)
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, known := s.known[p]
	return known
}

// put keeps a proof; of a full shard any other is forgotten.
func (c *cache) put(p proof) {
	s := c.shard(&p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[proof]struct{})
	}
	if len(s.known) >= cacheShare {
		for other := range s.known {
			delete(s.known, other)
			break
		}
	}
	s.known[p] = struct{}{}
}
