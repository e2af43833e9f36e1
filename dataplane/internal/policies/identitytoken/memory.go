package identitytoken

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

const (
	shards = 64
	// shardBytes bounds a shard: 64 MiB for all, some 60,000 callers of usual tokens.
	shardBytes = 1 << 20
	// overhead is what an entry takes besides its texts.
	overhead = 160

	sortOfMemory = "identity-token/memory"
)

// memory is what a node has signed lately. It is safe for concurrent use.
type memory struct {
	seed   maphash.Seed
	shards [shards]shard

	signed, evicted atomic.Uint64
}

type shard struct {
	mu     sync.RWMutex
	tokens map[string]*token
	bytes  int
	_      [64]byte // so that two shards' locks share no line of the processor's cache
}

// token is one that was signed.
type token struct {
	value   string // of the field that holds it
	signer  string // what its key is called
	renewAt int64  // nanoseconds since 1970
	expires int64
	renewed atomic.Bool // somebody has begun to
	bytes   int
}

// memoryOf returns the one that all policies of a node share.
func memoryOf(parts *pipeline.Parts) (*memory, error) {
	return pipeline.Part(parts, sortOfMemory, "", func() (*memory, error) {
		m := &memory{seed: maphash.MakeSeed()}
		for i := range m.shards {
			m.shards[i].tokens = map[string]*token{}
		}
		return m, nil
	})
}

func (m *memory) shard(key []byte) *shard { return &m.shards[maphash.Bytes(m.seed, key)%shards] }

// find returns a token that says what key stands for; nil: it is to be made, by who asked.
func (m *memory) find(key []byte, signer string, now time.Time) *token {
	s := m.shard(key)
	s.mu.RLock()
	t := s.tokens[string(key)]
	s.mu.RUnlock()
	if t == nil || t.signer != signer || !t.good(now.UnixNano()) {
		return nil
	}
	return t
}

// good tells whether a token may go on: while half of its life lasts, and a little longer for all but the first who asks then.
func (t *token) good(now int64) bool {
	if now < t.renewAt {
		return true
	}
	return now < t.renewAt+(t.expires-t.renewAt)/2 && !t.renewed.CompareAndSwap(false, true)
}

// keep takes a token for as long as there is room. Whom it has to forget for that is left to chance: their next request signs again.
func (m *memory) keep(key []byte, t *token) {
	m.signed.Add(1)
	t.bytes = len(key) + len(t.value) + overhead
	if t.bytes > shardBytes {
		return
	}
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.tokens[string(key)]; old != nil {
		s.bytes -= old.bytes
	}
	s.tokens[string(key)] = t
	s.bytes += t.bytes
	if s.bytes <= shardBytes {
		return
	}
	for other, o := range s.tokens {
		if o == t {
			continue
		}
		delete(s.tokens, other)
		s.bytes -= o.bytes
		m.evicted.Add(1)
		if s.bytes <= shardBytes {
			return
		}
	}
}

// Counts are what a node has done with identity tokens, and holds of them.
type Counts struct {
	Signed, Evicted uint64
	Tokens, Bytes   int
}

// CountsOf returns the counts of the node that has these parts; zeros while it has no policy that signs.
func CountsOf(parts *pipeline.Parts) Counts {
	m := pipeline.Find[memory](parts, sortOfMemory, "")
	if m == nil {
		return Counts{}
	}
	c := Counts{Signed: m.signed.Load(), Evicted: m.evicted.Load()}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		c.Tokens += len(s.tokens)
		c.Bytes += s.bytes
		s.mu.RUnlock()
	}
	return c
}
