package limiter

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// MaxNodes is among how many nodes a limit can be shared.
const MaxNodes = 1 << 14

// Share is which part of a limit is this node's. It is immutable.
type Share struct {
	Nodes uint32 // how many nodes share the limit; 0: nothing of it is this node's
	Rank  uint32 // this node's place among them, from 0
}

// Shares says what this node's share is. It is the seam for every way of sharing: what a table needs is that the shares
// of all nodes never sum to more than the limit.
type Shares interface {
	// Share returns the share, the same pointer for as long as it stays the same; nil: there is none. It is called for
	// each request: it takes no lock and doesn't allocate.
	Share() *Share
}

// of returns this node's part of a window: the rate of one nth, and so many whole requests at once. Summed over all
// ranks it is the window, for each number of nodes.
func (w Window) of(s *Share) part {
	burst := w.burst()
	switch {
	case s == nil || s.Nodes == 0 || s.Rank >= s.Nodes || s.Nodes > MaxNodes:
		return part{nth: 1}
	case burst >= s.Nodes:
		p := part{nth: s.Nodes, burst: burst / s.Nodes}
		if s.Rank < burst%s.Nodes {
			p.burst++
		}
		return p
	case s.Rank < burst: // fewer requests than nodes: what can't be had at once can't be had at all
		return part{nth: burst, burst: 1}
	default:
		return part{nth: burst}
	}
}

// part is one node's part of a window: an nth of its rate, and so many requests at once.
type part struct{ nth, burst uint32 }

// atMost is what both allow.
func (p part) atMost(q part) part {
	return part{nth: max(p.nth, q.nth), burst: min(p.burst, q.burst)}
}

// of returns what a share leaves of a limit. The times that cells hold keep their meaning under any share: how long
// until the whole allowance is back. So a change of the share leaves every cell as full, in proportion, as it was, and
// gives nobody a fresh one.
func (l Limit) of(parts []part) Limit {
	shared := Limit{rates: make([]rate, len(parts)), windows: l.windows}
	for i, p := range parts {
		shared.rates[i] = l.windows[i].rate(p)
	}
	return shared
}

// refill returns how long an empty bucket takes to be full, in nanoseconds: in the slowest of the windows.
func (l Limit) refill() int64 {
	var longest int64
	for i := range l.rates {
		longest = max(longest, int64(l.rates[i].burst.ceil()))
	}
	return longest
}

// sharing is what a table counts against while its node has only a share of the limit.
type sharing struct {
	shares  Shares
	whole   Limit
	current atomic.Pointer[stretch]
	mu      sync.Mutex // held to change current
}

// stretch is a time in which nothing changes.
type stretch struct {
	share *Share
	parts []part
	limit Limit
	until int64  // of the table's clock; then what follows holds
	then  []part // nil: nothing follows
}

func newSharing(whole Limit, shares Shares) *sharing {
	s := &sharing{shares: shares, whole: whole}
	share := shares.Share()
	s.current.Store(s.stretch(share, whole.parts(share)))
	return s
}

func (l Limit) parts(share *Share) []part {
	parts := make([]part, len(l.windows))
	for i, w := range l.windows {
		parts[i] = w.of(share)
	}
	return parts
}

func (s *sharing) stretch(share *Share, parts []part) *stretch {
	return &stretch{share: share, parts: parts, limit: s.whole.of(parts), until: math.MaxInt64}
}

// limit returns what holds now.
func (s *sharing) limit(now int64) Limit {
	if c := s.current.Load(); c.share == s.shares.Share() && now < c.until {
		return c.limit
	}
	return s.change(now)
}

// change takes over a new share. What it takes away is taken at once. What it gives, it gives once a bucket has had the
// time to refill: until then what another node let through, before it left, still counts.
func (s *sharing) change(now int64) Limit {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, share := s.current.Load(), s.shares.Share()
	parts := c.parts
	if now >= c.until {
		parts = c.then
	}
	wanted := s.whole.parts(share)
	if c.share == share { // it was only time
		if now < c.until {
			return c.limit
		}
		wanted = parts
	}
	both := make([]part, len(wanted))
	for i := range wanted {
		both[i] = parts[i].atMost(wanted[i])
	}
	next := s.stretch(share, both)
	if !slices.Equal(both, wanted) {
		next.until, next.then = now+s.whole.refill(), wanted
	}
	s.current.Store(next)
	return next.limit
}
