package effort

import (
	"sync/atomic"
	"time"
)

// Why a piece isn't done, beside whose allowance is used up.
const (
	queueFull  = "queue_full"
	tooLate    = "too_late"
	clientGone = "client_gone"
)

var reasons = [...]string{"address", "credential", "node", queueFull, tooLate, clientGone}

// waitBounds are the upper bounds of the buckets of waits, in seconds; there is one more without.
var waitBounds = [...]float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// counts is what a meter has done since the process began.
type counts struct {
	refused [len(reasons)]atomic.Uint64
	pieces  [classes]atomic.Uint64
	spent   [classes]atomic.Int64
	waits   [len(waitBounds) + 1]atomic.Uint64
	waitSum atomic.Int64
}

func (c *counts) refuse(reason string) {
	for i, r := range reasons {
		if r == reason {
			c.refused[i].Add(1)
		}
	}
}

func (c *counts) done(of class, cost time.Duration) {
	c.pieces[of].Add(1)
	c.spent[of].Add(int64(cost))
}

func (c *counts) waited(wait time.Duration) {
	wait = max(wait, 0)
	bucket := 0
	for bucket < len(waitBounds) && wait.Seconds() > waitBounds[bucket] {
		bucket++
	}
	c.waits[bucket].Add(1)
	c.waitSum.Add(int64(wait))
}

// Stats is what a meter holds and did.
type Stats struct {
	Classes []ClassStats
	// Turns is how many may be at work, of all classes.
	Turns int
	// Refused by why: "address", "credential", "node" whose time is used up; "queue_full", "too_late", "client_gone".
	Refused map[string]uint64
	// Waits for a turn, of pieces that had one: seconds, and how many waited no longer.
	Waits    map[float64]uint64
	Waited   uint64
	WaitedIn time.Duration
	// Callers is how many addresses and credentials are remembered, Forgotten how many that owed something were forgotten for want of room.
	Callers   int64
	Forgotten uint64
}

// ClassStats is of the light pieces or the dear ones.
type ClassStats struct {
	Class   string
	AtWork  int
	Waiting int
	Done    uint64
	Spent   time.Duration
}

// Stats returns what a meter holds and did.
func (m *Meter) Stats() Stats {
	c := &m.counts
	s := Stats{
		Turns: m.turns.most, Refused: make(map[string]uint64, len(reasons)), Waits: make(map[float64]uint64, len(waitBounds)),
		WaitedIn: time.Duration(c.waitSum.Load()), Callers: m.callers.count.Load(), Forgotten: m.callers.forgotten.Load(),
	}
	for i, reason := range reasons {
		s.Refused[reason] = c.refused[i].Load()
	}
	for i := range c.waits {
		s.Waited += c.waits[i].Load()
		if i < len(waitBounds) {
			s.Waits[waitBounds[i]] = s.Waited
		}
	}
	m.turns.mu.Lock()
	defer m.turns.mu.Unlock()
	for of := range classes {
		s.Classes = append(s.Classes, ClassStats{
			Class: classNames[of], AtWork: m.turns.atWork[of], Waiting: len(m.turns.waiting[of]), Done: c.pieces[of].Load(), Spent: time.Duration(c.spent[of].Load()),
		})
	}
	return s
}
